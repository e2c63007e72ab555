// Whether the hosts can hold what the pools ask for, by the file alone: what runs there already is the plan's concern.
import type { Problem } from '../diagnostic.ts';
import type { Lab, LabHost, LabPool } from '../lab-schema.ts';

interface NamedHost {
  readonly name: string;
  readonly host: LabHost;
}

interface Demand {
  readonly name: string;
  readonly pool: LabPool;
  /** Hosts of the file it may use, those in maintenance left out. */
  readonly hosts: readonly NamedHost[];
}

export function checkCapacity(lab: Lab): Problem[] {
  if (Object.keys(lab.hosts).length === 0) return [noHost];
  const demands = Object.entries(lab.pools)
    .filter(([, pool]) => pool.count > 0)
    .map(([name, pool]) => ({ name, pool, hosts: hostsFor(lab, pool).filter(({ host }) => !host.maintenance) }));
  const alone = demands.map((demand) => checkPool(lab, demand));
  // A pool that fails alone would fail every sum as well.
  if (alone.some((problems) => problems.length > 0)) return alone.flat();
  // Nor is there a sum for one whose hosts are all names that the file does not have.
  return checkSums(demands.filter(({ hosts }) => hosts.length > 0));
}

const noHost: Problem = {
  path: ['hosts'],
  part: 'key',
  message: 'there is no host',
  fix: 'add one, like pve1: {address: 10.1.0.11, cores: 12, memory: 24GiB}',
};

function hostsFor(lab: Lab, pool: LabPool): NamedHost[] {
  const names = new Set(pool.hosts ?? Object.keys(lab.hosts));
  return Object.entries(lab.hosts).flatMap(([name, host]) => (names.has(name) ? [{ name, host }] : []));
}

function checkPool(lab: Lab, { name, pool, hosts }: Demand): Problem[] {
  const path = ['pools', name];
  const paused = hostsFor(lab, pool).filter(({ host }) => host.maintenance);
  const related = paused.map((host) => ({
    path: ['hosts', host.name, 'maintenance'],
    message: `${host.name} is in maintenance`,
  }));
  const names = hosts.map((host) => host.name).join(', ');
  if (hosts.length === 0) {
    // Names that are not in the file are a finding of their own.
    if (paused.length === 0) return [];
    const message = `pool ${name} has no host to run on: all it may use are in maintenance`;
    const fix = 'end the maintenance of one, or allow other hosts';
    return [{ path: [...path, 'hosts'], part: 'key', message, fix, related }];
  }
  const slots = hosts.map(({ host }) => slotsOf(host, pool));
  if (slots.every((count) => count === 0)) return [tooLarge(path, name, pool, hosts)];
  if (pool.spread === 'host' && pool.count > hosts.length) {
    return [
      {
        path: [...path, 'spread'],
        message: `the ${pool.count} machines of pool ${name} cannot be spread over ${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'}`,
        label: `needs ${pool.count}; there ${hosts.length === 1 ? 'is' : 'are'} ${names}`,
        fix: `${paused.length > 0 ? 'end the maintenance, lower the count' : 'lower the count'}, or set spread: even`,
        related,
      },
    ];
  }
  const room = slots.reduce((sum, count) => sum + (pool.spread === 'host' ? Math.min(count, 1) : count), 0);
  if (room >= pool.count) return [];
  return [
    {
      path: [...path, 'count'],
      part: 'key',
      message: `the ${pool.count} machines of pool ${name} do not fit on ${names}: there is room for ${room}`,
      label: `each needs ${needOf(pool)}`,
      fix: 'lower the count, make the machines smaller, or allow more hosts',
      related,
    },
  ];
}

function tooLarge(path: readonly string[], name: string, pool: LabPool, hosts: readonly NamedHost[]): Problem {
  const cores = Math.max(...hosts.map(({ host }) => host.cores));
  const memory = Math.max(...hosts.map(({ host }) => host.memory));
  const short = pool.cores > cores ? 'cores' : 'memory';
  const largest = short === 'cores' ? `${cores} cores` : formatMemory(memory);
  return {
    path: [...path, short],
    part: 'key',
    message: `a machine of pool ${name} is larger than every host it may use`,
    label: `needs ${needOf(pool)}; the largest host has ${largest}`,
    fix: `lower ${short}, or allow a larger host`,
  };
}

function slotsOf(host: LabHost, pool: LabPool): number {
  return Math.min(Math.floor(host.cores / pool.cores), Math.floor(host.memory / pool.memory));
}

/** Pools that may only use a set of hosts must fit that set together; so must all pools on all hosts. */
function checkSums(demands: readonly Demand[]): Problem[] {
  const groups = new Map<string, readonly NamedHost[]>();
  for (const { hosts } of demands) groups.set(hosts.map(({ name }) => name).join(', '), hosts);
  const problems: Problem[] = [];
  for (const [names, hosts] of [...groups].toSorted(([, one], [, other]) => one.length - other.length)) {
    const allowed = new Set(hosts.map(({ name }) => name));
    const pinned = demands.filter((demand) => demand.hosts.every(({ name }) => allowed.has(name)));
    // One pool alone was looked at machine by machine.
    const [last] = pinned.slice(-1);
    if (pinned.length < 2 || last === undefined) continue;
    const memory = total(pinned, ({ pool }) => pool.count * pool.memory);
    const cores = total(pinned, ({ pool }) => pool.count * pool.cores);
    const hostMemory = total(hosts, ({ host }) => host.memory);
    const hostCores = total(hosts, ({ host }) => host.cores);
    if (memory <= hostMemory && cores <= hostCores) continue;
    const short =
      memory > hostMemory
        ? `${formatMemory(memory)} of ${formatMemory(hostMemory)} memory`
        : `${cores} of ${hostCores} cores`;
    problems.push({
      path: ['pools', last.name],
      part: 'key',
      message: `pools ${pinned.map(({ name }) => name).join(', ')} together do not fit on ${names}`,
      label: `they need ${short}`,
      fix: 'lower a count, make machines smaller, or allow more hosts',
      related: pinned.slice(0, -1).map(({ name, pool }) => ({
        path: ['pools', name],
        part: 'key',
        message: `pool ${name}: ${pool.count} machines of ${needOf(pool)}`,
      })),
    });
    // Larger sets contain this one: their sums would only repeat it.
    break;
  }
  return problems;
}

function total<Value>(values: readonly Value[], amount: (value: Value) => number): number {
  return values.reduce((sum, value) => sum + amount(value), 0);
}

function needOf(pool: LabPool): string {
  return `${pool.cores} ${pool.cores === 1 ? 'core' : 'cores'} and ${formatMemory(pool.memory)}`;
}

function formatMemory(memoryMiB: number): string {
  return memoryMiB % 1024 === 0 ? `${memoryMiB / 1024} GiB` : `${memoryMiB} MiB`;
}
