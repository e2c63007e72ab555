// Plans that a person asks for beside `up`: shutting down, destroying, rebuilding. Pure, like the planner of `up`.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { parseMark } from '@labwright/drivers/proxmox/mark';
import { planMachines, type MachineFactsInput } from './machine-plan.ts';
import { findOwnVm } from './own-vm.ts';
import { planDestroy, planReady, planSettle, planShutdown, planStart, planWipe } from './vm-steps.ts';

/** Throws LW0002 for a machine that is not in the file, LW2001 and LW2008 as for one that cannot or must not be touched. */
export function planIntent(intent: Intent, blueprint: Blueprint, facts: MachineFactsInput): AreaPlan {
  switch (intent.kind) {
    case 'up':
      return planMachines(blueprint, facts);
    case 'down':
      return stepsOnly(planDown(blueprint, facts));
    case 'destroy':
      return stepsOnly(
        intent.machines.flatMap((name) => {
          const vm = findOwnVm(blueprint.lab, getMachine(blueprint, name), facts.hypervisors);
          return vm === undefined ? [] : [planDestroy(vm, 'you asked for it')];
        }),
      );
    case 'rebuild':
      return stepsOnly(planRebuild(blueprint, getMachine(blueprint, intent.machine), facts));
  }
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
function planRebuild(blueprint: Blueprint, machine: MachineBlueprint, facts: MachineFactsInput): readonly Step[] {
  const vm = findOwnVm(blueprint.lab, machine, facts.hypervisors);
  if (vm === undefined) {
    throw new LabwrightError('LW0002', {
      what: `${machine.name} does not exist yet, so there is nothing to rebuild`,
      fix: ['labwright up'],
    });
  }
  const generation = (parseMark(vm.config.description)?.generation ?? 1) + 1;
  const reason = 'you asked for it';
  const stop: readonly Step[] = vm.status === 'running' ? [planShutdown(machine, reason, [])] : [];
  const wipe = planWipe(
    machine,
    vm,
    generation,
    reason,
    stop.map((step) => step.id),
  );
  const start = planStart(machine, reason, [wipe.id], []);
  const ready = planReady(machine, generation, reason, [start.id]);
  return [...stop, wipe, start, ready, planSettle(machine, reason, [ready.id])];
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

const stepsOnly = (steps: readonly Step[]): AreaPlan => ({ steps, problems: [], notes: [] });
