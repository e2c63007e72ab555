// Finds a machine's VM in the facts and makes sure that it may be touched.
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import { notOurs } from '@labwright/drivers/proxmox/mark';

/** A VM that carries this lab's mark and could be looked at. */
export interface OwnVmFacts extends VmFacts {
  readonly config: NonNullable<VmFacts['config']>;
}

/**
 * While Proxmox makes a VM its configuration is nothing but a lock and carries no mark yet, ours or anybody's: a creation
 * that outlived the run that asked for it looks so. Whose it is shows when it is done.
 */
export function isBeingMade({ config }: VmFacts): boolean {
  return config?.lock === 'create' && config.description === '';
}

/** Undefined when the number is free. Throws LW2001 when its host is down, LW2008 when it is not ours. */
export function findOwnVm(lab: LabId, machine: MachineBlueprint, facts: HypervisorFacts): OwnVmFacts | undefined {
  const vm = facts.vms.find((each) => each.vmId === machine.vmId);
  return vm === undefined ? undefined : assertOwn(lab, machine, vm);
}

export function assertOwn(lab: LabId, machine: MachineBlueprint, vm: VmFacts): OwnVmFacts {
  const { config } = vm;
  if (config === undefined) {
    throw new LabwrightError('LW2001', {
      what: `${machine.name} cannot be looked at: its host ${vm.host} does not answer`,
      where: { machine: machine.name, host: vm.host },
      fix: [`bring ${vm.host} back; its VM IDs stay taken meanwhile`],
    });
  }
  const foreign = notOurs({ vmId: vm.vmId, host: vm.host, tags: vm.tags, description: config.description }, lab);
  if (foreign !== undefined) throw foreign;
  return { ...vm, config };
}
