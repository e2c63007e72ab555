// The steps machines are made of, each built in one place: what it is called, what it relies on, what it risks.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName } from '@labwright/core/addresses/names';
import { stepId, type Reliance, type Step } from '@labwright/core/plan/step';
import { parseMark } from '@labwright/drivers/proxmox/mark';
import { entryOf, type VmFacet } from './fact-entries.ts';
import type { OwnVmFacts } from './own-vm.ts';
import type {
  MachineReadyInput,
  VmCreateInput,
  VmInput,
  VmRediskInput,
  VmResizeInput,
  VmUpdateInput,
  VmWipeInput,
} from './step-input.ts';

// As they were seen in the rehearsal on two cores without KVM.
const estimates = {
  createMs: 2_000,
  startMs: 3_000,
  readyMs: 90_000,
  updateMs: 2_000,
  shutdownMs: 15_000,
  destroyMs: 5_000,
};

export function planCreate(
  blueprint: Blueprint,
  machine: MachineBlueprint,
  host: HostName,
  needs: readonly string[] = [],
): Step {
  const { network } = blueprint;
  const input: VmCreateInput = {
    vmId: machine.vmId,
    name: machine.name,
    host,
    pool: machine.pool,
    generation: 1,
    cores: machine.cores,
    memoryMiB: machine.memoryMiB,
    mac: machine.mac,
    bridge: network.bridge,
    vlan: network.vlan ?? null,
    storage: machine.storage,
    diskGiB: machine.diskGiB,
    firmware: machine.firmware,
    startOrder: machine.startOrder ?? null,
    replaces: machine.replaces ?? null,
  };
  return makeStep('vm.create', machine, {
    title: `create ${machine.name} on ${host}`,
    change: 'add',
    reason:
      machine.replaces === undefined
        ? 'it is in the lab file and on no host'
        : `it stands in for VM ${machine.replaces}`,
    needs,
    estimateMs: estimates.createMs,
    relies: [{ entry: entryOf(machine.vmId, 'presence'), was: 'absent' }],
    queues: [`vm/${machine.vmId}`, `storage/${host}/${machine.storage}`],
    input: { ...input },
  });
}

/**
 * For a VM that Proxmox is making right now: the step waits for that, and refuses what comes of it if it is not ours. It
 * relies on nothing, because the creation may end at any moment.
 */
export function planCreateFollowed(blueprint: Blueprint, machine: MachineBlueprint, host: HostName): Step {
  const create = planCreate(blueprint, machine, host);
  return {
    ...create,
    title: `see the creation of ${machine.name} on ${host} through`,
    reason: 'it was begun before',
    relies: [],
  };
}

export function planUpdate(
  machine: MachineBlueprint,
  vm: OwnVmFacts,
  changes: readonly string[],
  needs: readonly string[],
): Step {
  const { cores, memoryMiB } = machine;
  const input: VmUpdateInput = { ...inputOf(machine), cores, memoryMiB };
  return makeStep('vm.update', machine, {
    title: `change ${machine.name}: ${changes.join(', ')}`,
    change: 'change',
    reason: 'the lab file says so',
    needs,
    estimateMs: estimates.updateMs,
    relies: [
      relyOn(vm, 'cores', String(vm.config.cores)),
      relyOn(vm, 'memoryMiB', String(vm.config.memoryMiB)),
      relyOn(vm, 'presence', 'ours'),
    ],
    input: { ...input },
  });
}

export function planResize(machine: MachineBlueprint, vm: OwnVmFacts, needs: readonly string[]): Step {
  const { diskGiB } = vm.config;
  const input: VmResizeInput = { ...inputOf(machine), diskGiB: machine.diskGiB };
  return makeStep('vm.resize', machine, {
    title: `grow the disk of ${machine.name} from ${diskGiB} to ${machine.diskGiB} GiB`,
    change: 'change',
    reason: 'the lab file says so',
    needs,
    estimateMs: estimates.updateMs,
    relies: [relyOn(vm, 'diskGiB', String(diskGiB)), relyOn(vm, 'presence', 'ours')],
    queues: [`vm/${machine.vmId}`, `storage/${vm.host}/${machine.storage}`],
    input: { ...input },
  });
}

export function planStart(
  machine: MachineBlueprint,
  reason: string,
  needs: readonly string[],
  relies: readonly Reliance[],
): Step {
  return makeStep('vm.start', machine, {
    title: `start ${machine.name}`,
    change: 'change',
    reason,
    needs,
    estimateMs: estimates.startMs,
    relies,
  });
}

export function planShutdown(machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  return makeStep('vm.shutdown', machine, {
    title: `shut down ${machine.name}`,
    change: 'change',
    reason,
    needs,
    risk: { level: 'restart' },
    estimateMs: estimates.shutdownMs,
    relies: [{ entry: entryOf(machine.vmId, 'presence'), was: 'ours' }],
  });
}

export function planCycle(machine: MachineBlueprint, needs: readonly string[]): Step {
  return makeStep('vm.cycle', machine, {
    title: `shut down and start ${machine.name}`,
    change: 'change',
    reason: 'a change of cores or memory counts from the next start',
    needs,
    risk: { level: 'restart' },
    estimateMs: estimates.shutdownMs + estimates.startMs,
  });
}

/** The next boot installs anew: the generation is raised, the phone-home key renewed, and the network tried first. */
export function planWipe(
  machine: MachineBlueprint,
  vm: OwnVmFacts,
  generation: number,
  reason: string,
  needs: readonly string[],
): Step {
  const input: VmWipeInput = {
    ...inputOf(machine),
    pool: machine.pool,
    generation,
    replaces: machine.replaces ?? null,
  };
  return makeStep('vm.wipe', machine, {
    title: `have ${machine.name} installed anew (generation ${generation})`,
    change: 'change',
    reason,
    needs,
    risk: { level: 'data-loss', lost: `disk of ${machine.name}, ${vm.config.diskGiB} GiB` },
    estimateMs: estimates.updateMs,
    relies: [relyOn(vm, 'presence', 'ours'), relyOn(vm, 'generation', String(generation - 1))],
    input: { ...input },
  });
}

/**
 * An empty disk in place of one that is gone, and the generation raised in the same change, so that its next boot installs
 * it. What its configuration named before stays listed there as unused.
 */
export function planRedisk(machine: MachineBlueprint, vm: OwnVmFacts, reason: string, needs: readonly string[]): Step {
  const generation = generationOf(vm) + 1;
  const input: VmRediskInput = {
    ...inputOf(machine),
    pool: machine.pool,
    generation,
    replaces: machine.replaces ?? null,
    storage: machine.storage,
    diskGiB: machine.diskGiB,
  };
  return makeStep('vm.redisk', machine, {
    title: `give ${machine.name} a new disk of ${machine.diskGiB} GiB (generation ${generation})`,
    change: 'change',
    reason,
    needs,
    estimateMs: estimates.createMs,
    relies: [relyOn(vm, 'presence', 'ours'), relyOn(vm, 'generation', String(generation - 1))],
    queues: [`vm/${machine.vmId}`, `storage/${vm.host}/${machine.storage}`],
    input: { ...input },
  });
}

/** Pulls the plug: for a machine that cannot go down in order any more. */
export function planStop(machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  return makeStep('vm.stop', machine, {
    title: `stop ${machine.name}`,
    change: 'change',
    reason,
    needs,
    risk: { level: 'restart' },
    estimateMs: estimates.startMs,
    relies: [{ entry: entryOf(machine.vmId, 'presence'), was: 'ours' }],
  });
}

export function generationOf(vm: OwnVmFacts): number {
  return parseMark(vm.config.description)?.generation ?? 1;
}

/** After a rebuild: the disk comes first again, whatever the network offers. */
export function planSettle(machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  return makeStep('vm.settle', machine, {
    title: `let ${machine.name} boot from its disk first again`,
    change: 'change',
    reason,
    needs,
    estimateMs: estimates.updateMs,
  });
}

export function planReady(
  machine: MachineBlueprint,
  generation: number,
  reason: string,
  needs: readonly string[],
): Step {
  const input: MachineReadyInput = { ...inputOf(machine), address: machine.address, generation };
  return makeStep('machine.ready', machine, {
    title: `wait for ${machine.name} to answer`,
    change: 'wait',
    reason,
    needs,
    estimateMs: estimates.readyMs,
    queues: [],
    input: { ...input },
  });
}

/** `also` is what else is lost with its disk. */
export function planDestroy(vm: OwnVmFacts, reason: string, needs: readonly string[] = [], also?: string): Step {
  const machine = { name: vm.name, vmId: vm.vmId };
  return makeStep('vm.destroy', machine, {
    title: `destroy ${vm.name} on ${vm.host}`,
    change: 'destroy',
    reason,
    needs,
    risk: {
      level: 'data-loss',
      lost: `disk of ${vm.name}, ${vm.config.diskGiB} GiB${also === undefined ? '' : `, with ${also}`}`,
    },
    estimateMs: estimates.destroyMs,
    relies: [relyOn(vm, 'presence', 'ours')],
  });
}

export function relyOn(vm: OwnVmFacts, facet: VmFacet, was: string): Reliance {
  return { entry: entryOf(vm.vmId, facet), was };
}

interface Named {
  readonly name: string;
  readonly vmId: number;
}

const inputOf = ({ vmId, name }: Named): VmInput => ({ vmId, name });

function makeStep(
  kind: string,
  machine: Named,
  step: Pick<Step, 'title' | 'change' | 'reason' | 'estimateMs'> & Partial<Step>,
): Step {
  return {
    id: stepId(kind, machine.name),
    kind,
    target: machine.name,
    needs: [],
    risk: { level: 'none' },
    relies: [],
    queues: [`vm/${machine.vmId}`],
    input: { ...inputOf(machine) },
    ...step,
  };
}
