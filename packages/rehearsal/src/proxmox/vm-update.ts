// Changing a VM's configuration: all checks first, then [PENDING], then whatever can be applied at once.
import { parameterError, refusal } from './error.ts';
import { vmLockPath } from './lock.ts';
import type { Caller, NodeContext } from './node-context.ts';
import { splitList } from './property-formats.ts';
import { formatDiskSize } from './property-string.ts';
import { makeVmConfig, type VmConfig, type VmValues } from './vm-config-file.ts';
import {
  checkBootOrder,
  checkDiskAccess,
  createDisks,
  formatDrive,
  getDiskBytes,
  isCdrom,
  parseDrive,
} from './vm-disk.ts';
import { getVmOption, isDriveName } from './vm-options.ts';
import { applyLive, applyPending } from './vm-pending.ts';
import { checkOptionPermissions, checkValuePermissions } from './vm-permission.ts';
import { checkLock, isRunning } from './vm-power.ts';
import { normaliseValues } from './vm-values.ts';
import { getMemoryMiB } from './vm-status.ts';

export interface UpdateRequest {
  readonly vmId: number;
  readonly values: VmValues;
  readonly delete: readonly string[];
  readonly revert: readonly string[];
  readonly digest?: string;
  readonly isForced: boolean;
  readonly isLockSkipped: boolean;
}

const lockSeconds = 10;

/** What must hold before anything is written; throws the refusals that a client gets at once. */
export function checkUpdate(context: NodeContext, caller: Caller, request: UpdateRequest): void {
  const { vmId, values } = request;
  if (request.delete.length + request.revert.length + Object.keys(values).length === 0)
    throw refusal('no options specified');
  for (const name of request.revert) {
    if (getVmOption(name) === undefined) throw parameterError({ revert: `unknown option '${name}'` });
    if (values[name] !== undefined)
      throw parameterError({ delete: `you can't use '-${name}' and -revert ${name}' at the same time` });
  }
  for (const name of request.delete) {
    if (values[name] !== undefined)
      throw parameterError({ delete: `you can't use '-${name}' and -delete ${name}' at the same time` });
    if (request.revert.includes(name))
      throw parameterError({ revert: `you can't use '-delete ${name}' and -revert ${name}' at the same time` });
    if (getVmOption(name) === undefined) throw parameterError({ delete: `unknown option '${name}'` });
  }
  checkOptionPermissions(caller, vmId, request.delete);
  checkOptionPermissions(caller, vmId, Object.keys(values));
  checkDiskAccess(context, caller, vmId, values);
  checkValuePermissions(caller, values);
}

export async function updateVm(
  context: NodeContext,
  request: UpdateRequest,
  report: (line: string) => void,
  warn: (text: string) => void,
): Promise<void> {
  const { vmId } = request;
  const node = context.host.name;
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    const { config, digest } = await context.files.readVm(node, vmId);
    if (request.digest !== undefined && request.digest !== digest)
      throw refusal('checksum mismatch (file change by other user?)');
    checkLock(config, request.isLockSkipped);
    const next = copyConfig(config);
    const wanted = normaliseValues(request.values);
    checkBalloon({ ...config.values, ...config.pending, ...wanted }, request.values);
    for (const name of request.delete) markDeleted(next, name, request.isForced, warn);
    for (const name of request.revert) {
      delete next.pending[name];
      delete next.pendingDelete[name];
    }
    if (wanted['boot'] !== undefined) {
      const after = { ...config.values, ...config.pending, ...wanted };
      for (const name of request.delete) delete after[name];
      checkBootOrder(after);
    }
    const disks = await createDisks(context, vmId, wanted, report);
    for (const [name, value] of Object.entries({ ...wanted, ...disks.values })) {
      delete next.pendingDelete[name];
      if (config.values[name] === value) delete next.pending[name];
      else next.pending[name] = value;
    }
    const finish = (await isRunning(context, vmId)) ? applyLive : applyPending;
    await finish(context, vmId, next);
  });
}

function copyConfig(config: VmConfig): VmConfig {
  const copy = makeVmConfig({ ...config.values });
  Object.assign(copy.pending, config.pending);
  Object.assign(copy.pendingDelete, config.pendingDelete);
  Object.assign(copy.snapshots, config.snapshots);
  return copy;
}

function markDeleted(next: VmConfig, name: string, isForced: boolean, warn: (text: string) => void): void {
  if (next.values[name] === undefined && next.pending[name] === undefined) {
    warn(`cannot delete '${name}' - not set in current configuration!`);
    return;
  }
  if (isDriveName(name) && next.values['protection'] === '1')
    throw refusal(`can't remove drive '${name}' - protection mode enabled`);
  delete next.pending[name];
  const order = /(?:^|,)order=([^,]*)/.exec(next.values['boot'] ?? '')?.[1]?.split(';') ?? [];
  if (order.includes(name)) next.pending['boot'] = `order=${order.filter((device) => device !== name).join(';')}`;
  if (next.values[name] !== undefined) next.pendingDelete[name] = { force: isForced };
}

function checkBalloon(after: VmValues, changed: VmValues): void {
  if (changed['memory'] === undefined && changed['balloon'] === undefined) return;
  if (Number(after['balloon'] ?? 0) > getMemoryMiB(after))
    throw refusal('balloon value too large (must be smaller than assigned memory)');
}

export interface ResizeRequest {
  readonly vmId: number;
  readonly disk: string;
  /** "+5G" or "40G". */
  readonly size: string;
  readonly digest?: string;
  readonly isLockSkipped: boolean;
}

export async function resizeDisk(context: NodeContext, request: ResizeRequest): Promise<void> {
  const { vmId, disk } = request;
  const node = context.host.name;
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    const { config, digest } = await context.files.readVm(node, vmId);
    if (request.digest !== undefined && request.digest !== digest)
      throw refusal('checksum mismatch (file change by other user?)');
    checkLock(config, request.isLockSkipped);
    const value = config.values[disk];
    if (value === undefined) throw refusal(`disk '${disk}' does not exist`);
    const drive = parseDrive(disk, value);
    if (isCdrom(drive)) throw refusal("you can't resize a cdrom");
    const oldBytes = getDiskBytes(value);
    const [, sign, number = '', unit = ''] = /^(\+)?(\d+(?:\.\d+)?)([KMGT]?)$/.exec(request.size) ?? [];
    const given = Number(number) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit);
    const newBytes = Math.trunc(sign === undefined ? given : oldBytes + given);
    if (newBytes < oldBytes) throw refusal('shrinking disks is not supported');
    if (newBytes === oldBytes) return;
    // A running QEMU has the image open and must grow it itself.
    if (await isRunning(context, vmId)) await context.guests.resizeDisk(vmId, disk, newBytes);
    else await context.guests.images.resize(context.volumes.getFile(drive['file'] ?? ''), newBytes);
    const next = copyConfig(config);
    next.values[disk] = formatDrive(disk, { ...drive, size: formatDiskSize(newBytes) });
    await context.files.writeVm(node, vmId, next);
  });
}

export function parseNameList(text: string | undefined): string[] {
  return splitList(text ?? '').map((name) => (name === 'cdrom' ? 'ide2' : name));
}
