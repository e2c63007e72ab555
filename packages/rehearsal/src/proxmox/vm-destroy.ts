// Destroying a VM: refused at once while it runs or is protected; the configuration goes last, so that its ID stays taken
// until nothing of the VM is left.
import { refusal } from './error.ts';
import { vmLockPath } from './lock.ts';
import type { Caller, NodeContext } from './node-context.ts';
import type { TaskLog } from './task.ts';
import { makeVmConfig } from './vm-config-file.ts';
import { listVolumeIds } from './vm-disk.ts';
import { checkLock, isRunning } from './vm-power.ts';

const lockSeconds = 10;

export interface DestroyRequest {
  readonly vmId: number;
  readonly isLockSkipped: boolean;
  readonly isUnreferencedToo: boolean;
  readonly isPurged: boolean;
}

export async function destroyVm(context: NodeContext, caller: Caller, request: DestroyRequest): Promise<string> {
  await checkDestroyable(context, request.vmId);
  return context.tasks.start({ type: 'qmdestroy', id: String(request.vmId), user: caller.user }, (log) =>
    context.locks.hold(vmLockPath(request.vmId), lockSeconds, () => removeVm(context, request, log)),
  );
}

async function checkDestroyable(context: NodeContext, vmId: number): Promise<void> {
  const { config } = await context.files.readVm(context.host.name, vmId);
  if (config.values['protection'] === '1') throw refusal(`can't remove VM ${vmId} - protection mode enabled`);
  if (await isRunning(context, vmId)) throw refusal(`VM ${vmId} is running - destroy failed`);
}

async function removeVm(context: NodeContext, request: DestroyRequest, log: TaskLog): Promise<void> {
  const { vmId } = request;
  const node = context.host.name;
  await checkDestroyable(context, vmId);
  const { config } = await context.files.readVm(node, vmId);
  checkLock(config, request.isLockSkipped);
  const volumeIds = new Set([...listVolumeIds(config.values), ...listVolumeIds(config.pending)]);
  if (request.isUnreferencedToo) {
    for (const storage of context.topology.storages)
      for (const volume of await context.volumes.list(storage.id))
        if (volume.vmId === vmId && volume.content === 'images') volumeIds.add(volume.volumeId);
  }
  await context.guests.cleanUp(vmId, config.values);
  for (const volumeId of volumeIds) {
    log.line(`removing volume '${volumeId}'`);
    await context.volumes.free(volumeId);
  }
  await context.files.writeVm(node, vmId, makeVmConfig({ lock: 'destroyed' }));
  await context.access.changeUsers((users) => {
    users.rules = users.rules.filter((rule) => rule.path !== `/vms/${vmId}`);
    for (const [name, pool] of Object.entries(users.pools))
      users.pools[name] = { ...pool, vms: pool.vms.filter((id) => id !== vmId) };
  });
  if (request.isPurged) log.line(`purging VM ${vmId} from related configurations..`);
  await context.files.removeVm(node, vmId);
}
