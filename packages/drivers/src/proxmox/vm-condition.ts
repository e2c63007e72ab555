// Why a VM does not run and whether its disk is there: what healing asks before it starts or replaces anything. Reads only.
import type { HostName, LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { DiskCondition, MachineCondition } from '@labwright/core/facts/machines';
import type { VmFacts } from '@labwright/core/facts/hypervisors';
import { disksCall } from './calls/cluster.ts';
import { endedTasksCall } from './calls/task.ts';
import type { ProxmoxConnection } from './connection.ts';
import { fetchRunningTasks, fetchVmConfig } from './find-vm.ts';
import { findForeignReason } from './mark.ts';

export interface ConditionOptions {
  readonly lab: LabId;
  /** Hosts of which a person or a power meter says that they are off. */
  readonly hostsOff: ReadonlySet<HostName>;
  readonly signal: AbortSignal;
}

/** Enough to reach past backups and changes of configuration to the last start or stop. */
const tasksToRead = 30;

/** Tasks that end with a VM that does not run because somebody wanted it so. */
const stopping = new Set(['qmshutdown', 'qmstop', 'qmsuspend', 'qmpause', 'qmdestroy']);
/** Tasks that end with a VM that runs, or that is new and has not run yet. */
const starting = new Set(['qmstart', 'qmreboot', 'qmreset', 'qmresume', 'qmrestore', 'qmcreate', 'qmigrate']);

export async function fetchVmCondition(
  connection: ProxmoxConnection,
  vm: VmFacts | undefined,
  options: ConditionOptions,
): Promise<MachineCondition> {
  if (vm === undefined) return { kind: 'absent' };
  const { config, host, vmId } = vm;
  if (config === undefined || vm.status === 'unknown') {
    return { kind: 'unreachable', host, power: options.hostsOff.has(host) ? 'off' : 'unknown' };
  }
  const foreign = findForeignReason({ vmId, tags: vm.tags, description: config.description }, options.lab);
  if (foreign !== undefined) return { kind: 'untouchable', why: foreign };
  if (config.lock !== undefined) return { kind: 'untouchable', why: `Proxmox holds its lock "${config.lock}"` };
  const place = { node: host, vmid: vmId };
  const [running] = await fetchRunningTasks(connection, place, options.signal);
  if (running !== undefined) return { kind: 'untouchable', why: `the task ${running.text} runs on it` };
  const disk = await fetchDiskCondition(connection, vm, options.signal);
  if (vm.status === 'running') return { kind: 'running', disk };
  return { kind: 'stopped', by: await fetchStopper(connection, vm, options.signal), disk };
}

/** The newest task that started or stopped it. Without any it stopped by itself: Proxmox keeps thousands of them. */
async function fetchStopper(
  connection: ProxmoxConnection,
  { host, vmId }: VmFacts,
  signal: AbortSignal,
): Promise<'itself' | 'somebody'> {
  const rows = await connection.request(endedTasksCall(host, vmId, tasksToRead), { signal });
  // A stop that failed stopped nothing, and a start that failed started nothing: both leave it to the one before.
  const last = rows.find(
    ({ type, status }) => /^(OK|WARNINGS)/.test(status ?? '') && (stopping.has(type) || starting.has(type)),
  );
  return last !== undefined && stopping.has(last.type) ? 'somebody' : 'itself';
}

async function fetchDiskCondition(
  connection: ProxmoxConnection,
  { host, vmId }: VmFacts,
  signal: AbortSignal,
): Promise<DiskCondition> {
  const { volume, storage } = await fetchVmConfig(connection, host, vmId, signal);
  if (volume === undefined || storage === undefined) return 'gone';
  try {
    const rows = await connection.request(disksCall(host, storage, vmId), { signal });
    return rows.some(({ volid }) => volid === volume) ? 'there' : 'gone';
  } catch (error) {
    // A storage that is off (a NAS, say) hides its disks and has them all the same.
    if (error instanceof LabwrightError && error.code === 'LW2004') return 'unknown';
    throw error;
  }
}
