// Machines that stand in for others: a dead host keeps the VM IDs of its machines, so their replacements take the next
// identities of their pools, and each says in a tag whom it replaces. The lab file does not change by it.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { LabId, VmId } from '@labwright/core/addresses/names';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import { findForeignReason, formatTags, parseReplaces } from '@labwright/drivers/proxmox/mark';

/*
 *   pool workers, count 2        on the hosts                      the lab's machines
 *   102, 103 | spares 104, 105   102, 103 (dead), 104 replaces-103  102, 104
 *                                103 comes back                     102, 104; 103 is left over
 *   count 3: 104 is regular      102, 103, 104 replaces-103         102, 103, 104
 */

/** Every identity a machine of this lab can have. */
export function allMachines(blueprint: Blueprint): readonly MachineBlueprint[] {
  return [...blueprint.machines, ...(blueprint.spares ?? [])];
}

/** The blueprint as it holds on these hypervisors: replaced machines are out, their replacements in. */
export function withReplacements(blueprint: Blueprint, facts: HypervisorFacts): Blueprint {
  const spares = blueprint.spares ?? [];
  if (spares.length === 0) return blueprint;
  const vms = new Map(facts.vms.map((vm) => [vm.vmId, vm]));
  // By number upwards: a replacement of a replacement has the higher one.
  const standing = new Map<VmId, MachineBlueprint>(blueprint.machines.map((machine) => [machine.vmId, machine]));
  for (const spare of spares) {
    const vm = vms.get(spare.vmId);
    const replaces = vm === undefined || !maybeOurs(vm, blueprint.lab) ? undefined : parseReplaces(vm.tags);
    if (replaces === undefined || !standing.delete(replaces)) continue;
    standing.set(spare.vmId, { ...spare, replaces });
  }
  const machines = [...standing.values()].toSorted((one, other) => one.vmId - other.vmId);
  return { ...blueprint, machines };
}

/** The next identity of the machine's pool that no VM has, ours or anybody's; undefined when the pool has none left. */
export function findSpare(
  blueprint: Blueprint,
  machine: MachineBlueprint,
  facts: HypervisorFacts,
): MachineBlueprint | undefined {
  const taken = new Set(facts.vms.map((vm) => vm.vmId));
  const spare = (blueprint.spares ?? []).find((each) => each.pool === machine.pool && !taken.has(each.vmId));
  return spare === undefined ? undefined : { ...spare, replaces: machine.vmId };
}

/** On a host that is down only the tags are known, and they are enough to count with. */
function maybeOurs(vm: VmFacts, lab: LabId): boolean {
  if (vm.config === undefined) return formatTags(lab).every((tag) => vm.tags.includes(tag));
  return findForeignReason({ vmId: vm.vmId, tags: vm.tags, description: vm.config.description }, lab) === undefined;
}
