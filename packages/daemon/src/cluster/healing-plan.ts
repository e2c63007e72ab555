// From what is decided about each machine to the steps that do it. Pure; the decisions are cluster/life/heal-plan's.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import type { HealDecision } from '@labwright/cluster/life/heal-plan';
import { findOwnVm, type OwnVmFacts } from '@labwright/machines/own-vm';
import type { DepartureGuard } from '@labwright/machines/machine-plan';
import { measureRoom, placeMachine } from '@labwright/machines/placement';
import { generationOf, planCreate, planReady, planRedisk, planStart, planStop } from '@labwright/machines/vm-steps';
import type { HeldMachines } from '../healing-pauses.ts';

export interface HealingPlan extends AreaPlan {
  /** The blueprint as it holds when the steps are done: a replacement is a machine of the lab then. */
  readonly blueprint: Blueprint;
}

/** A decision that cannot be carried out is a problem of the plan; the others are planned all the same. */
export function planHealingSteps(
  blueprint: Blueprint,
  decisions: readonly HealDecision[],
  facts: { readonly hypervisors: HypervisorFacts; readonly guard: DepartureGuard },
): HealingPlan {
  const steps: Step[] = [];
  const problems: ErrorJson[] = [];
  const notes: string[] = [];
  let after = blueprint;
  for (const decision of decisions) {
    try {
      if (decision.kind === 'wait') notes.push(formatWait(decision));
      else steps.push(...planDecision(blueprint, decision, facts));
      if (decision.kind === 'replace') after = replaceMachine(after, decision.machine, decision.by);
    } catch (error) {
      problems.push(asLabwrightError(error).toJSON());
    }
  }
  return { steps, problems, notes, blueprint: after };
}

function planDecision(
  blueprint: Blueprint,
  decision: Exclude<HealDecision, { kind: 'wait' }>,
  { hypervisors, guard }: { readonly hypervisors: HypervisorFacts; readonly guard: DepartureGuard },
): readonly Step[] {
  const { machine, reason } = decision;
  switch (decision.kind) {
    case 'start': {
      const start = planStart(machine, reason, [], []);
      return [start, planReady(machine, generationOf(presentVm(blueprint, machine, hypervisors)), reason, [start.id])];
    }
    case 'new-disk': {
      const vm = presentVm(blueprint, machine, hypervisors);
      const before = guard.planDeparture({ ...machine, runs: decision.isRunning }, 'made-anew');
      const stop = decision.isRunning ? [planStop(machine, reason, lastOf(before))] : [];
      const redisk = planRedisk(machine, vm, reason, lastOf([...before, ...stop]));
      const start = planStart(machine, reason, [redisk.id], []);
      return [...before, ...stop, redisk, start, planReady(machine, generationOf(vm) + 1, reason, [start.id])];
    }
    case 'replace': {
      const { by } = decision;
      const before = guard.planDeparture({ ...machine, runs: false }, 'removed');
      const host = placeMachine(by, measureRoom(blueprint, hypervisors));
      // Nothing is left of one that had its identity before, unless the cluster still knows its name.
      const fresh = guard.planDeparture({ ...by, runs: false }, 'made-anew');
      const create = planCreate(blueprint, by, host, lastOf([...before, ...fresh]));
      const start = planStart(by, reason, [create.id], []);
      return [...before, ...fresh, create, start, planReady(by, 1, reason, [start.id])];
    }
  }
}

/** For a decision that rests on a VM that is there. */
function presentVm(blueprint: Blueprint, machine: MachineBlueprint, hypervisors: HypervisorFacts): OwnVmFacts {
  const vm = findOwnVm(blueprint.lab, machine, hypervisors);
  if (vm !== undefined) return vm;
  throw new LabwrightError('LW5001', { what: `${machine.name} is gone since it was looked at`, fix: ['labwright up'] });
}

function replaceMachine(blueprint: Blueprint, old: MachineBlueprint, by: MachineBlueprint): Blueprint {
  const machines = [...blueprint.machines.filter((machine) => machine.vmId !== old.vmId), by];
  return { ...blueprint, machines: machines.toSorted((one, other) => one.vmId - other.vmId) };
}

/** "node102 is on pve2, which does not answer …; bring pve2 back" */
function formatWait({ why, fix }: Extract<HealDecision, { kind: 'wait' }>): string {
  return [why, ...fix.slice(0, 2)].join('; ');
}

const lastOf = (steps: readonly Step[]): readonly string[] => steps.slice(-1).map((step) => step.id);

/**
 * Of what the cluster's planner would do, what belongs to healing: joins of machines that run or are made in this plan, and
 * waits for those. What stands still for another reason is not waited for.
 */
export function keepHealing(members: AreaPlan, healing: AreaPlan, running: ReadonlySet<string>): AreaPlan {
  const made = new Set(healing.steps.map(({ target }) => target));
  const kept = new Set<string>();
  const steps = members.steps.filter((step) => {
    const isOurs = running.has(step.target) || made.has(step.target);
    const isWanted = step.kind === 'cluster.join' || (step.kind === 'cluster.ready' && step.needs.length > 0);
    const healed = new Set([...healing.steps.map(({ id }) => id), ...kept]);
    if (!isOurs || !isWanted || !step.needs.every((need) => healed.has(need))) return false;
    kept.add(step.id);
    return true;
  });
  return { steps, problems: members.problems, notes: [] };
}

const nobodyHeld: HeldMachines = new Map();

/** A machine that is held waits, and so does one whose replacement is. */
export function holdDecisions(decisions: readonly HealDecision[], held = nobodyHeld): readonly HealDecision[] {
  return decisions.map((decision) => {
    if (decision.kind === 'wait') return decision;
    const why =
      held.get(decision.machine.name) ?? (decision.kind === 'replace' ? held.get(decision.by.name) : undefined);
    return why === undefined ? decision : { kind: 'wait', machine: decision.machine, why, fix: [] };
  });
}

/** Machines that are held are planned for as if they were not there: nobody's join waits for theirs. */
export function holdMembers(
  planMembers: (absent: ReadonlySet<string>) => AreaPlan,
  absent: ReadonlySet<string>,
  { held = nobodyHeld, healing }: { readonly held?: HeldMachines | undefined; readonly healing: HealingPlan },
): AreaPlan {
  const all = planMembers(absent);
  const due = new Set(all.steps.map(({ target }) => target));
  const left = healing.blueprint.machines.flatMap(({ name }) => (held.has(name) && due.has(name) ? [name] : []));
  if (left.length === 0) return all;
  // Whose VM waits as well has been told of already.
  const notes = left.flatMap((name) => held.get(name) ?? []).filter((note) => !healing.notes.includes(note));
  return { ...planMembers(new Set<string>([...absent, ...left])), problems: all.problems, notes };
}
