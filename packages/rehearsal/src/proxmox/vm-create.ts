// Creating a VM. The answer to "does it exist" is given at once and by the cluster file system, so of two that ask for the same
// ID one is refused; the disks follow in a task.
import { randomUUID } from 'node:crypto';
import { nowSeconds } from './clock.ts';
import { messageOf, parameterError, permissionError, refusal } from './error.ts';
import { vmLockPath } from './lock.ts';
import type { Caller, NodeContext } from './node-context.ts';
import type { TaskLog } from './task.ts';
import { makeVmConfig, type VmValues } from './vm-config-file.ts';
import { checkDiskAccess, createDisks, getDefaultBoot } from './vm-disk.ts';
import { checkOptionPermissions, checkValuePermissions } from './vm-permission.ts';
import { startVm } from './vm-power.ts';
import { normaliseValues } from './vm-values.ts';

export interface CreateRequest {
  readonly vmId: number;
  readonly values: VmValues;
  readonly pool?: string;
  readonly isStarted: boolean;
}

/** A create reserves its ID within five seconds and then locks the file within one. */
const reserveSeconds = 5;
const lockSeconds = 1;

export async function createVm(context: NodeContext, caller: Caller, request: CreateRequest): Promise<string> {
  const { vmId, values, pool } = request;
  const node = context.host.name;
  const users = await context.access.readUsers();
  if (pool !== undefined && users.pools[pool] === undefined) throw refusal(`pool '${pool}' does not exist`);
  if (request.isStarted) caller.privileges.require(`/vms/${vmId}`, ['VM.PowerMgmt']);
  const isAllowed =
    caller.privileges.has(`/vms/${vmId}`, 'VM.Allocate') ||
    (pool !== undefined && caller.privileges.has(`/pool/${pool}`, 'VM.Allocate'));
  if (!isAllowed) throw permissionError(`/vms/${vmId}, VM.Allocate`);
  if (values['cdrom'] !== undefined && values['ide2'] !== undefined)
    throw parameterError({ cdrom: "option conflicts with option 'ide2'" });
  checkDiskAccess(context, caller, vmId, values);
  checkOptionPermissions(caller, vmId, Object.keys(values));
  checkValuePermissions(caller, values);
  const wanted = normaliseValues(values);

  const prefix = `unable to create VM ${vmId} -`;
  try {
    await context.locks.hold(vmLockPath(vmId), reserveSeconds, () =>
      context.files.createVm(node, vmId, makeVmConfig({ lock: 'create' })),
    );
  } catch (error) {
    throw refusal(`${prefix} ${messageOf(error)}`);
  }
  return context.tasks.start({ type: 'qmcreate', id: String(vmId), user: caller.user }, (log) =>
    makeVm(context, request, wanted, prefix, log),
  );
}

async function makeVm(
  context: NodeContext,
  request: CreateRequest,
  wanted: VmValues,
  prefix: string,
  log: TaskLog,
): Promise<void> {
  const { vmId, pool, isStarted } = request;
  const node = context.host.name;
  try {
    await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
      const disks = await createDisks(context, vmId, wanted, log.line);
      const values: VmValues = {
        ...wanted,
        ...disks.values,
        meta: `creation-qemu=${context.guests.version.emulator},ctime=${nowSeconds(context.clock)}`,
        smbios1: wanted['smbios1'] ?? `uuid=${randomUUID()}`,
        vmgenid: wanted['vmgenid'] ?? randomUUID(),
      };
      if (values['cdrom'] !== undefined) {
        values['ide2'] = values['cdrom'];
        delete values['cdrom'];
      }
      values['boot'] ??= getDefaultBoot(values);
      try {
        await context.files.writeVm(node, vmId, makeVmConfig(values));
      } catch (error) {
        for (const volumeId of disks.volumeIds) await context.volumes.free(volumeId);
        throw error;
      }
    });
  } catch (error) {
    await context.files.removeVm(node, vmId);
    throw refusal(`${prefix} ${messageOf(error)}`);
  }
  if (pool !== undefined)
    await context.access.changeUsers((config) => {
      const existing = config.pools[pool];
      if (existing !== undefined) config.pools[pool] = { ...existing, vms: [...existing.vms, vmId] };
    });
  if (!isStarted) return;
  log.line('Execute autostart');
  await startVm(context, vmId, {}, log).catch((error: unknown) => log.warn(messageOf(error)));
}
