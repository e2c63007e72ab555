// The facts as named entries: what a plan relies on, and how it is found that one of them moved.
import type { LabId } from '@labwright/core/addresses/names';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import { notOurs, parseMark } from '@labwright/drivers/proxmox/mark';
import { isBeingMade } from './own-vm.ts';

export type VmFacet = 'presence' | 'status' | 'cores' | 'memoryMiB' | 'diskGiB' | 'generation';

export function entryOf(vmId: number, facet: VmFacet): string {
  return `vm/${vmId} ${facet}`;
}

/** One value for every entry of the given VM IDs, also for those that no host has. */
export function listFactEntries(
  lab: LabId,
  facts: HypervisorFacts,
  vmIds: Iterable<number>,
): ReadonlyMap<string, string> {
  const vms = new Map<number, HypervisorFacts['vms'][number]>(facts.vms.map((vm) => [vm.vmId, vm]));
  const entries = new Map<string, string>();
  for (const vmId of vmIds) {
    const vm = vms.get(vmId);
    if (vm?.config === undefined) {
      entries.set(entryOf(vmId, 'presence'), vm === undefined ? 'absent' : 'unreachable');
      continue;
    }
    const marked = { vmId: vm.vmId, host: vm.host, tags: vm.tags, description: vm.config.description };
    const owned = notOurs(marked, lab) === undefined ? 'ours' : 'foreign';
    entries.set(entryOf(vmId, 'presence'), isBeingMade(vm) ? 'being made' : owned);
    entries.set(entryOf(vmId, 'status'), vm.status);
    entries.set(entryOf(vmId, 'cores'), String(vm.config.cores));
    entries.set(entryOf(vmId, 'memoryMiB'), String(vm.config.memoryMiB));
    entries.set(entryOf(vmId, 'diskGiB'), String(vm.config.diskGiB));
    entries.set(entryOf(vmId, 'generation'), String(parseMark(vm.config.description)?.generation ?? 'none'));
  }
  return entries;
}
