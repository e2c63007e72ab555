// Why a VM does not run and whether its disk is there: what healing asks before it starts or replaces anything. Reads only.
import type { HostName, LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { DiskCondition, MachineCondition } from '@labwright/core/facts/machines';
import type { VmFacts } from '@labwright/core/facts/hypervisors';
import { permissionsCall } from './calls/access.ts';
import { disksCall, storageStatusCall } from './calls/cluster.ts';
import { tasksCall } from './calls/task.ts';
import type { ProxmoxConnection } from './connection.ts';
import { fetchRunningTasks, fetchVmConfig } from './find-vm.ts';
import { findForeignReason } from './mark.ts';
import { isConsole } from './upid.ts';

export interface ConditionOptions {
  readonly lab: LabId;
  /** Hosts of which a person or a power meter says that they are off. */
  readonly hostsOff: ReadonlySet<HostName>;
  readonly signal: AbortSignal;
}

/** Tasks that end with a VM that does not run because somebody wanted it so. */
const stopping = new Set(['qmshutdown', 'qmstop', 'qmsuspend', 'qmpause', 'qmrollback', 'qmdestroy']);
/** Tasks that end with a VM that runs, or that is new and has not run yet. A migration leaves it as it was. */
const starting = new Set(['qmstart', 'qmreboot', 'qmreset', 'qmresume', 'qmrestore', 'qmcreate']);

export async function fetchVmCondition(
  connection: ProxmoxConnection,
  vm: VmFacts | undefined,
  options: ConditionOptions,
): Promise<MachineCondition> {
  if (vm === undefined) return { kind: 'absent' };
  const { config, host, vmId } = vm;
  if (vm.status === 'unknown') {
    return { kind: 'unreachable', host, power: options.hostsOff.has(host) ? 'off' : 'unknown' };
  }
  // Every VM that was asked for has its configuration when its host answers.
  if (config === undefined) return { kind: 'untouchable', why: `its VM ID ${vmId} is a container's` };
  const foreign = findForeignReason({ vmId, tags: vm.tags, description: config.description }, options.lab);
  if (foreign !== undefined) return { kind: 'untouchable', why: foreign };
  if (config.lock !== undefined) return { kind: 'untouchable', why: `Proxmox holds its lock "${config.lock}"` };
  const place = { node: host, vmid: vmId };
  const tasks = await fetchRunningTasks(connection, place, options.signal);
  const busy = tasks.find((task) => !isConsole(task));
  if (busy !== undefined) return { kind: 'untouchable', why: `the task ${busy.type} runs on it` };
  const disk = await fetchDiskCondition(connection, vm, options.signal);
  if (vm.status === 'running') return { kind: 'running', disk };
  return { kind: 'stopped', by: await fetchStopper(connection, vm, options.signal), disk };
}

const tasksAtOnce = 50;

/** The newest task that started or stopped it, however much was done to it since. Without any it stopped by itself. */
async function fetchStopper(
  connection: ProxmoxConnection,
  { host, vmId }: VmFacts,
  signal: AbortSignal,
): Promise<'itself' | 'somebody'> {
  for (let start = 0; ; start += tasksAtOnce) {
    const rows = await connection.request(tasksCall(host, vmId, { start, limit: tasksAtOnce }), { signal });
    // A stop that failed stopped nothing, and a start that failed started nothing: both leave it to the one before.
    const last = rows.find(
      ({ type, status }) => /^(OK|WARNINGS)/.test(status ?? '') && (stopping.has(type) || starting.has(type)),
    );
    if (last !== undefined) return stopping.has(last.type) ? 'somebody' : 'itself';
    if (rows.length < tasksAtOnce) return 'itself';
  }
}

/** `gone` is acted upon by replacing a machine: it takes a storage that shows its disks, to a login that would see this one. */
async function fetchDiskCondition(
  connection: ProxmoxConnection,
  { host, vmId }: VmFacts,
  signal: AbortSignal,
): Promise<DiskCondition> {
  const { volume, storage } = await fetchVmConfig(connection, host, vmId, signal);
  // Somebody detached it, and has it perhaps.
  if (volume === undefined || storage === undefined) return 'unknown';
  try {
    const rows = await connection.request(disksCall(host, storage, vmId), { signal });
    if (rows.some(({ volid }) => volid === volume)) return 'there';
    const isConclusive =
      (await showsDisks(connection, host, storage, signal)) &&
      (await maySeeDisks(connection, storage, vmId, signal)) &&
      // Somebody may have moved it to another storage while we looked.
      (await fetchVmConfig(connection, host, vmId, signal)).volume === volume;
    return isConclusive ? 'gone' : 'unknown';
  } catch (error) {
    // A storage that is off (a NAS, say) hides its disks and has them all the same; so does one we may not look into.
    if (error instanceof LabwrightError && (error.code === 'LW2004' || error.code === 'LW2003')) return 'unknown';
    throw error;
  }
}

/** A volume group that is away, or a storage that is no longer for images, answers with an empty list and no error (8.4, 9.x). */
async function showsDisks(
  connection: ProxmoxConnection,
  host: HostName,
  storage: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { active, content } = await connection.request(storageStatusCall(host, storage), { signal });
  return active && content.split(',').includes('images');
}

/** Proxmox leaves a disk out of its list, without a word, for who lacks these (PVE::Storage::check_volume_access, 8.4 and 9.x). */
async function maySeeDisks(
  connection: ProxmoxConnection,
  storage: string,
  vmId: number,
  signal: AbortSignal,
): Promise<boolean> {
  const [ofStorage, ofVm] = [`/storage/${storage}`, `/vms/${vmId}`];
  const [onStorage, onVm] = await Promise.all(
    [ofStorage, ofVm].map(async (path) => (await connection.request(permissionsCall(path), { signal }))[path]),
  );
  if (onStorage?.['Datastore.Allocate'] !== undefined) return true;
  return onStorage?.['Datastore.Audit'] !== undefined && onVm?.['VM.Config.Disk'] !== undefined;
}
