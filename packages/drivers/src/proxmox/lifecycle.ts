// Creating, starting, stopping, changing and removing our VMs. Each is done when it returns, and harmless to repeat.
import {
  createVmCall,
  destroyVmCall,
  rebootVmCall,
  resetVmCall,
  resizeDiskCall,
  shutdownVmCall,
  startVmCall,
  stopVmCall,
  updateVmCall,
  vmStatusCall,
} from './calls/vm.ts';
import { type ChangeOptions, type ChangeResult, type VmTarget, applyChange, present } from './change.ts';
import type { ProxmoxConnection } from './connection.ts';
import { type OwnVm, fetchGuest, fetchVmConfig } from './find-vm.ts';
import { storageQueue } from './storage.ts';
import { type VmSpec, type VmUpdate, formatVmName } from './vm-config.ts';

const secondsMs = 1_000;
const minutesMs = 60 * secondsMs;

/**
 * Makes the VM, stopped. If the number is taken by this very machine (a run before this one made it) it is 'unchanged';
 * by anything else it is LW2008. After an answer that leaves it open, looks first; Proxmox itself refuses a second VM
 * with the same number, so there is never a duplicate.
 */
export async function createVm(
  connection: ProxmoxConnection,
  spec: VmSpec,
  host: string,
  options: ChangeOptions,
): Promise<ChangeResult> {
  const { vmId, lab, machine } = spec.mark;
  const change = {
    name: `creation of ${formatVmName(machine, vmId)} on ${host}`,
    timeoutMs: 5 * minutesMs,
    queues: [await storageQueue(connection, host, spec.storage, options.signal)],
    isDone: (vm: OwnVm | undefined): boolean => vm !== undefined,
    send: () => createVmCall(host, spec),
  };
  return await applyChange(connection, { vmId, lab }, change, options);
}

export async function startVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions,
): Promise<ChangeResult> {
  return await applyChange(
    connection,
    target,
    {
      name: `start of VM ${target.vmId}`,
      // Proxmox gives a start at least 30 s, and a second for each GiB of memory.
      timeoutMs: 5 * minutesMs,
      isDone: async (vm) => (await fetchPower(connection, present(vm, target), options)) === 'running',
      send: (vm) => startVmCall(present(vm, target)),
    },
    options,
  );
}

/** Pulls the plug. A VM that is not there is as stopped as it can be. */
export async function stopVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions,
): Promise<ChangeResult> {
  return await applyChange(
    connection,
    target,
    {
      name: `stop of VM ${target.vmId}`,
      timeoutMs: 2 * minutesMs,
      isDone: async (vm) => vm === undefined || (await fetchPower(connection, vm, options)) === 'stopped',
      send: (vm) => stopVmCall(present(vm, target)),
    },
    options,
  );
}

/** Asks the guest to go down; LW2005 when it has not within the time. */
export async function shutdownVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions & { readonly guestTimeoutSeconds?: number },
): Promise<ChangeResult> {
  const { guestTimeoutSeconds = 120 } = options;
  return await applyChange(
    connection,
    target,
    {
      name: `shutdown of VM ${target.vmId}`,
      timeoutMs: guestTimeoutSeconds * secondsMs + 1 * minutesMs,
      isDone: async (vm) => vm === undefined || (await fetchPower(connection, vm, options)) === 'stopped',
      send: (vm) => shutdownVmCall(present(vm, target), guestTimeoutSeconds),
    },
    options,
  );
}

/** Shutdown and start of a running VM. After an uncertain answer it is not asked twice: one reboot is wanted, not two. */
export async function rebootVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions & { readonly guestTimeoutSeconds?: number },
): Promise<ChangeResult> {
  const { guestTimeoutSeconds = 120 } = options;
  return await applyChange(
    connection,
    target,
    {
      name: `reboot of VM ${target.vmId}`,
      timeoutMs: guestTimeoutSeconds * secondsMs + 2 * minutesMs,
      send: (vm) => rebootVmCall(present(vm, target), guestTimeoutSeconds),
    },
    options,
  );
}

/** Presses the reset button of a running VM, once: after an uncertain answer it is not pressed again. */
export async function resetVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions,
): Promise<ChangeResult> {
  return await applyChange(
    connection,
    target,
    {
      name: `reset of VM ${target.vmId}`,
      timeoutMs: 2 * minutesMs,
      send: (vm) => resetVmCall(present(vm, target)),
    },
    options,
  );
}

/** Writes the configuration; memory and cores of a running VM change at its next start. */
export async function updateVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  update: VmUpdate,
  options: ChangeOptions,
): Promise<ChangeResult> {
  return await applyChange(
    connection,
    target,
    {
      name: `change of VM ${target.vmId}`,
      timeoutMs: 1 * minutesMs,
      send: (vm) => {
        const there = present(vm, target);
        return updateVmCall(there, update, there.config.digest);
      },
    },
    options,
  );
}

/** Grows the disk. Proxmox cannot shrink one, so a smaller size is 'unchanged' here and a planner's business. */
export async function growDisk(
  connection: ProxmoxConnection,
  target: VmTarget,
  sizeGiB: number,
  options: ChangeOptions,
): Promise<ChangeResult> {
  const queues = await diskQueues(connection, target, options);
  return await applyChange(
    connection,
    target,
    {
      name: `growth of the disk of VM ${target.vmId} to ${sizeGiB} GiB`,
      timeoutMs: 5 * minutesMs,
      queues,
      isDone: (vm) => present(vm, target).config.diskGiB >= sizeGiB,
      send: (vm) => resizeDiskCall(present(vm, target), sizeGiB),
    },
    options,
  );
}

/** Stops the VM if it runs, then removes it with its disks. Gone already is 'unchanged'. */
export async function destroyVm(
  connection: ProxmoxConnection,
  target: VmTarget,
  options: ChangeOptions,
): Promise<ChangeResult> {
  await stopVm(connection, target, options);
  const queues = await diskQueues(connection, target, options);
  return await applyChange(
    connection,
    target,
    {
      name: `removal of VM ${target.vmId}`,
      timeoutMs: 5 * minutesMs,
      queues,
      isDone: (vm) => vm === undefined,
      send: (vm) => destroyVmCall(present(vm, target)),
    },
    options,
  );
}

async function fetchPower(
  connection: ProxmoxConnection,
  vm: OwnVm,
  { signal }: ChangeOptions,
): Promise<'running' | 'stopped'> {
  const { status } = await connection.request(vmStatusCall({ node: vm.node, vmid: vm.vmid }), { signal });
  return status;
}

/** The queue of the storage that a VM's disk is on. Ownership is not judged here but in applyChange, under the queues. */
async function diskQueues(
  connection: ProxmoxConnection,
  { vmId }: VmTarget,
  { signal }: ChangeOptions,
): Promise<readonly string[]> {
  const guest = await fetchGuest(connection, vmId, signal);
  if (guest === undefined || guest.type !== 'qemu') return [];
  const { storage } = await fetchVmConfig(connection, guest.node, vmId, signal);
  return storage === undefined ? [] : [await storageQueue(connection, guest.node, storage, signal)];
}
