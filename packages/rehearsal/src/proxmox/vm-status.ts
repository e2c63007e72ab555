// How a VM is, in the fields that lists and status calls share.
import type { GuestUse } from './guest.ts';
import type { NodeContext } from './node-context.ts';
import { parsePropertyString } from './property-string.ts';
import { memoryFormat } from './property-formats.ts';
import { getBootDiskBytes } from './qemu-argv.ts';
import type { VmConfig, VmValues } from './vm-config-file.ts';

const mebibyte = 1024 * 1024;

export function getMemoryMiB(values: VmValues): number {
  const result = parsePropertyString(memoryFormat, values['memory'] ?? '512');
  return result.ok ? Number(result.properties['current']) : 512;
}

export function getCpus(values: VmValues, hostCores: number): number {
  const cpus = Number(values['sockets'] ?? 1) * Number(values['cores'] ?? 1);
  return values['vcpus'] === undefined ? Math.min(cpus, hostCores) : Number(values['vcpus']);
}

/** The row of /nodes/NODE/qemu; `status/current` has the same and more. */
export async function getVmStatus(
  context: NodeContext,
  vmId: number,
  config: VmConfig,
): Promise<Record<string, unknown>> {
  const { values } = config;
  const pid = await context.guests.getPid(vmId);
  const use: GuestUse = pid === undefined ? { residentBytes: 0, uptimeSeconds: 0 } : await context.guests.getUse(vmId);
  return {
    vmid: vmId,
    name: values['name'] ?? `VM ${vmId}`,
    status: pid === undefined ? 'stopped' : 'running',
    ...(pid === undefined ? {} : { pid }),
    cpus: getCpus(values, context.host.cores),
    maxmem: getMemoryMiB(values) * mebibyte,
    maxdisk: getBootDiskBytes(values),
    disk: 0,
    uptime: use.uptimeSeconds,
    cpu: 0,
    mem: use.residentBytes,
    ...(context.topology.profile === '9.2' ? { memhost: use.residentBytes } : {}),
    netin: use.network?.inBytes ?? 0,
    netout: use.network?.outBytes ?? 0,
    diskread: 0,
    diskwrite: 0,
    ...(values['template'] === '1' ? { template: 1 } : {}),
    ...(Object.keys(values).some((key) => /^serial\d$/.test(key)) ? { serial: 1 } : {}),
    ...(values['lock'] === undefined ? {} : { lock: values['lock'] }),
    ...(values['tags'] === undefined ? {} : { tags: values['tags'] }),
  };
}

/** What the running process adds: state, machine and version by its monitor. */
export async function getRunningDetails(context: NodeContext, vmId: number): Promise<Record<string, unknown>> {
  if ((await context.guests.getPid(vmId)) === undefined) return { qmpstatus: 'stopped' };
  const { machine, emulator } = context.guests.version;
  return {
    qmpstatus: await context.guests.getRunState(vmId),
    'running-machine': machine,
    'running-qemu': emulator,
  };
}
