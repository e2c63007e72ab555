// What of the lab file stands on the router: leases and names of machines, the endpoint of the cluster, machines as back ends. Pure.
//
//   dhcp     a lease for each machine                               lab.machine.node101
//   dns      a name for each machine, the endpoint, the services outside  lab.machine.node101, lab.endpoint, lab.service.mariadb
//   haproxy  the endpoint's address, front end and back end               lab.endpoint
//            each machine as a back end that a person's own front ends may lead to  lab.machine.node101
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Owner } from '@labwright/drivers/pfsense/config/mark';
import type { OwnedEntry } from '@labwright/drivers/pfsense/edits/plan-edits';
import { backEndEntry, frontEndEntry } from '@labwright/drivers/pfsense/entries/balancer-entry';
import { leaseEntry, type NetworkBoot } from '@labwright/drivers/pfsense/entries/lease-entry';
import { domainEntry, hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { virtualIpEntry } from '@labwright/drivers/pfsense/entries/virtual-ip-entry';
import { interfaceFor, type RouterSetup } from '@labwright/drivers/pfsense/router-setup';
import { balancerName, labMark } from './entry-names.ts';

export interface LabPart {
  /** As it holds with replacements. */
  readonly blueprint: Blueprint;
  /** What firmware is told to boot by the router's own DHCP; absent where it tells nothing. */
  readonly boot?: NetworkBoot;
}

export interface LabEntries {
  readonly entries: readonly OwnedEntry[];
  /** What cannot be there at all, one sentence each. */
  readonly problems: readonly string[];
}

export function labEntries(owner: Owner, part: LabPart, setup: RouterSetup): LabEntries {
  const manage = part.blueprint.router?.manage ?? [];
  const parts = [
    ...(manage.includes('dhcp') ? [leases(owner, part, setup)] : []),
    ...(manage.includes('dns') ? [names(owner, part.blueprint, setup)] : []),
    ...(manage.includes('haproxy') ? [balancers(owner, part.blueprint, setup)] : []),
  ];
  return {
    entries: parts.flatMap(({ entries }) => entries),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

/** Where the router's own DHCP starts machines, a replacement needs its lease before it is there. */
function leases(owner: Owner, { blueprint, boot }: LabPart, setup: RouterSetup): LabEntries {
  const spares = blueprint.netboot.mode === 'router' ? (blueprint.spares ?? []) : [];
  const known = new Set(blueprint.machines.map(({ vmId }) => vmId));
  const machines = [...blueprint.machines, ...spares.filter(({ vmId }) => !known.has(vmId))];
  return collect(machines, ({ name, mac, address }) => {
    const at = interfaceFor(setup, address);
    if (at === undefined) return noNetwork(`the address of ${name}`, address);
    const lease = { interface: at.name, mac, address, name, ...(boot === undefined ? {} : { boot }) };
    return [leaseEntry(labMark(owner, `machine.${name}`), lease, setup.dhcpBackEnd)];
  });
}

function names(owner: Owner, blueprint: Blueprint, { nameServer }: RouterSetup): LabEntries {
  const { domain, machines, services, cluster, exposures, netboot } = blueprint;
  const hosts = [
    ...machines.map(({ name, address }) => ({ key: `machine.${name}`, name: `${name}.${domain}`, address })),
    ...services.map(({ name, dnsName, address }) => ({ key: `service.${name}`, name: dnsName, address })),
    ...(cluster === undefined
      ? []
      : [{ key: 'endpoint', name: cluster.endpoint.name, address: cluster.endpoint.address }]),
  ];
  const overrides = exposures.nameServer === undefined ? [] : exposures.domains;
  return {
    entries: [
      ...hosts.flatMap(({ key, name, address }) =>
        hostEntries(labMark(owner, key), { name, addresses: [address] }, nameServer),
      ),
      ...overrides.map((each) =>
        domainEntry(
          labMark(owner, `domain.${each}`),
          { domain: each, address: netboot.address, port: exposures.nameServer?.port ?? 53 },
          nameServer,
        ),
      ),
    ],
    problems: [],
  };
}

function balancers(owner: Owner, blueprint: Blueprint, setup: RouterSetup): LabEntries {
  const endpoint = blueprint.cluster === undefined ? [] : [blueprint.cluster];
  const known = collect(blueprint.machines, ({ name, address }) => [
    backEndEntry(labMark(owner, `machine.${name}`), {
      name: balancerName(owner, name),
      servers: [{ name, address }],
      check: { kind: 'none' },
    }),
  ]);
  const api = collect(endpoint, (cluster) => endpointEntries(owner, cluster, controlPlanes(blueprint), setup));
  return { entries: [...api.entries, ...known.entries], problems: [...api.problems, ...known.problems] };
}

/** Every machine that is one or may become one, so that a replacement changes nothing here. */
function controlPlanes({ machines, spares = [] }: Blueprint): readonly MachineBlueprint[] {
  const all = new Map([...machines, ...spares].map((machine) => [machine.vmId, machine]));
  return [...all.values()].filter(({ role }) => role === 'control-plane').toSorted((one, two) => one.vmId - two.vmId);
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * A control plane takes part while its /readyz answers 200, asked each second (without KVM each five); one that answers slowly is not dead, one that
 * refuses is. While none takes part a connection is refused at once: what waits for the API must not hang. Connections that
 * are open are left to TCP, because watches and `kubectl logs -f` may be silent for hours.
 */
function endpointEntries(
  owner: Owner,
  { endpoint, slow }: ClusterBlueprint,
  machines: readonly MachineBlueprint[],
  setup: RouterSetup,
): readonly OwnedEntry[] | string {
  const { address, port } = endpoint;
  const mark = labMark(owner, 'endpoint');
  const name = balancerName(owner, 'endpoint');
  const at = interfaceFor(setup, address);
  if (at === undefined) return noNetwork('kubernetes.endpoint.address', address);
  // The package of earlier versions has an HAProxy that knows no times for it.
  const keepAlive = ['2.7.0', '2.7.2', '2.8'].includes(setup.line) ? 'quick' : 'usual';
  return [
    virtualIpEntry(mark, at.name, address),
    backEndEntry(mark, {
      name,
      servers: machines.map((machine) => ({ name: machine.name, address: machine.address, port })),
      // Control planes without KVM take many seconds to answer while a neighbour boots, and each answer costs them.
      check: {
        kind: 'http',
        method: 'GET',
        path: '/readyz',
        isTls: true,
        intervalMs: slow ? 5_000 : 1_000,
        timeoutMs: 15_000,
      },
      idleTimeoutMs: dayMs,
      isAlert: true,
      keepAlive,
    }),
    frontEndEntry(mark, {
      name,
      address: { kind: 'one', address },
      port,
      routing: { kind: 'tcp', backEnd: name },
      idleTimeoutMs: dayMs,
      whenDown: 'refusal',
      keepAlive,
    }),
  ];
}

function noNetwork(what: string, address: string): string {
  return `${what}, ${address}, is in no network of the router`;
}

/** What gives a sentence in place of entries is a problem. */
function collect<Item>(items: readonly Item[], entriesFor: (item: Item) => readonly OwnedEntry[] | string): LabEntries {
  const made = items.map(entriesFor);
  return {
    entries: made.flatMap((each) => (typeof each === 'string' ? [] : each)),
    problems: made.filter((each) => typeof each === 'string'),
  };
}
