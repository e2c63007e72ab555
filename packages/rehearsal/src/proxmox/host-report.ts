// How the host is at this moment: what it tells the others and what its own status call says.
import type { HostReport, VmReport } from './broadcast.ts';
import { nowSeconds } from './clock.ts';
import { isMissingFile, ApiError } from './error.ts';
import type { NodeContext } from './node-context.ts';
import { getBootDiskBytes } from './qemu-argv.ts';
import { getCpus, getMemoryMiB } from './vm-status.ts';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 ** 3;
/** What a host's own system takes of its memory. */
const systemMemoryMiB = 1024;

export async function makeHostReport(context: NodeContext): Promise<HostReport> {
  const { host, topology } = context;
  const vms: Record<string, VmReport> = {};
  let guestMemoryBytes = 0;
  for (const [vmId, node] of await context.files.listVms()) {
    if (node !== host.name) continue;
    const report = await reportVm(context, vmId);
    if (report === undefined) continue;
    vms[vmId] = report;
    // The emulated host has given its guests what they were promised, however little of it they have touched here.
    if (report.status === 'running') guestMemoryBytes += report.maxMemoryBytes;
  }
  const storages: Record<string, { usedBytes: number; totalBytes: number }> = {};
  for (const { id, totalGiB } of topology.storages)
    storages[id] = { usedBytes: await context.volumes.getUsedBytes(id), totalBytes: totalGiB * gibibyte };
  const maxMemoryBytes = host.memoryMiB * mebibyte;
  return {
    cpus: host.cores,
    memoryBytes: Math.min(maxMemoryBytes, systemMemoryMiB * mebibyte + guestMemoryBytes),
    maxMemoryBytes,
    uptimeSeconds: nowSeconds(context.clock) - context.startedAtSeconds,
    vms,
    storages,
  };
}

async function reportVm(context: NodeContext, vmId: number): Promise<VmReport | undefined> {
  try {
    const { config } = await context.files.readVm(context.host.name, vmId);
    const pid = await context.guests.getPid(vmId);
    const use = pid === undefined ? { residentBytes: 0, uptimeSeconds: 0 } : await context.guests.getUse(vmId);
    return {
      name: config.values['name'] ?? `VM ${vmId}`,
      status: pid === undefined ? 'stopped' : 'running',
      cpus: getCpus(config.values, context.host.cores),
      maxMemoryBytes: getMemoryMiB(config.values) * mebibyte,
      memoryBytes: use.residentBytes,
      maxDiskBytes: getBootDiskBytes(config.values),
      uptimeSeconds: use.uptimeSeconds,
      isTemplate: config.values['template'] === '1',
    };
  } catch (error) {
    // Destroyed between the list and the look.
    if (isMissingFile(error) || error instanceof ApiError) return undefined;
    throw error;
  }
}
