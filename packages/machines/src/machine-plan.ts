// The planner of machines: from the blueprint and what is there to the steps that make the two agree. Pure.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName, LabId, VmId } from '@labwright/core/addresses/names';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import type { MachineFacts, MachineReport } from '@labwright/core/facts/machines';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { isOurs } from '@labwright/drivers/proxmox/mark';
import { assertOwn, isBeingMade, type OwnVmFacts } from './own-vm.ts';
import { findLossShortfalls, measureRoom, placeMachine } from './placement.ts';
import {
  generationOf,
  planCreate,
  planCreateFollowed,
  planCycle,
  planDestroy,
  planReady,
  planResize,
  planSettle,
  planStart,
  planUpdate,
  relyOn,
} from './vm-steps.ts';

export interface MachineFactsInput {
  readonly hypervisors: HypervisorFacts;
  readonly machines: MachineFacts;
}

/** What has to be done elsewhere before a machine goes or is made anew under its name. */
export interface DepartureGuard {
  /** In order; the machine's own step needs the last of them. Throws why it must not go. `isGone`: it has no VM, so no disk either. */
  planDeparture(
    machine: { readonly name: string; readonly vmId: VmId; readonly runs: boolean; readonly isGone?: boolean },
    because: 'removed' | 'made-anew',
  ): readonly Step[];
}

export const nobodyElse: DepartureGuard = { planDeparture: () => [] };

/** A machine that cannot be planned is a problem of the plan; the rest is planned all the same. */
export function planMachines(
  blueprint: Blueprint,
  facts: MachineFactsInput,
  guard: DepartureGuard = nobodyElse,
): AreaPlan {
  const { hypervisors } = facts;
  const vms = new Map(hypervisors.vms.map((vm) => [vm.vmId, vm]));
  const reports = new Map(facts.machines.reports.map((report) => [report.name, report]));
  const rooms = measureRoom(blueprint, hypervisors);
  const steps: Step[] = [];
  const problems: ErrorJson[] = [];
  const placed = new Map<HostName, HostName>();
  for (const machine of blueprint.machines) {
    const vm = vms.get(machine.vmId);
    try {
      if (vm === undefined) {
        const before = guard.planDeparture({ ...machine, runs: false, isGone: true }, 'made-anew');
        const host = placeMachine(machine, rooms);
        placed.set(machine.name, host);
        steps.push(...before, ...planNew(planCreate(blueprint, machine, host, lastOf(before)), machine));
      } else {
        placed.set(machine.name, vm.host);
        if (isBeingMade(vm)) steps.push(...planNew(planCreateFollowed(blueprint, machine, vm.host), machine));
        else steps.push(...planPresent(machine, assertOwn(blueprint.lab, machine, vm), reports.get(machine.name)));
      }
    } catch (error) {
      problems.push(asLabwrightError(error).toJSON());
    }
  }
  for (const vm of findLeftovers(blueprint, hypervisors)) {
    try {
      const before = guard.planDeparture({ name: vm.name, vmId: vm.vmId, runs: vm.status === 'running' }, 'removed');
      steps.push(...before, planDestroy(vm, whyLeftOver(blueprint, vm), lastOf(before)));
    } catch (error) {
      problems.push(asLabwrightError(error).toJSON());
    }
  }
  const shortfalls = findLossShortfalls(blueprint, placed, rooms);
  return { steps, problems, notes: [...shortfalls].map(formatShortfall) };
}

const lastOf = (steps: readonly Step[]): readonly string[] => steps.slice(-1).map((step) => step.id);

function whyLeftOver(blueprint: Blueprint, vm: OwnVmFacts): string {
  const standIn = blueprint.machines.find((machine) => machine.replaces === vm.vmId);
  return standIn === undefined ? 'it is ours and no longer in the file' : `${standIn.name} has taken its place`;
}

function planNew(create: Step, machine: MachineBlueprint): readonly Step[] {
  const start = planStart(machine, 'it is new', [create.id], []);
  return [create, start, planReady(machine, 1, 'it is new', [start.id])];
}

function planPresent(machine: MachineBlueprint, vm: OwnVmFacts, report: MachineReport | undefined): readonly Step[] {
  assertChangeable(machine, vm);
  const generation = generationOf(vm);
  const isReady = vm.status === 'running' && report !== undefined && report.generation >= generation;
  const steps: Step[] = [];
  const needs = (): string[] => steps.slice(-1).map((step) => step.id);

  // In the middle of its installation it is left alone: whatever else there is to do with it waits for that.
  if (vm.status !== 'stopped' && !isReady) {
    steps.push(planReady(machine, generation, 'it has not said that it is ready', []));
  }
  const changes = listChanges(machine, vm);
  if (changes.length > 0) steps.push(planUpdate(machine, vm, changes, needs()));
  if (vm.config.diskGiB < machine.diskGiB) steps.push(planResize(machine, vm, needs()));
  if (vm.status === 'stopped') {
    // A start that a run before this one asked for may be under way: alone it harms nobody to find it done.
    const relies = steps.length === 0 ? [] : [relyOn(vm, 'status', 'stopped')];
    steps.push(planStart(machine, 'it is stopped', needs(), relies));
    steps.push(planReady(machine, generation, 'it was stopped', needs()));
  } else if (changes.length > 0 || isWaitingForRestart(vm)) {
    steps.push(planCycle(machine, needs()));
    const again = planReady(machine, generation, 'it starts again', needs());
    steps.push({ ...again, id: `${again.id} again` });
  }
  if (vm.config.bootFirst === 'network') steps.push(planSettle(machine, 'it is installed', needs()));
  return steps;
}

/** A change was written, by us or by hand, and the machine still runs as it did before. */
const isWaitingForRestart = ({ config, cores, memoryMiB }: OwnVmFacts): boolean =>
  config.cores !== cores || config.memoryMiB !== memoryMiB;

function listChanges(machine: MachineBlueprint, { config }: OwnVmFacts): readonly string[] {
  return [
    ...(config.cores === machine.cores ? [] : [`cores ${config.cores} → ${machine.cores}`]),
    ...(config.memoryMiB === machine.memoryMiB ? [] : [`memory ${config.memoryMiB} → ${machine.memoryMiB} MiB`]),
  ];
}

/** A disk cannot shrink, and firmware or Ethernet address of an installed machine cannot change under it. */
function assertChangeable(machine: MachineBlueprint, { config, host }: OwnVmFacts): void {
  const refuse = (what: string, why: string, fix: readonly string[]): never => {
    throw new LabwrightError('LW2011', { what, why, fix, where: { machine: machine.name, host } });
  };
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
      [`pools.${machine.pool}.firmware: ${config.firmware}`, `labwright destroy ${machine.name}, then labwright up`],
    );
  }
  if (!config.macs.some((mac) => mac.toLowerCase() === machine.mac)) {
    refuse(
      `${machine.name} has the Ethernet address ${config.macs.join(', ') || 'none'} and the file wants ${machine.mac}`,
      'somebody changed its network card, or identity.macPrefix changed in the file',
      [`set the address of net0 of VM ${machine.vmId} back to ${machine.mac}`],
    );
  }
}

/** Machines that carry this lab's mark and are no longer in its file, or were replaced while their host was gone. */
export function findLeftovers(blueprint: Blueprint, facts: HypervisorFacts): readonly OwnVmFacts[] {
  const wanted = new Set(blueprint.machines.map((machine) => machine.vmId));
  return facts.vms.flatMap((vm) => (wanted.has(vm.vmId) ? [] : (asOwn(blueprint.lab, vm) ?? [])));
}

function asOwn(lab: LabId, vm: VmFacts): OwnVmFacts | undefined {
  const { config } = vm;
  if (config === undefined) return undefined;
  return isOurs({ vmId: vm.vmId, tags: vm.tags, description: config.description }, lab) ? { ...vm, config } : undefined;
}

function formatShortfall([lost, machines]: readonly [HostName, readonly HostName[]]): string {
  return `if ${lost} is lost, there is no room elsewhere for ${machines.join(', ')}`;
}
