// The storages of a host: how much room they have, and which queue work on one belongs into.
import { disksCall, storagesCall } from './calls/cluster.ts';
import type { ProxmoxConnection } from './connection.ts';
import type { OwnVm } from './find-vm.ts';

export interface Storage {
  readonly name: string;
  /** lvmthin, zfspool, dir, nfs, … */
  readonly type: string;
  /** One storage for all hosts that have it (NFS, Ceph), rather than one of the same name on each. */
  readonly shared: boolean;
  /** Set up and reachable from this host now. */
  readonly active: boolean;
  /** Whether disks of VMs may be on it. */
  readonly holdsDisks: boolean;
  readonly totalGiB: number;
  readonly freeGiB: number;
}

/** Those of one host that the login may see. */
async function fetchStorages(
  connection: ProxmoxConnection,
  host: string,
  signal: AbortSignal,
): Promise<readonly Storage[]> {
  const rows = await connection.request(storagesCall(host), { signal });
  return rows.map((row) => ({
    name: row.storage,
    type: row.type,
    shared: row.shared ?? false,
    active: row.active ?? false,
    holdsDisks: row.content.split(',').includes('images'),
    totalGiB: (row.total ?? 0) / 1024 ** 3,
    freeGiB: (row.avail ?? 0) / 1024 ** 3,
  }));
}

/** Whether the VM's firmware starts with what it knew: false when that was on a disk that is gone. BIOS keeps nothing. */
export async function hasFirmwareVariables(
  connection: ProxmoxConnection,
  { node, vmid, config }: OwnVm,
  signal: AbortSignal,
): Promise<boolean> {
  const volume = config.firmwareVolume;
  if (volume === undefined) return config.firmware === 'bios';
  const [storage = ''] = volume.split(':');
  const rows = await connection.request(disksCall(node, storage, vmid), { signal });
  return rows.some(({ volid }) => volid === volume);
}

const sharing = new WeakMap<ProxmoxConnection, Map<string, boolean>>();

/**
 * Proxmox locks a storage on each host, a shared one in the cluster; work beyond the first waits for that lock, 1 s in
 * a creation, so ours waits here instead. Whether a storage is shared is asked once a connection.
 */
export async function storageQueue(
  connection: ProxmoxConnection,
  host: string,
  storage: string,
  signal: AbortSignal,
): Promise<string> {
  const known = sharing.get(connection) ?? new Map<string, boolean>();
  sharing.set(connection, known);
  if (!known.has(`${host}/${storage}`)) {
    for (const { name, shared } of await fetchStorages(connection, host, signal)) known.set(`${host}/${name}`, shared);
  }
  return known.get(`${host}/${storage}`) === false ? `storage/${host}/${storage}` : `storage/${storage}`;
}
