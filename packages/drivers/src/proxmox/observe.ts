// What is on the hypervisors now, as facts for the planners. Reads only.
import { type HostName, type LabId, type VmId, parseHostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { HostFacts, HypervisorFacts, VmConfigFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import {
  type GuestRow,
  type HostRow,
  clusterStatusCall,
  guestsCall,
  hostStatusCall,
  hostsCall,
} from './calls/cluster.ts';
import { vmStatusCall } from './calls/vm.ts';
import type { ProxmoxConnection } from './connection.ts';
import { fetchVmConfig, isGone } from './find-vm.ts';
import { formatTags } from './mark.ts';
import { inParallel } from './parallel.ts';

export interface ObserveOptions {
  /** Of guests that have this lab's tag the configuration is read as well, so that a machine taken out of the file is seen. */
  readonly lab: LabId;
  /** VM IDs of the lab: of these the configuration is read, and the status from their host. */
  readonly vmIds: readonly VmId[];
  readonly signal: AbortSignal;
}

/** pveproxy has three workers a host, and one host answers for all. */
const parallelReads = 3;

/**
 * A host that is down is a fact (online: false, its guests "unknown", their VM IDs still taken), not an error. Throws as
 * request does when no host answers or the login lacks Sys.Audit.
 */
export async function observeHypervisors(
  connection: ProxmoxConnection,
  options: ObserveOptions,
): Promise<HypervisorFacts> {
  const { signal } = options;
  const asOf = connection.clock.now();
  const [status, hostRows, guests] = await Promise.all([
    connection.request(clusterStatusCall(), { signal }),
    connection.request(hostsCall(), { signal }),
    connection.request(guestsCall(), { signal }),
  ]);
  const online = new Set(status.flatMap((row) => (row.type === 'node' && row.online !== false ? row.name : [])));
  const hosts = await inParallel(
    hostRows,
    parallelReads,
    async (row) => await observeHost(connection, row, online, signal),
  );
  // A host may have gone down between the two looks; what it answered by then counts.
  const reachable = new Set(hosts.flatMap((host) => (host.facts.online ? host.node : [])));
  const vmIds = new Set<number>(options.vmIds);
  const tags = formatTags(options.lab);
  const isWanted = (guest: GuestRow): boolean => vmIds.has(guest.vmid) || tags.every((tag) => guest.tags.includes(tag));
  const vms = await inParallel(guests, parallelReads, async (guest) =>
    isWanted(guest) && guest.type === 'qemu' && reachable.has(guest.node)
      ? await observeVm(connection, guest, signal)
      : listedVm(guest, reachable),
  );
  return { asOf, hosts: hosts.map((host) => host.facts), vms };
}

interface ObservedHost {
  /** As Proxmox spells it. */
  readonly node: string;
  readonly facts: HostFacts;
}

async function observeHost(
  connection: ProxmoxConnection,
  row: HostRow,
  online: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ObservedHost> {
  const down: ObservedHost = {
    node: row.node,
    facts: {
      name: factName(row.node),
      online: false,
      version: '',
      cores: row.maxcpu ?? 0,
      memoryMiB: toMiB(row.maxmem ?? 0),
      memoryUsedMiB: 0,
    },
  };
  if (!online.has(row.node)) return down;
  const answer = await ifThere(connection.request(hostStatusCall(row.node), { signal, tries: 2 }));
  if (answer === undefined) {
    connection.log.warn('a Proxmox host counts as online but does not answer', { host: row.node });
    return down;
  }
  return {
    node: row.node,
    facts: {
      name: factName(row.node),
      online: true,
      version: answer.pveversion.split('/')[1] ?? answer.pveversion,
      cores: answer.cpuinfo.cpus,
      memoryMiB: toMiB(answer.memory.total),
      memoryUsedMiB: toMiB(answer.memory.used),
    },
  };
}

/** Configuration and status from the VM's host; what the list tells when the VM left that host while we looked. */
async function observeVm(connection: ProxmoxConnection, guest: GuestRow, signal: AbortSignal): Promise<VmFacts> {
  const vmid = guest.vmid as VmId;
  const seen = await ifThere(
    Promise.all([
      fetchVmConfig(connection, guest.node, vmid, signal),
      connection.request(vmStatusCall({ node: guest.node, vmid }), { signal, tries: 2 }),
    ]),
  );
  if (seen === undefined) return listedVm(guest, new Set());
  const [config, { status, cpus, maxmem }] = seen;
  const facts: VmConfigFacts = {
    description: config.description,
    cores: config.cores,
    memoryMiB: config.memoryMiB,
    diskGiB: config.diskGiB,
    macs: config.macs,
    firmware: config.firmware,
    bootFirst: config.bootFirst,
    ...(config.lock === undefined ? {} : { lock: config.lock }),
  };
  const { name, tags } = config;
  // As it runs: a change of cores or memory is in the configuration at once and in force from the next start.
  const cores = cpus ?? config.cores;
  const memoryMiB = maxmem === undefined ? config.memoryMiB : toMiB(maxmem);
  return { vmId: vmid, host: factName(guest.node), name, status, cores, memoryMiB, tags, config: facts };
}

/** What the list alone tells. Its status is up to 10 s old, and worth nothing on a host that is down. */
function listedVm(guest: GuestRow, reachable: ReadonlySet<string>): VmFacts {
  const known = guest.status === 'running' || guest.status === 'stopped' ? guest.status : 'unknown';
  return {
    vmId: guest.vmid as VmId,
    host: factName(guest.node),
    name: guest.name ?? '',
    status: reachable.has(guest.node) ? known : 'unknown',
    cores: guest.maxcpu ?? 0,
    memoryMiB: toMiB(guest.maxmem ?? 0),
    tags: guest.tags,
  };
}

/** undefined when the host behind the answering one was not reached (LW2001) or the VM is not there; the rest is thrown on. */
async function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof LabwrightError && (error.code === 'LW2001' || isGone(error))) return undefined;
    throw error;
  }
}

const toMiB = (bytes: number): number => Math.floor(bytes / 1024 ** 2);

/** Proxmox allows capitals in a host's name; in facts, as in DNS, they make no difference. */
const factName = (node: string): HostName => parseHostName(node.toLowerCase()) ?? (node as HostName);
