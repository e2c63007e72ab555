import { describe, expect, test } from 'vitest';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { mergePlans } from '@labwright/core/plan/plan';
import { stringify } from 'yaml';
import { baseCharts } from './base-chart.ts';
import { planServices, serviceEntries } from './service-plan.ts';
import type { ReleaseFacts, SecretFacts, ServiceFacts, WantedFacts } from './service-facts.ts';
import { wantedReleases } from './wanted-releases.ts';

function makeBlueprint(
  kubernetes: Readonly<Record<string, unknown>> = {},
  changes: Readonly<Record<string, unknown>> = {},
): Blueprint {
  const source = stringify({
    version: 1,
    lab: 'home',
    networks: {
      lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28', services: '10.1.3.100-10.1.3.200' },
    },
    hosts: { pve1: { address: '10.1.0.11', cores: 12, memory: '24GiB' } },
    proxmox: { token: { env: 'TOKEN' } },
    netboot: { address: '10.1.0.9' },
    nas: { nas1: { kind: 'linux', address: '10.1.0.20', exports: [{ path: '/srv/k8s', for: 'volumes' }] } },
    pools: { control: { role: 'control-plane' } },
    kubernetes: { version: '1.35.4', endpoint: { address: '10.1.0.10' }, ...kubernetes },
    ...changes,
  });
  const { lab, diagnostics } = parseLab(source, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: false });
}

const digest = 'd1';
/** As observed when every chart is at hand, with nothing installed unless given. */
function makeFacts(blueprint: Blueprint, changes: Partial<ServiceFacts> = {}): ServiceFacts {
  const wanted = wantedReleases(blueprint).releases.map(({ name, chart }): [string, WantedFacts] => {
    const version = chart.kind === 'repository' ? chart.version : '1.0.0';
    return [name, { kind: 'ready', version, digest, changes: [], unsettled: [] }];
  });
  return { asOf: 0, cluster: 'answers', releases: [], wanted: new Map(wanted), secrets: [], problems: [], ...changes };
}

function installed(blueprint: Blueprint): readonly ReleaseFacts[] {
  return wantedReleases(blueprint).releases.map(({ name, namespace, chart }) => ({
    name,
    namespace,
    installed: { revision: 1, status: 'deployed', chartVersion: chart.kind === 'repository' ? chart.version : '1.0.0' },
    record: { name, namespace, digest, secretPaths: [], objects: [] },
  }));
}

const error = {
  code: 'LW7002',
  kind: 'unreachable',
  title: '',
  what: 'no chart',
  where: {},
  fix: [],
  log: [],
} as const;

describe('the plan of services', () => {
  test('installs each after what it needs', () => {
    const blueprint = makeBlueprint({ podNetwork: 'flannel', ownCharts: { gitea: { chart: './gitea' } } });
    const plan = mergePlans(blueprint.lab, 0, [planServices(blueprint, makeFacts(blueprint))]);
    expect(plan.steps.map(({ title, needs }) => [title, needs.map((id) => id.split(' ')[1])])).toEqual([
      ['install flannel v0.28.5', []],
      ['install metallb 0.16.1', ['flannel']],
      ['install csi-driver-nfs 4.13.4', ['flannel']],
      ['install metrics-server 3.13.1', ['flannel']],
      ['install traefik 41.3.0', ['flannel', 'metallb']],
      ['install gitea 1.0.0', ['flannel', 'metallb', 'traefik', 'csi-driver-nfs']],
    ]);
  });

  test('the pod network waits for an API that answers and nothing else', () => {
    const blueprint = makeBlueprint({ podNetwork: 'flannel', charts: { 'csi-driver-nfs': false, traefik: false } });
    const secrets: readonly SecretFacts[] = [{ name: 'db', namespace: 'default', state: { kind: 'absent' } }];
    const { steps } = planServices(blueprint, makeFacts(blueprint, { secrets }), ['settle'], ['form']);
    const secret = 'service.secret default/db';
    expect(steps.map(({ id, needs }) => [id, needs])).toEqual([
      [secret, ['settle']],
      ['service.install flannel', ['form']],
      ['service.install metallb', ['settle', secret, 'service.install flannel']],
      ['service.install metrics-server', ['settle', secret, 'service.install flannel']],
    ]);
  });

  test('is empty when all is as it should be', () => {
    const blueprint = makeBlueprint();
    const facts = makeFacts(blueprint, { releases: installed(blueprint) });
    expect(planServices(blueprint, facts)).toEqual({ steps: [], problems: [], notes: [] });
  });

  test('shows versions and values by key', () => {
    const blueprint = makeBlueprint();
    const facts = makeFacts(blueprint, {
      releases: installed(blueprint).map((each) =>
        each.name === 'traefik' && each.installed
          ? { ...each, installed: { ...each.installed, chartVersion: '40.0.0' } }
          : each,
      ),
    });
    const changes = [
      { path: 'replicas', was: '1', is: '2' },
      { path: 'password', was: '•••', is: '•••' },
    ];
    const wanted = new Map([
      ...facts.wanted,
      ['traefik', { kind: 'ready', version: '41.3.0', digest, changes, unsettled: [] }] as const,
    ]);
    expect(planServices(blueprint, { ...facts, wanted }).steps).toMatchObject([
      {
        title: 'upgrade traefik from 40.0.0 to 41.3.0',
        reason: 'version: 40.0.0 → 41.3.0; replicas: 1 → 2; password: ••• → •••',
        relies: [{ entry: 'release/traefik/traefik', was: 'revision 1, deployed' }],
      },
    ]);
  });

  test('has a chart that cannot be had as a problem, and does not install what needs it', () => {
    const blueprint = makeBlueprint({ charts: { 'csi-driver-nfs': false, 'metrics-server': false } });
    const facts = makeFacts(blueprint);
    const wanted = new Map([...facts.wanted, ['metallb', { kind: 'unready', error }] as const]);
    expect(planServices(blueprint, { ...facts, wanted })).toEqual({
      steps: [],
      problems: [error],
      notes: ['traefik is not installed before metallb, which has a problem'],
    });
    // What serves already goes on, and is not removed for it.
    const there = { ...facts, wanted, releases: installed(blueprint) };
    expect(planServices(blueprint, there)).toMatchObject({ steps: [], notes: [] });
  });

  test('removes what is ours only, and a release that moves is gone before it comes', () => {
    const blueprint = makeBlueprint({
      charts: { metallb: false, traefik: false, 'csi-driver-nfs': false, 'metrics-server': false },
      ownCharts: { gitea: { chart: './gitea', namespace: 'new' } },
    });
    const old = {
      name: 'gitea',
      namespace: 'old',
      installed: { revision: 3, status: 'deployed', chartVersion: '1.0.0' },
      record: { name: 'gitea', namespace: 'old', digest, secretPaths: [], objects: [] },
    } as const;
    const facts = makeFacts(blueprint, { releases: [old] });
    const { steps } = planServices(blueprint, facts);
    expect(steps.map(({ id, needs }) => [id, needs])).toEqual([
      ['service.remove old/gitea', []],
      ['service.install gitea', ['service.remove old/gitea']],
    ]);
    const entries = serviceEntries(blueprint, facts);
    for (const { relies } of steps) for (const { entry, was } of relies) expect(entries.get(entry)).toBe(was);
  });

  test('refuses what is not ours', () => {
    const blueprint = makeBlueprint();
    const foreign = installed(blueprint).map(({ record: _record, ...each }) => each);
    const secrets: readonly SecretFacts[] = [{ name: 'db', namespace: 'default', state: { kind: 'foreign' } }];
    const { steps, problems } = planServices(blueprint, makeFacts(blueprint, { releases: foreign, secrets }));
    expect(steps).toEqual([]);
    expect(problems.map(({ code }) => code)).toEqual(['LW7004', 'LW7004', 'LW7004', 'LW7004', 'LW7004']);
  });
});

describe('base charts', () => {
  test.each(Array.from({ length: 17 }, (_, index) => 20 + index))('each has a version for Kubernetes 1.%i', (minor) => {
    const blueprint = makeBlueprint({ version: `1.${minor}.0`, podNetwork: 'flannel' });
    const { releases, problems } = wantedReleases(blueprint);
    expect(problems).toEqual([]);
    expect(releases.map(({ name }) => name)).toEqual([
      'flannel',
      'metallb',
      'traefik',
      'csi-driver-nfs',
      'metrics-server',
    ]);
  });

  test('no minor is served twice, and the best is first', () => {
    const gaps = Object.values(baseCharts).flatMap(({ pins }) =>
      pins.slice(1).map(({ newest = Number.NaN }, index) => (pins[index]?.oldest ?? 0) - newest),
    );
    expect(new Set(gaps)).toEqual(new Set([1]));
  });

  test('traefik asks for an address only where metallb gives some, in the words of its version', () => {
    const service = (kubernetes: Readonly<Record<string, unknown>>) =>
      wantedReleases(makeBlueprint(kubernetes)).releases.find(({ name }) => name === 'traefik')?.values['service'];
    expect(service({})).toEqual({ spec: { type: 'LoadBalancer' } });
    expect(service({ charts: { metallb: false } })).toEqual({ spec: { type: 'NodePort' } });
    expect(service({ version: '1.20.2' })).toEqual({ type: 'LoadBalancer' });
  });

  test('metallb answers on control planes where there is nothing else', () => {
    const speaker = (pools: unknown) =>
      wantedReleases(makeBlueprint({}, { pools })).releases.find(({ name }) => name === 'metallb')?.values['speaker'];
    expect(speaker({ control: { role: 'control-plane' } })).toEqual({ frr: { enabled: false }, ignoreExcludeLB: true });
    expect(speaker({ control: { role: 'control-plane' }, workers: { role: 'worker', firstVmId: 110 } })).toEqual({
      frr: { enabled: false },
    });
  });

  test('a stated version and values win, and a mirror stands in for every repository', () => {
    const [traefik] = wantedReleases(
      makeBlueprint({
        chartMirror: 'https://charts.example/',
        charts: { traefik: { version: '40.1.0', values: { service: { spec: { type: 'ClusterIP' } } } } },
      }),
    ).releases.filter(({ name }) => name === 'traefik');
    expect(traefik?.chart).toEqual({
      kind: 'repository',
      chart: 'traefik',
      repository: 'https://charts.example/',
      version: '40.1.0',
    });
    expect(traefik?.values['service']).toMatchObject({ spec: { type: 'ClusterIP' } });
    const [metallb] = wantedReleases(makeBlueprint({ chartMirror: 'charts/' })).releases;
    expect(metallb?.chart).toEqual({ kind: 'file', path: 'charts/metallb-0.16.1.tgz' });
  });
});
