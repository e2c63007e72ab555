// Everything that happens while Labwright works, as data. Terminal, page, history and chat render these and nothing else.
import type { ErrorJson } from '../errors/error.ts';
import type { PlanCounts } from '../plan/plan.ts';
import type { BootEvent, BootRefusedEvent } from './boot.ts';

export type RunOutcome = 'done' | 'failed' | 'interrupted';

export interface RunStartedEvent {
  readonly type: 'run-started';
  readonly at: number;
  readonly run: string;
  readonly plan: string;
  readonly lab: string;
  readonly steps: readonly { readonly id: string; readonly title: string; readonly estimateMs: number }[];
}

export interface RunEndedEvent {
  readonly type: 'run-ended';
  readonly at: number;
  readonly run: string;
  readonly outcome: RunOutcome;
  readonly durationMs: number;
  readonly counts: PlanCounts;
  readonly stepsDone: number;
  readonly stepsLeft: number;
}

interface StepEventBase {
  readonly type: 'step';
  readonly at: number;
  readonly run: string;
  readonly step: string;
  readonly target: string;
}

/**
 *   waiting → started → (progress)* → done
 *                  └────────────────→ failed
 *   waiting → skipped            (a step it needs failed, or the run was interrupted)
 */
export type StepEvent = StepEventBase &
  (
    | { readonly state: 'started'; readonly title: string }
    /** What it waits for and what was last seen. */
    | { readonly state: 'progress'; readonly detail: string }
    | { readonly state: 'done'; readonly durationMs: number; readonly detail: string }
    | { readonly state: 'failed'; readonly durationMs: number; readonly error: ErrorJson }
    | { readonly state: 'skipped'; readonly because: string }
  );

export type LabEvent = RunStartedEvent | RunEndedEvent | StepEvent | BootEvent | BootRefusedEvent;
