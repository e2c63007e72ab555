// Calls about the cluster and its hosts.
import { z } from 'zod';
import { type ProxmoxCall, proxmoxCall } from '../call.ts';
import { looseBoolean, looseNumber, tagList } from '../reading.ts';

const version = z.object({ version: z.string(), release: z.string() });
export type ProxmoxVersion = z.infer<typeof version>;

/** Of the host that answers. */
export function versionCall(): ProxmoxCall<ProxmoxVersion> {
  return proxmoxCall('GET', '/version', version);
}

const statusRow = z.discriminatedUnion('type', [
  z.object({ type: z.literal('cluster'), name: z.string(), quorate: looseBoolean }),
  z.object({ type: z.literal('node'), name: z.string(), ip: z.string().optional(), online: looseBoolean.optional() }),
]);
export type ClusterStatusRow = z.infer<typeof statusRow>;

/** A host alone, outside any cluster, answers no cluster row. Needs Sys.Audit on /. */
export function clusterStatusCall(): ProxmoxCall<ClusterStatusRow[]> {
  return proxmoxCall('GET', '/cluster/status', z.array(statusRow));
}

const guestRow = z.object({
  type: z.enum(['qemu', 'lxc']),
  vmid: looseNumber,
  node: z.string(),
  name: z.string().optional(),
  status: z.string().optional(),
  maxcpu: looseNumber.optional(),
  maxmem: looseNumber.optional(),
  lock: z.string().optional(),
  tags: tagList,
});
export type GuestRow = z.infer<typeof guestRow>;

/**
 * Every guest of the cluster the login may see. Which there are, their host, lock and tags are as of now;
 * name and status are up to 10 s old, and a new guest has no name and the status "unknown" at first.
 */
export function guestsCall(): ProxmoxCall<GuestRow[]> {
  return proxmoxCall('GET', '/cluster/resources', z.array(guestRow), { parameters: { type: 'vm' } });
}

const hostRow = z.object({
  node: z.string(),
  status: z.string().optional(),
  maxcpu: looseNumber.optional(),
  maxmem: looseNumber.optional(),
  mem: looseNumber.optional(),
});
export type HostRow = z.infer<typeof hostRow>;

export function hostsCall(): ProxmoxCall<HostRow[]> {
  return proxmoxCall('GET', '/nodes', z.array(hostRow));
}

const hostStatus = z.object({
  /** "pve-manager/9.0.3/025864202ebb6109" */
  pveversion: z.string(),
  cpuinfo: z.object({ cpus: looseNumber }),
  memory: z.object({ total: looseNumber, used: looseNumber }),
});
export type HostStatus = z.infer<typeof hostStatus>;

export function hostStatusCall(node: string): ProxmoxCall<HostStatus> {
  return proxmoxCall('GET', '/nodes/{node}/status', hostStatus, { path: { node } });
}

const storageRow = z.object({
  storage: z.string(),
  type: z.string(),
  content: z.string().default(''),
  shared: looseBoolean.optional(),
  active: looseBoolean.optional(),
  enabled: looseBoolean.optional(),
  total: looseNumber.optional(),
  used: looseNumber.optional(),
  avail: looseNumber.optional(),
});
export type StorageRow = z.infer<typeof storageRow>;

/** Those the login has a Datastore privilege on. */
export function storagesCall(node: string): ProxmoxCall<StorageRow[]> {
  return proxmoxCall('GET', '/nodes/{node}/storage', z.array(storageRow), { path: { node } });
}

const storageStatus = z.object({ active: looseBoolean.default(false), content: z.string().default('') });

/** One storage as a node sees it now. Not active: it cannot be read, whatever its lists say. */
export function storageStatusCall(node: string, storage: string): ProxmoxCall<z.infer<typeof storageStatus>> {
  return proxmoxCall('GET', '/nodes/{node}/storage/{storage}/status', storageStatus, { path: { node, storage } });
}

const volumeRow = z.object({ volid: z.string() });

/**
 * Disks of one VM on a storage. Left out without a word: those the login may not see (it takes Datastore.Audit on the storage
 * and VM.Config.Disk on the VM, or Datastore.Allocate on the storage), and all of them on a storage that is not for images.
 */
export function disksCall(node: string, storage: string, vmid: number): ProxmoxCall<z.infer<typeof volumeRow>[]> {
  return proxmoxCall('GET', '/nodes/{node}/storage/{storage}/content', z.array(volumeRow), {
    path: { node, storage },
    parameters: { content: 'images', vmid },
  });
}
