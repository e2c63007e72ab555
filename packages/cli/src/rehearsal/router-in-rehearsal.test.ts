// The router as Labwright finds it in a rehearsal: what a person would have made there, and nothing of what Labwright is to manage.
import { readFile } from 'node:fs/promises';
import { cidr, ipv4, rangeContains } from '@labwright/core/addresses/ipv4';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { parseRouterPlan } from '@labwright/rehearsal/pfsense/router-plan';
import { expect, it } from 'vitest';
import { findLeaseRange } from './lease-range.ts';
import { resolverOf } from './names-in-rehearsal.ts';
import { describeOwnersRouter, rehearsedRouter } from './router-in-rehearsal.ts';

type Router = NonNullable<Lab['router']>;
type Changes = Omit<Partial<Lab>, 'router'> & { readonly router?: Partial<Router> };

const example = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
const laptopAddress = ipv4('10.1.3.254');

/** The example with another router, and what else is changed. */
function makeLab({ router, ...changes }: Changes = {}): Lab {
  const { lab } = parseLab(example, 'lab.yaml');
  if (lab?.router === undefined) throw new Error('the example has a router');
  return { ...lab, router: { ...lab.router, ...router }, ...changes };
}

function describe(changes: Changes): ReturnType<typeof describeOwnersRouter> {
  const lab = makeLab(changes);
  const router = rehearsedRouter(lab);
  if (router === undefined) throw new Error('no router is rehearsed');
  return describeOwnersRouter({ lab, blueprint: resolveBlueprint(lab, { rehearsal: true }), laptopAddress }, router);
}

const all: Router['manage'] = ['dhcp', 'dns', 'haproxy'];
const netboot = (mode: Lab['netboot']['mode']): Lab['netboot'] => ({ ...makeLab().netboot, mode });

it('of the home, managed whole', async () => {
  const owners = describe({ router: { manage: all } });
  await expect(`${JSON.stringify(owners, undefined, 2)}\n`).toMatchFileSnapshot('testdata/router-managed.json');
});

it('of the home where Labwright leases to machines alone: names and the balancer of the cluster are its owner’s', async () => {
  const owners = describe({ router: { manage: ['dhcp'] }, netboot: netboot('router') });
  await expect(`${JSON.stringify(owners, undefined, 2)}\n`).toMatchFileSnapshot('testdata/router-leases.json');
});

it('answers on the port that the lab file says', () => {
  expect(describe({}).port).toBe(443);
  expect(describe({ router: { port: 8443 } }).port).toBe(8443);
});

it('is one that the emulator takes', () => {
  const files = { tree: '/tree', stateDirectory: '/state', users: [{ name: 'a', role: 'admin', passwordFile: '/p' }] };
  for (const manage of [all, ['haproxy']] as const)
    expect(() =>
      parseRouterPlan({ version: 1, ...files, ...describe({ router: { manage: [...manage] } }) }),
    ).not.toThrow();
});

it('is none when nothing of it is managed', () => {
  expect(rehearsedRouter(makeLab({ router: { manage: [] } }))).toBeUndefined();
});

it('leases by itself where Labwright does not, with the machines’ own addresses where it is not managed', () => {
  expect(describe({ router: { manage: all } }).dhcp.isOn).toBe(false);
  expect(describe({ router: { manage: all }, netboot: netboot('proxy') }).dhcp).toMatchObject({
    isOn: true,
    leases: [],
  });
  expect(describe({ router: { manage: ['dns'] }, netboot: netboot('proxy') }).dhcp.leases).toEqual([
    { mac: '02:1a:b0:00:01:01', address: '10.1.1.1', name: 'node101' },
    { mac: '02:1a:b0:00:01:02', address: '10.1.1.2', name: 'node102' },
    { mac: '02:1a:b0:00:01:03', address: '10.1.1.3', name: 'node103' },
  ]);
});

it('names our boot files where it is to and Labwright does not manage that', () => {
  const bootOf = (manage: Router['manage']) => describe({ router: { manage }, netboot: netboot('router') }).dhcp.boot;
  expect(bootOf(['dns'])).toEqual({ nextServer: '10.1.0.9', bios: 'labwright.pxe', uefi64: 'labwright.efi' });
  expect(bootOf(all)).toBeUndefined();
});

it('has the gateway’s address beside its own', () => {
  const lan = (address: string) => {
    const owners = describe({ router: { manage: all, address: ipv4(address) } });
    return [owners.lan.address, ...(owners.aliases ?? [])];
  };
  expect(lan('10.1.0.1')).toEqual(['10.1.0.1']);
  expect(lan('10.1.0.3')).toEqual(['10.1.0.3', '10.1.0.1']);
  expect(lan('192.168.5.1')).toEqual(['10.1.0.1', '192.168.5.1']);
});

it('is whom the lab asks for names', () => {
  const ask = (address: string, resolvers: readonly string[], manage = all) => {
    const lab = makeLab({ router: { address: ipv4(address), manage } });
    const lan = { ...lab.networks['lan'], resolvers: resolvers.map(ipv4) } as Lab['networks'][string];
    return resolverOf(lab, resolveBlueprint({ ...lab, networks: { lan } }, { rehearsal: true }));
  };
  expect(ask('10.1.0.1', ['10.1.0.1'])).toBe('10.1.0.1');
  expect(ask('10.1.0.3', ['9.9.9.9', '10.1.0.3'])).toBe('10.1.0.3');
  expect(ask('10.1.0.3', ['10.1.0.3'], [])).toBe('10.1.0.1');
  expect(ask('10.1.0.1', ['9.9.9.9'])).toBe('10.1.0.1');
});

it.each([
  ['what is reserved', {}, '10.1.2.0-10.1.2.255'],
  ['what the laptop leaves of it', { reserved: [['10.1.3.201', '10.1.3.254']] }, '10.1.3.201-10.1.3.253'],
  [
    'the longest of several',
    {
      reserved: [
        ['10.1.2.0', '10.1.2.9'],
        ['10.1.2.50', '10.1.2.99'],
      ],
    },
    '10.1.2.50-10.1.2.99',
  ],
  ['the longest free stretch where nothing is reserved', { reserved: [] }, '10.1.2.100-10.1.3.99'],
  ['it too where others have the reserved', { reserved: [['10.1.0.20', '10.1.0.20']] }, '10.1.2.100-10.1.3.99'],
  ['what there is in a small network', { cidr: '10.1.0.0/27', reserved: [] }, '10.1.0.21-10.1.0.30'],
  ['nothing in a full one', { cidr: '10.1.0.0/30', reserved: [] }, undefined],
] as const)(
  'leases from %s',
  (_what, { reserved, ...more }: { cidr?: string; reserved?: readonly (readonly [string, string])[] }, expected) => {
    const lab = makeLab();
    const lan = {
      ...lab.networks['lan'],
      ...(more.cidr !== undefined && { cidr: cidr(more.cidr) }),
      ...(reserved !== undefined && {
        reserved: reserved.map(([first, last]) => ({ first: ipv4(first), last: ipv4(last) })),
      }),
    } as Lab['networks'][string];
    const changed: Lab = { ...lab, networks: { lan } };
    const blueprint = resolveBlueprint(changed, { rehearsal: true });
    const range = findLeaseRange(changed, blueprint, [laptopAddress]);
    expect(range && `${range.first}-${range.last}`).toBe(expected);
    for (const { address } of blueprint.machines)
      expect(range !== undefined && rangeContains(range, address)).toBe(false);
  },
);
