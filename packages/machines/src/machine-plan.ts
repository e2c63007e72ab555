// The planner of machines: from the blueprint and what is there to the steps that make the two agree. Pure.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName, LabId } from '@labwright/core/addresses/names';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import type { MachineFacts } from '@labwright/core/facts/machines';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { stepId, type Reliance, type Step } from '@labwright/core/plan/step';
import { notOurs, parseMark } from '@labwright/drivers/proxmox/mark';
import { entryOf } from './fact-entries.ts';
import { findLossShortfalls, measureRoom, placeMachine } from './placement.ts';
import type { VmCreateInput, VmInput, VmResizeInput, VmUpdateInput, MachineReadyInput } from './step-input.ts';

export interface MachineFactsInput {
  readonly hypervisors: HypervisorFacts;
  readonly machines: MachineFacts;
}

// Seconds as they were seen in the rehearsal on two cores without KVM; the engine's history refines them on the page.
const estimates = {
  createMs: 3_000,
  startMs: 3_000,
  readyMs: 90_000,
  updateMs: 2_000,
  cycleMs: 40_000,
  destroyMs: 5_000,
};

export function planMachines(blueprint: Blueprint, facts: MachineFactsInput): AreaPlan {
  const { hypervisors } = facts;
  const vms = new Map(hypervisors.vms.map((vm) => [vm.vmId, vm]));
  const rooms = measureRoom(blueprint, hypervisors);
  const steps: Step[] = [];
  const problems: ErrorJson[] = [];
  const placed = new Map<HostName, HostName>();
  for (const machine of blueprint.machines) {
    const vm = vms.get(machine.vmId);
    try {
      if (vm === undefined) {
        const host = placeMachine(machine, rooms);
        placed.set(machine.name, host);
        steps.push(...planNew(blueprint, machine, host));
      } else {
        placed.set(machine.name, vm.host);
        steps.push(...planPresent(blueprint.lab, machine, vm, facts.machines));
      }
    } catch (error) {
      problems.push(asLabwrightError(error).toJSON());
    }
  }
  steps.push(...planLeftovers(blueprint, hypervisors));
  const shortfalls = findLossShortfalls(blueprint, placed, rooms);
  return { steps, problems, notes: [...shortfalls].map(formatShortfall) };
}

function planNew(blueprint: Blueprint, machine: MachineBlueprint, host: HostName): readonly Step[] {
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
  };
  const create = makeStep('vm.create', machine, {
    title: `create ${machine.name} on ${host}`,
    change: 'add',
    reason: 'it is in the lab file and on no host',
    estimateMs: estimates.createMs,
    relies: [{ entry: entryOf(machine.vmId, 'presence'), was: 'absent' }],
    queues: [`vm/${machine.vmId}`, `storage/${host}/${machine.storage}`],
    input: { ...input },
  });
  const start = planStart(machine, 'it is new', [create.id], []);
  return [create, start, planReady(machine, 1, 'it is new', [start.id])];
}

function planPresent(lab: LabId, machine: MachineBlueprint, vm: VmFacts, reports: MachineFacts): readonly Step[] {
  if (vm.config === undefined) {
    throw new LabwrightError('LW2001', {
      what: `${machine.name} cannot be looked at: its host ${vm.host} does not answer`,
      where: { machine: machine.name, host: vm.host },
      fix: [`bring ${vm.host} back; its VM IDs stay taken meanwhile`],
    });
  }
  const marked = { vmId: vm.vmId, host: vm.host, tags: vm.tags, description: vm.config.description };
  const foreign = notOurs(marked, lab);
  if (foreign !== undefined) throw foreign;
  const generation = parseMark(vm.config.description)?.generation ?? 1;
  assertChangeable(machine, vm);

  const steps: Step[] = [];
  const needs = (): string[] => steps.slice(-1).map((step) => step.id);
  const update = planUpdate(machine, vm);
  if (update !== undefined) steps.push(update);
  if (vm.config.diskGiB < machine.diskGiB) steps.push(planResize(machine, vm, needs()));
  if (vm.status === 'stopped') {
    steps.push(planStart(machine, 'it is stopped', needs(), [relyOn(vm, 'status', 'stopped')]));
    steps.push(planReady(machine, generation, 'it was stopped', needs()));
  } else if (update !== undefined || isWaitingForRestart(vm)) {
    steps.push(planCycle(machine, needs()));
    steps.push(planReady(machine, generation, 'it starts again', needs()));
  } else {
    const report = reports.reports.find((each) => each.name === machine.name);
    if (report === undefined || report.generation < generation) {
      steps.push(planReady(machine, generation, 'it has not said that it is ready', needs()));
    }
  }
  return steps;
}

/** A change was written, by us or by hand, and the machine still runs as it did before. */
const isWaitingForRestart = ({ config, cores, memoryMiB }: VmFacts): boolean =>
  config !== undefined && (config.cores !== cores || config.memoryMiB !== memoryMiB);

/** A disk cannot shrink, and firmware or Ethernet address of an installed machine cannot change under it. */
function assertChangeable(machine: MachineBlueprint, vm: VmFacts): void {
  const { config } = vm;
  if (config === undefined) return;
  const refuse = (what: string, why: string, fix: readonly string[]): never => {
    throw new LabwrightError('LW2011', { what, why, fix, where: { machine: machine.name, host: vm.host } });
  };
  const rebuild = `labwright machine rebuild ${machine.name}`;
  if (config.diskGiB > machine.diskGiB) {
    refuse(
      `the disk of ${machine.name} is ${config.diskGiB} GiB and the file wants ${machine.diskGiB} GiB`,
      'a disk can grow and not shrink',
      [`pools.${machine.pool}.disk: ${config.diskGiB}GiB`],
    );
  }
  if (config.firmware !== machine.firmware) {
    refuse(
      `${machine.name} has ${config.firmware} firmware and the file wants ${machine.firmware}`,
      'the firmware of an existing virtual machine is not changed',
      [`pools.${machine.pool}.firmware: ${config.firmware}`],
    );
  }
  if (!config.macs.some((mac) => mac.toLowerCase() === machine.mac)) {
    refuse(
      `${machine.name} has the Ethernet address ${config.macs.join(', ') || 'none'} and the file wants ${machine.mac}`,
      'somebody changed its network card, or identity.macPrefix changed in the file',
      [`set the address of net0 of VM ${machine.vmId} back to ${machine.mac}`, rebuild],
    );
  }
}

function planUpdate(machine: MachineBlueprint, vm: VmFacts): Step | undefined {
  const { config } = vm;
  if (config === undefined) return undefined;
  const changes: string[] = [];
  if (config.cores !== machine.cores) changes.push(`cores ${config.cores} → ${machine.cores}`);
  if (config.memoryMiB !== machine.memoryMiB) changes.push(`memory ${config.memoryMiB} → ${machine.memoryMiB} MiB`);
  if (changes.length === 0) return undefined;
  const input: VmUpdateInput = {
    vmId: machine.vmId,
    name: machine.name,
    cores: machine.cores,
    memoryMiB: machine.memoryMiB,
  };
  return makeStep('vm.update', machine, {
    title: `change ${machine.name}: ${changes.join(', ')}`,
    change: 'change',
    reason: 'the lab file says so',
    estimateMs: estimates.updateMs,
    relies: [
      relyOn(vm, 'cores', String(config.cores)),
      relyOn(vm, 'memoryMiB', String(config.memoryMiB)),
      relyOn(vm, 'presence', 'ours'),
    ],
    input: { ...input },
  });
}

function planResize(machine: MachineBlueprint, vm: VmFacts, needs: readonly string[]): Step {
  const wasGiB = vm.config?.diskGiB ?? 0;
  const input: VmResizeInput = { vmId: machine.vmId, name: machine.name, diskGiB: machine.diskGiB };
  return makeStep('vm.resize', machine, {
    title: `grow the disk of ${machine.name} from ${wasGiB} to ${machine.diskGiB} GiB`,
    change: 'change',
    reason: 'the lab file says so',
    needs,
    estimateMs: estimates.updateMs,
    relies: [relyOn(vm, 'diskGiB', String(wasGiB)), relyOn(vm, 'presence', 'ours')],
    queues: [`vm/${machine.vmId}`, `storage/${vm.host}/${machine.storage}`],
    input: { ...input },
  });
}

function planStart(
  machine: MachineBlueprint,
  reason: string,
  needs: readonly string[],
  relies: readonly Reliance[],
): Step {
  const input: VmInput = { vmId: machine.vmId, name: machine.name };
  return makeStep('vm.start', machine, {
    title: `start ${machine.name}`,
    change: needs.length > 0 ? 'wait' : 'change',
    reason,
    needs,
    estimateMs: estimates.startMs,
    relies,
    input: { ...input },
  });
}

function planCycle(machine: MachineBlueprint, needs: readonly string[]): Step {
  const input: VmInput = { vmId: machine.vmId, name: machine.name };
  return makeStep('vm.cycle', machine, {
    title: `shut down and start ${machine.name}`,
    change: 'change',
    reason: 'a change of cores or memory counts from the next start',
    needs,
    risk: { level: 'restart' },
    estimateMs: estimates.cycleMs,
    input: { ...input },
  });
}

function planReady(machine: MachineBlueprint, generation: number, reason: string, needs: readonly string[]): Step {
  const input: MachineReadyInput = { name: machine.name, vmId: machine.vmId, address: machine.address, generation };
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

/** Machines that carry this lab's mark and are no longer in its file. */
function planLeftovers(blueprint: Blueprint, facts: HypervisorFacts): readonly Step[] {
  const wanted = new Set(blueprint.machines.map((machine) => machine.vmId));
  return facts.vms.flatMap((vm) => {
    if (wanted.has(vm.vmId) || vm.config === undefined) return [];
    const marked = { vmId: vm.vmId, host: vm.host, tags: vm.tags, description: vm.config.description };
    if (notOurs(marked, blueprint.lab) !== undefined) return [];
    const input: VmInput = { vmId: vm.vmId, name: vm.name };
    return makeStep(
      'vm.destroy',
      { name: vm.name, vmId: vm.vmId },
      {
        title: `destroy ${vm.name} on ${vm.host}`,
        change: 'destroy',
        reason: 'it is ours and no longer in the lab file',
        risk: { level: 'data-loss', lost: `disk of ${vm.name}, ${vm.config.diskGiB} GiB` },
        estimateMs: estimates.destroyMs,
        relies: [relyOn(vm, 'presence', 'ours')],
        input: { ...input },
      },
    );
  });
}

const relyOn = (vm: VmFacts, facet: Parameters<typeof entryOf>[1], was: string): Reliance => ({
  entry: entryOf(vm.vmId, facet),
  was,
});

function makeStep(
  kind: string,
  machine: { readonly name: string; readonly vmId: number },
  step: Pick<Step, 'title' | 'change' | 'reason' | 'estimateMs' | 'input'> & Partial<Step>,
): Step {
  return {
    id: stepId(kind, machine.name),
    kind,
    target: machine.name,
    needs: [],
    risk: { level: 'none' },
    relies: [],
    queues: [`vm/${machine.vmId}`],
    ...step,
  };
}

function formatShortfall([lost, machines]: readonly [HostName, readonly HostName[]]): string {
  return `if ${lost} is lost, there is no room elsewhere for ${machines.join(', ')}`;
}
