// A plan: steps of all areas merged into one graph, with what they rely on and what stands in the way.
import { createHash } from 'node:crypto';
import type { LabId } from '../addresses/names.ts';
import { invariant } from '../errors/error.ts';
import type { ErrorJson } from '../errors/error.ts';
import type { Step } from './step.ts';

export interface Plan {
  /** Short digest of the steps: the same lab in the same state gives the same id. */
  readonly id: string;
  readonly lab: LabId;
  /** When the facts were looked at, milliseconds since 1970 UTC. */
  readonly asOf: number;
  /** Every step after the steps it needs. */
  readonly steps: readonly Step[];
  /** What could not be planned, and why; the rest can be applied all the same. */
  readonly problems: readonly ErrorJson[];
  /** Things a person should know that need no step: "losing pve3 would not leave room for node103". */
  readonly notes: readonly string[];
}

/** What one area's planner gives. */
export interface AreaPlan {
  readonly steps: readonly Step[];
  readonly problems: readonly ErrorJson[];
  readonly notes: readonly string[];
}

/** Merges the areas' steps. Throws LW0001 when an id is double, a need is missing or the graph has a circle: planners' mistakes. */
export function mergePlans(lab: LabId, asOf: number, areas: readonly AreaPlan[]): Plan {
  const steps = sortByNeeds(areas.flatMap((area) => area.steps));
  return {
    id: planId(lab, steps),
    lab,
    asOf,
    steps,
    problems: areas.flatMap((area) => area.problems),
    notes: areas.flatMap((area) => area.notes),
  };
}

export interface PlanCounts {
  readonly add: number;
  readonly change: number;
  readonly destroy: number;
}

/** How many things are added, changed and destroyed; a thing with several steps counts once, by its gravest change. */
export function countChanges(plan: Plan): PlanCounts {
  const gravity = { wait: 0, change: 1, add: 2, destroy: 3 } as const;
  const gravest = new Map<string, Step['change']>();
  for (const step of plan.steps) {
    const before = gravest.get(step.target);
    if (before === undefined || gravity[step.change] > gravity[before]) gravest.set(step.target, step.change);
  }
  const count = (change: Step['change']): number => [...gravest.values()].filter((each) => each === change).length;
  return { add: count('add'), change: count('change'), destroy: count('destroy') };
}

/** The longest path through the graph by the steps' estimates, milliseconds. */
export function estimatePlanMs(plan: Plan): number {
  const endMs = new Map<string, number>();
  for (const step of plan.steps) {
    const startMs = Math.max(0, ...step.needs.map((need) => endMs.get(need) ?? 0));
    endMs.set(step.id, startMs + step.estimateMs);
  }
  return Math.max(0, ...endMs.values());
}

/** Reliances that no longer hold; `entries` is what the facts say now. */
export function movedReliances(plan: Plan, entries: ReadonlyMap<string, string>): readonly string[] {
  const moved = new Set<string>();
  for (const { relies } of plan.steps) {
    for (const { entry, was } of relies) {
      const is = entries.get(entry) ?? 'unknown';
      if (is !== was) moved.add(`${entry}: was ${was}, is ${is}`);
    }
  }
  return [...moved];
}

// Kahn's algorithm, keeping the planners' order among steps that are free at the same time.
function sortByNeeds(steps: readonly Step[]): readonly Step[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  invariant(byId.size === steps.length, 'every step of a plan has an id of its own');
  const waiting = new Map<string, number>();
  const dependents = new Map<string, Step[]>();
  for (const step of steps) {
    const needs = new Set(step.needs);
    waiting.set(step.id, needs.size);
    for (const need of needs) {
      invariant(byId.has(need), `the need "${need}" of step "${step.id}" is in the plan`);
      dependents.set(need, [...(dependents.get(need) ?? []), step]);
    }
  }
  const ready = steps.filter((step) => waiting.get(step.id) === 0);
  for (let at = 0; at < ready.length; at += 1) {
    const done = ready[at];
    invariant(done !== undefined, 'the list of ready steps has no holes');
    for (const dependent of dependents.get(done.id) ?? []) {
      const left = (waiting.get(dependent.id) ?? 0) - 1;
      waiting.set(dependent.id, left);
      if (left === 0) ready.push(dependent);
    }
  }
  invariant(ready.length === steps.length, 'the steps of a plan form no circle');
  return ready;
}

function planId(lab: LabId, steps: readonly Step[]): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([lab, steps]))
    .digest('hex');
  return digest.slice(0, 6);
}
