// Finding a VM by its number, wherever it runs: the host is placement, not identity.
import type { LabId, VmId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { type GuestRow, guestsCall } from './calls/cluster.ts';
import { runningTasksCall } from './calls/task.ts';
import { vmConfigCall } from './calls/vm.ts';
import type { ProxmoxConnection } from './connection.ts';
import { notOurs } from './mark.ts';
import { type Upid, parseUpid } from './upid.ts';
import { type VmConfig, parseVmConfig } from './vm-config.ts';

/** A VM that carries our mark, as it was a moment ago. */
export interface OwnVm {
  readonly vmid: VmId;
  readonly node: string;
  readonly config: VmConfig;
}

/** The guest (VM or container) with this number, or undefined when the number is free. */
export async function fetchGuest(
  connection: ProxmoxConnection,
  vmId: VmId,
  signal: AbortSignal,
): Promise<GuestRow | undefined> {
  const guests = await connection.request(guestsCall(), { signal });
  return guests.find((guest) => guest.vmid === vmId);
}

export async function fetchVmConfig(
  connection: ProxmoxConnection,
  node: string,
  vmid: VmId,
  signal: AbortSignal,
): Promise<VmConfig> {
  return parseVmConfig(await connection.request(vmConfigCall({ node, vmid }), { signal }));
}

/** The VM if it is ours, undefined if the number is free. Throws LW2008 for anything else that has the number. */
export async function fetchOwnVm(
  connection: ProxmoxConnection,
  target: { readonly vmId: VmId; readonly lab: LabId },
  signal: AbortSignal,
): Promise<OwnVm | undefined> {
  const guest = await fetchGuest(connection, target.vmId, signal);
  if (guest === undefined) return undefined;
  if (guest.type === 'lxc') throw isContainer(target.vmId, guest.node, target.lab);
  let config: VmConfig;
  try {
    config = await fetchVmConfig(connection, guest.node, target.vmId, signal);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  const foreign = notOurs({ ...config, vmId: target.vmId, host: guest.node }, target.lab);
  if (foreign !== undefined) throw foreign;
  return { vmid: target.vmId, node: guest.node, config };
}

/** The list still had it, its host has not: it was removed or moved in between. Proxmox says so with a 500. */
export function isGone(error: unknown): boolean {
  return (
    error instanceof LabwrightError &&
    error.code === 'LW2004' &&
    /Configuration file '.*' does not exist/i.test(error.why ?? '')
  );
}

function isContainer(vmId: VmId, host: string, lab: LabId): LabwrightError {
  return new LabwrightError('LW2008', {
    what: `number ${vmId} on host ${host} is a container, not a machine of the lab "${lab}", so it is left as it is`,
    where: { host, vm: String(vmId) },
    why: 'VMs and containers share one range of numbers',
    fix: ['give the pool another first VM ID in the lab file (pools.NAME.firstVmId)'],
  });
}

/** Tasks that run on a VM now, oldest first: ours of before a crash, or somebody's at the hosts' own page. */
export async function fetchRunningTasks(
  connection: ProxmoxConnection,
  vm: { readonly node: string; readonly vmid: VmId },
  signal: AbortSignal,
): Promise<readonly Upid[]> {
  const rows = await connection.request(runningTasksCall(vm.node, vm.vmid), { signal });
  // The list of active tasks keeps some that have just ended; those have their result as status.
  const running = rows.filter(({ status }) => status === undefined || /^running$/i.test(status));
  return running.flatMap((row) => parseUpid(row.upid) ?? []).toReversed();
}
