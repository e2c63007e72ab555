// A run as its events tell it: folded into what a screen needs. Pure; the live and the plain renderer share it.
import type { ErrorJson } from '@labwright/core/errors/error';
import type { LabEvent, RunEndedEvent, RunStartedEvent, StepEvent } from '@labwright/core/events/event';

export interface RunningStep {
  readonly step: string;
  readonly target: string;
  readonly title: string;
  /** What it waits for and what was last seen. */
  readonly detail: string;
  readonly since: number;
  readonly estimateMs: number;
}

export interface RunState {
  readonly startedAt: number;
  readonly total: number;
  /** Of the thing with the longest name, for its column. */
  readonly longestName: number;
  /** Estimates of steps that have not begun. */
  readonly waiting: ReadonlyMap<string, number>;
  readonly running: ReadonlyMap<string, RunningStep>;
  readonly done: number;
  readonly skipped: number;
  readonly failures: readonly { readonly step: string; readonly error: ErrorJson }[];
  readonly ended: RunEndedEvent | undefined;
}

export const emptyRun: RunState = {
  startedAt: 0,
  total: 0,
  longestName: 0,
  waiting: new Map(),
  running: new Map(),
  done: 0,
  skipped: 0,
  failures: [],
  ended: undefined,
};

export function foldRun(state: RunState, event: LabEvent): RunState {
  switch (event.type) {
    case 'run-started':
      return startRun(event);
    case 'run-ended':
      return { ...state, running: new Map(), ended: event };
    case 'step':
      return foldStep(state, event);
    case 'boot':
    case 'boot-refused':
      return state;
  }
}

function startRun(event: RunStartedEvent): RunState {
  return {
    ...emptyRun,
    startedAt: event.at,
    total: event.steps.length,
    longestName: Math.max(0, ...event.steps.map((step) => targetOf(step.id).length)),
    waiting: new Map(event.steps.map((step) => [step.id, step.estimateMs])),
  };
}

function foldStep(state: RunState, event: StepEvent): RunState {
  const running = new Map(state.running);
  const before = running.get(event.step);
  switch (event.state) {
    case 'started': {
      const { step, target, title, at } = event;
      const estimateMs = state.waiting.get(step) ?? 0;
      running.set(step, { step, target, title, detail: '', since: at, estimateMs });
      return { ...state, running, waiting: without(state.waiting, step) };
    }
    case 'progress':
      if (before !== undefined) running.set(event.step, { ...before, detail: event.detail });
      return { ...state, running };
    case 'done':
      running.delete(event.step);
      return { ...state, running, done: state.done + 1 };
    case 'failed':
      running.delete(event.step);
      return { ...state, running, failures: [...state.failures, { step: event.step, error: event.error }] };
    case 'skipped':
      running.delete(event.step);
      return { ...state, running, skipped: state.skipped + 1, waiting: without(state.waiting, event.step) };
  }
  return state;
}

/** The steps of one thing follow each other, things go side by side: what takes longest decides. Milliseconds. */
export function estimateLeftMs(state: RunState, now: number): number {
  const left = new Map<string, number>();
  const add = (target: string, ms: number): void => void left.set(target, (left.get(target) ?? 0) + ms);
  for (const [step, estimateMs] of state.waiting) add(targetOf(step), estimateMs);
  for (const { target, estimateMs, since } of state.running.values())
    add(target, Math.max(0, estimateMs - (now - since)));
  return Math.max(0, ...left.values());
}

/** Whether steps of the thing have not begun. */
export function isMoreToCome(state: RunState, target: string): boolean {
  return [...state.waiting.keys()].some((step) => targetOf(step) === target);
}

/** Every planner forms ids as "KIND TARGET". */
const targetOf = (step: string): string => step.split(' ')[1] ?? step;

function without(map: ReadonlyMap<string, number>, key: string): ReadonlyMap<string, number> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
