// A run as its events tell it: folded into what a screen needs. Pure; the live and the plain renderer share it.
import type { ErrorJson } from '@labwright/core/errors/error';
import type { LabEvent, RunEndedEvent } from '@labwright/core/events/event';

export interface RunningStep {
  readonly step: string;
  readonly target: string;
  readonly title: string;
  readonly detail: string;
  readonly since: number;
  readonly estimateMs: number;
}

export interface RunState {
  readonly startedAt: number;
  readonly total: number;
  readonly estimates: ReadonlyMap<string, number>;
  readonly running: ReadonlyMap<string, RunningStep>;
  readonly done: number;
  readonly failures: readonly { readonly step: string; readonly error: ErrorJson }[];
  readonly ended: RunEndedEvent | undefined;
}

export const emptyRun: RunState = {
  startedAt: 0,
  total: 0,
  estimates: new Map(),
  running: new Map(),
  done: 0,
  failures: [],
  ended: undefined,
};

export function foldRun(state: RunState, event: LabEvent): RunState {
  switch (event.type) {
    case 'run-started':
      return {
        ...emptyRun,
        startedAt: event.at,
        total: event.steps.length,
        estimates: new Map(event.steps.map((step) => [step.id, step.estimateMs])),
      };
    case 'run-ended':
      return { ...state, running: new Map(), ended: event };
    case 'step': {
      const running = new Map(state.running);
      const before = running.get(event.step);
      switch (event.state) {
        case 'started':
          running.set(event.step, {
            step: event.step,
            target: event.target,
            title: event.title,
            detail: '',
            since: event.at,
            estimateMs: state.estimates.get(event.step) ?? 0,
          });
          return { ...state, running };
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
          return { ...state, running };
      }
      return state;
    }
    case 'boot':
    case 'boot-refused':
      return state;
  }
}
