// Calls about one VM, as data. The ones that change it are sent through change.ts only, which looks at the mark first.
import { z } from 'zod';
import { type ProxmoxCall, proxmoxCall } from '../call.ts';
import { looseNumber } from '../reading.ts';
import { type Upid, upidResult } from '../upid.ts';
import { rawVmConfig, type VmSpec, type VmUpdate, formatVmConfig, formatVmUpdate } from '../vm-config.ts';

/** Where a VM is now. */
export interface VmPlace {
  readonly node: string;
  readonly vmid: number;
}

const holes = ({ node, vmid }: VmPlace): { readonly path: Readonly<Record<string, string | number>> } => ({
  path: { node, vmid },
});

const vmRow = z.object({ vmid: looseNumber, name: z.string().optional(), status: z.string() });
export type VmRow = z.infer<typeof vmRow>;

export function vmsCall(node: string): ProxmoxCall<VmRow[]> {
  return proxmoxCall('GET', '/nodes/{node}/qemu', z.array(vmRow), { path: { node } });
}

/** As it will be after the next start: changes that wait for one are worked in. */
export function vmConfigCall(vm: VmPlace): ProxmoxCall<z.infer<typeof rawVmConfig>> {
  return proxmoxCall('GET', '/nodes/{node}/qemu/{vmid}/config', rawVmConfig, holes(vm));
}

const vmStatus = z.object({
  status: z.enum(['running', 'stopped']),
  /** running, paused, prelaunch, … */
  qmpstatus: z.string().optional(),
  lock: z.string().optional(),
  uptime: looseNumber.optional(),
  /** What it runs with, or would if it ran. */
  cpus: looseNumber.optional(),
  maxmem: looseNumber.optional(),
});
export type VmStatus = z.infer<typeof vmStatus>;

/** Asks the VM's host, so it is as of now, other than the list of guests. */
export function vmStatusCall(vm: VmPlace): ProxmoxCall<VmStatus> {
  return proxmoxCall('GET', '/nodes/{node}/qemu/{vmid}/status/current', vmStatus, holes(vm));
}

export function createVmCall(node: string, spec: VmSpec): ProxmoxCall<Upid> {
  return proxmoxCall('POST', '/nodes/{node}/qemu', upidResult, { path: { node }, parameters: formatVmConfig(spec) });
}

/** Answers when it is done. The digest makes Proxmox refuse it when somebody edited the VM since it was read. */
export function updateVmCall(vm: VmPlace, update: VmUpdate, digest: string): ProxmoxCall<null> {
  const parameters = { ...formatVmUpdate(update), digest };
  return proxmoxCall('PUT', '/nodes/{node}/qemu/{vmid}/config', z.null(), { ...holes(vm), parameters });
}

export function startVmCall(vm: VmPlace): ProxmoxCall<Upid> {
  return proxmoxCall('POST', '/nodes/{node}/qemu/{vmid}/status/start', upidResult, holes(vm));
}

/** Pulls the plug. */
export function stopVmCall(vm: VmPlace): ProxmoxCall<Upid> {
  return proxmoxCall('POST', '/nodes/{node}/qemu/{vmid}/status/stop', upidResult, holes(vm));
}

/** Asks the guest; the task fails when it has not gone down in that time. */
export function shutdownVmCall(vm: VmPlace, timeoutSeconds: number): ProxmoxCall<Upid> {
  const parameters = { timeout: timeoutSeconds };
  return proxmoxCall('POST', '/nodes/{node}/qemu/{vmid}/status/shutdown', upidResult, { ...holes(vm), parameters });
}

/** Shutdown and start; configuration that waited for a start is applied. */
export function rebootVmCall(vm: VmPlace, timeoutSeconds: number): ProxmoxCall<Upid> {
  const parameters = { timeout: timeoutSeconds };
  return proxmoxCall('POST', '/nodes/{node}/qemu/{vmid}/status/reboot', upidResult, { ...holes(vm), parameters });
}

/** The reset button: the same process starts again from its firmware. */
export function resetVmCall(vm: VmPlace): ProxmoxCall<Upid> {
  return proxmoxCall('POST', '/nodes/{node}/qemu/{vmid}/status/reset', upidResult, holes(vm));
}

/** Before PVE 8 this answered null and was done; since then it is a task. */
export function resizeDiskCall(vm: VmPlace, sizeGiB: number): ProxmoxCall<Upid | null> {
  const parameters = { disk: 'scsi0', size: `${sizeGiB}G` };
  return proxmoxCall('PUT', '/nodes/{node}/qemu/{vmid}/resize', z.union([z.null(), upidResult]), {
    ...holes(vm),
    parameters,
  });
}

/** With its disks (also those no longer in its configuration), and its places in backup, replication and HA. */
export function destroyVmCall(vm: VmPlace): ProxmoxCall<Upid> {
  const parameters = { purge: true, 'destroy-unreferenced-disks': true };
  return proxmoxCall('DELETE', '/nodes/{node}/qemu/{vmid}', upidResult, { ...holes(vm), parameters });
}
