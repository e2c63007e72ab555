// Plans that a person asks for beside `up`: shutting down, destroying, rebuilding. Pure, like the planner of `up`.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { parseMark } from '@labwright/drivers/proxmox/mark';
import { nobodyElse, planMachines, type DepartureGuard, type MachineFactsInput } from './machine-plan.ts';
import { findOwnVm } from './own-vm.ts';
import { planDestroy, planReady, planSettle, planShutdown, planStart, planWipe } from './vm-steps.ts';

/** What is planned of machines alone. */
export type MachineIntent = Extract<Intent, { kind: 'up' | 'down' | 'destroy' | 'rebuild' }>;

/**
 * Throws LW0002 for a machine that is not in the file, LW2001 and LW2008 as for one that cannot or must not be touched, and
 * what the guard throws for one that must not go.
 */
export function planIntent(
  intent: MachineIntent,
  blueprint: Blueprint,
  facts: MachineFactsInput,
  guard: DepartureGuard = nobodyElse,
): AreaPlan {
  switch (intent.kind) {
    case 'up':
      return planMachines(blueprint, facts, guard);
    case 'down':
      return stepsOnly(planDown(blueprint, facts));
    case 'destroy': {
      const cluster = destroysCluster(intent, blueprint) ? 'what is in the cluster' : undefined;
      return stepsOnly(
        intent.machines.flatMap((name) => {
          const machine = getMachine(blueprint, name);
          const vm = findOwnVm(blueprint.lab, machine, facts.hypervisors);
          if (vm === undefined) return [];
          const before = guard.planDeparture({ ...machine, runs: vm.status === 'running' }, 'removed');
          const also = machine.role === 'control-plane' ? cluster : undefined;
          return [...before, planDestroy(vm, 'you asked for it', lastOf(before), also)];
        }),
      );
    }
    case 'rebuild':
      return stepsOnly(planRebuild(blueprint, getMachine(blueprint, intent.machine), facts, guard));
  }
}

/** Nobody of it stays, so that nobody has to leave it first: it goes as a whole. */
export function destroysCluster(intent: MachineIntent, { machines }: Pick<Blueprint, 'machines'>): boolean {
  if (intent.kind !== 'destroy') return false;
  const gone = new Set(intent.machines);
  return machines.every(({ name, role }) => role === undefined || gone.has(name));
}

/** Higher start orders stop first; machines without one stop before those that have one. */
function planDown(blueprint: Blueprint, facts: MachineFactsInput): readonly Step[] {
  const running = blueprint.machines.flatMap((machine) => {
    const vm = findOwnVm(blueprint.lab, machine, facts.hypervisors);
    return vm?.status === 'running' ? [{ machine, order: machine.startOrder ?? Number.POSITIVE_INFINITY }] : [];
  });
  const orders = [...new Set(running.map(({ order }) => order))].sort((one, other) => other - one);
  const steps: Step[] = [];
  let before: readonly string[] = [];
  for (const order of orders) {
    const stage = running
      .filter((each) => each.order === order)
      .map(({ machine }) => planShutdown(machine, 'you asked for it', before));
    steps.push(...stage);
    before = stage.map((step) => step.id);
  }
  return steps;
}

/**
 * The disk is the authority on what is installed, so a rebuild raises the wanted generation and lets the installer find an
 * older one. It boots from the network first for that one boot.
 */
function planRebuild(
  blueprint: Blueprint,
  machine: MachineBlueprint,
  facts: MachineFactsInput,
  guard: DepartureGuard,
): readonly Step[] {
  const vm = findOwnVm(blueprint.lab, machine, facts.hypervisors);
  if (vm === undefined) {
    throw new LabwrightError('LW0002', {
      what: `${machine.name} does not exist yet, so there is nothing to rebuild`,
      fix: ['labwright up'],
    });
  }
  const generation = (parseMark(vm.config.description)?.generation ?? 1) + 1;
  const reason = 'you asked for it';
  const before = guard.planDeparture({ ...machine, runs: vm.status === 'running' }, 'made-anew');
  const stop: readonly Step[] = vm.status === 'running' ? [planShutdown(machine, reason, lastOf(before))] : [];
  const wipe = planWipe(machine, vm, generation, reason, lastOf([...before, ...stop]));
  const start = planStart(machine, reason, [wipe.id], []);
  const ready = planReady(machine, generation, reason, [start.id]);
  return [...before, ...stop, wipe, start, ready, planSettle(machine, reason, [ready.id])];
}

function getMachine(blueprint: Blueprint, name: string): MachineBlueprint {
  const machine = blueprint.machines.find((each) => each.name === name);
  if (machine !== undefined) return machine;
  throw new LabwrightError('LW0002', {
    what: `the lab has no machine "${name}"`,
    why: `it has ${blueprint.machines.map((each) => each.name).join(', ')}`,
    fix: ['labwright status'],
  });
}

const lastOf = (steps: readonly Step[]): readonly string[] => steps.slice(-1).map((step) => step.id);

const stepsOnly = (steps: readonly Step[]): AreaPlan => ({ steps, problems: [], notes: [] });
