import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { parseLab } from '../parse-lab.ts';

const home = await readFile(new URL('../../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

interface Changes {
  readonly router?: Readonly<Record<string, unknown>> | null;
  readonly exposures?: unknown;
  readonly metallb?: unknown;
  readonly services?: null;
  readonly kubernetes?: null;
  readonly netboot?: Readonly<Record<string, unknown>>;
}

/** The home example with a cluster, nothing managed on the router, and with what is changed. */
function parse(changes: Changes) {
  const lab = parseYaml(home) as Record<string, Record<string, unknown>>;
  lab['pools'] = { control: { count: 1, role: 'control-plane' } };
  const charts = changes.metallb === undefined ? {} : { charts: { metallb: changes.metallb } };
  lab['kubernetes'] = { version: '1.35.4', endpoint: { address: '10.1.0.10' }, ...charts };
  if (changes.kubernetes === null) {
    delete lab['kubernetes'];
    lab['pools'] = { control: { count: 1 } };
  }
  const { manage: _manage, ...router } = lab['router'] ?? {};
  lab['router'] = { ...router, ...changes.router };
  delete lab['exposures'];
  if (changes.router === null) delete lab['router'];
  lab['netboot'] = { ...lab['netboot'], ...changes.netboot };
  if (changes.services === null)
    delete (lab['networks'] as Record<string, Record<string, unknown>>)['lan']?.['services'];
  if (changes.exposures !== undefined) lab['exposures'] = changes.exposures as Record<string, unknown>;
  return parseLab(stringify(lab), 'lab.yaml');
}

const messages = (changes: Changes) => parse(changes).diagnostics.map(({ message }) => message);
const managed = { manage: ['dns', 'haproxy'] };

test('a file that says nothing has MetalLB and Traefik, and manages nothing on the router', () => {
  const { lab } = parse({});
  expect(lab?.router?.manage).toEqual([]);
  expect(lab?.exposures).toEqual({ balancer: 'metallb', ingress: 'traefik' });
});

test('the router may be the balancer, with a name server beside it', () => {
  const exposures = { domains: ['svc', 'apps.home.arpa'], balancer: 'router', ingress: 'router', nameServer: {} };
  const { lab, diagnostics } = parse({ router: managed, exposures, metallb: false });
  expect(diagnostics).toEqual([]);
  expect(lab?.exposures).toEqual({ ...exposures, nameServer: { port: 53 } });
});

test('with the router as balancer MetalLB need not be switched off', () => {
  expect(messages({ router: managed, exposures: { balancer: 'router' } })).toEqual([]);
});

describe('refused is', () => {
  test.each<[string, Changes, string]>([
    ['a part twice', { router: { manage: ['dns', 'dns'] } }, 'dns stands twice in what is managed'],
    ['a part there is not', { router: { manage: ['dnss'] } }, 'router.manage'],
    ['a router without a login', { router: { ...managed, password: null } }, 'router.password'],
    [
      'a balancer without a router',
      { router: null, exposures: { balancer: 'router' }, metallb: false },
      'no section router',
    ],
    [
      'a balancer that is not managed',
      { exposures: { balancer: 'router' }, metallb: false },
      'does not manage HAProxy',
    ],
    [
      'two balancers',
      { router: managed, exposures: { balancer: 'router' }, metallb: true },
      'the router and MetalLB would both give',
    ],
    [
      'a balancer without addresses',
      { router: managed, exposures: { balancer: 'router' }, metallb: false, services: null },
      'the router has no addresses to give to Services: network lan has no range for them',
    ],
    ['an ingress without a router', { router: null, exposures: { ingress: 'router' } }, 'the ingress is the router'],
    [
      'an ingress without a cluster',
      { router: managed, exposures: { ingress: 'router' }, kubernetes: null },
      'the file has no section kubernetes',
    ],
    ['no domain at all', { exposures: { domains: [] } }, 'exposures.domains is an empty list'],
    ['a domain twice', { exposures: { domains: ['svc', 'svc'] } }, 'the domain svc stands twice'],
    ['the inside of the cluster', { exposures: { domains: ['svc.cluster.local'] } }, 'for names inside the cluster'],
    ['multicast DNS', { exposures: { domains: ['home.local'] } }, 'belongs to multicast DNS'],
    ['no domain', { exposures: { domains: ['Svc.'] } }, '"Svc." is not a domain'],
    [
      'a port twice',
      { exposures: { nameServer: { port: 8080 } }, netboot: { httpPort: 8080 } },
      'the name server has the port 8080 of netboot.httpPort',
    ],
    ['the port of DHCP', { exposures: { nameServer: { port: 67 } } }, 'the name server has the UDP port 67 of DHCP'],
    ['the port of TFTP', { exposures: { nameServer: { port: 69 } } }, 'the name server has the UDP port 69 of TFTP'],
    [
      'the port of the boot server',
      { exposures: { nameServer: { port: 4011 } }, netboot: { mode: 'router' } },
      'the name server has the UDP port 4011 of the boot server (proxyDHCP)',
    ],
    ['an unknown key', { exposures: { domain: 'svc' } }, 'exposures has no key "domain"'],
  ])('%s', (_, changes, message) => {
    const [first, ...more] = messages(changes);
    expect(first).toContain(message);
    expect(more).toEqual([]);
  });

  test('managing without a password', () => {
    const lab = parseYaml(home) as Record<string, Record<string, unknown>>;
    delete lab['exposures'];
    lab['router'] = { name: 'fw1', kind: 'pfsense', address: '10.1.0.1', manage: ['dns'] };
    expect(parseLab(stringify(lab), 'lab.yaml').diagnostics.map(({ message }) => message)).toEqual([
      'Labwright is to set up dns on the router, and has no password for it',
    ]);
  });
});

test('a typo elsewhere hides a finding of ours only where it stems from it', () => {
  const broken = { router: { ...managed, kind: 'pfsens' }, exposures: { domains: ['svc', 'svc'] } };
  expect(messages(broken)).toHaveLength(2);
  expect(messages({ router: { manage: ['haprxy'] }, exposures: { ingress: 'router' } })).toHaveLength(1);
});
