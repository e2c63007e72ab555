// The engine: runs a plan's graph side by side under its queues, journals each step, and stops in good order.
//
//   interrupt (first Ctrl-C)   nothing new starts, waits end, what changes something is finished
//   signal    (second Ctrl-C)  everything is aborted
import { asLabwrightError, LabwrightError } from '../errors/error.ts';
import type { LabEvent, RunOutcome, StepEvent } from '../events/event.ts';
import { countChanges, type Plan } from '../plan/plan.ts';
import type { Json, Step } from '../plan/step.ts';
import type { Clock } from '../ports/clock.ts';
import { keyedQueue } from './keyed-queue.ts';

export interface StepContext {
  readonly signal: AbortSignal;
  /** Says what the step waits for and what was last seen; shown as it comes. */
  readonly progress: (detail: string) => void;
}

export interface Executor {
  /** A wait changes nothing and is ended by an interrupt; work is finished first. */
  readonly nature: 'work' | 'wait';
  /** Does the step; gives the words for its line ("installed in 41 s"). Doing it a second time is harmless. */
  run(input: Json, context: StepContext): Promise<string>;
}

export interface Journal {
  append(event: LabEvent): Promise<void>;
}

export interface EngineOptions {
  readonly run: string;
  readonly executors: ReadonlyMap<string, Executor>;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly emit: (event: LabEvent) => void;
  readonly interrupt: AbortSignal;
  readonly signal: AbortSignal;
  /** Steps under way at once. */
  readonly parallel?: number;
}

export interface RunResult {
  readonly outcome: RunOutcome;
  readonly failures: readonly { readonly step: Step; readonly error: LabwrightError }[];
  readonly done: number;
  readonly left: number;
}

type Ended = 'done' | 'failed' | 'skipped';
type Body<Event> = Event extends StepEvent ? Omit<Event, 'type' | 'at' | 'run' | 'step' | 'target'> : never;

/** Runs the plan to its end or as far as it goes. Never throws for a failed step; the result says what failed. */
export async function runPlan(plan: Plan, options: EngineOptions): Promise<RunResult> {
  const { clock, run, interrupt, signal } = options;
  const startedAt = clock.monotonic();
  const queues = keyedQueue();
  const slots = new Slots(options.parallel ?? 16);
  const ended = new Map<string, Promise<Ended>>();
  const failures: { step: Step; error: LabwrightError }[] = [];
  // Waits listen to both; what changes something listens to the hard signal only.
  const anyEnd = AbortSignal.any([interrupt, signal]);

  const record = async (event: LabEvent): Promise<void> => {
    await options.journal.append(event);
    options.emit(event);
  };
  const stepEvent = (step: Step, body: Body<StepEvent>): StepEvent => ({
    type: 'step',
    at: clock.now(),
    run,
    step: step.id,
    target: step.target,
    ...body,
  });

  const runStep = async (step: Step): Promise<Ended> => {
    const executor = options.executors.get(step.kind);
    if (executor === undefined) {
      throw new LabwrightError('LW0001', { what: `nothing knows how to do a step of kind "${step.kind}"` });
    }
    const stepSignal = executor.nature === 'wait' ? anyEnd : signal;
    // A wait holds no slot: a hundred machines may be awaited while sixteen things are changed.
    const inSlot = executor.nature === 'wait' ? <Result>(work: () => Promise<Result>) => work() : slots.run.bind(slots);
    return queues.run(step.queues, anyEnd, () =>
      inSlot(async () => {
        anyEnd.throwIfAborted();
        const stepStartedAt = clock.monotonic();
        await record(stepEvent(step, { state: 'started', title: step.title }));
        try {
          const detail = await executor.run(step.input, {
            signal: stepSignal,
            progress: (detail) => options.emit(stepEvent(step, { state: 'progress', detail })),
          });
          const durationMs = clock.monotonic() - stepStartedAt;
          await record(stepEvent(step, { state: 'done', durationMs, detail }));
          return 'done';
        } catch (thrown) {
          if (stepSignal.aborted) throw thrown;
          const error = asLabwrightError(thrown);
          failures.push({ step, error });
          const durationMs = clock.monotonic() - stepStartedAt;
          await record(stepEvent(step, { state: 'failed', durationMs, error: error.toJSON() }));
          return 'failed';
        }
      }),
    );
  };

  const follow = async (step: Step): Promise<Ended> => {
    for (const need of step.needs) {
      const end = await ended.get(need);
      if (end !== 'done') {
        await record(stepEvent(step, { state: 'skipped', because: `"${need}" did not end well` }));
        return 'skipped';
      }
    }
    try {
      return await runStep(step);
    } catch (thrown) {
      if (!anyEnd.aborted) throw thrown;
      await record(stepEvent(step, { state: 'skipped', because: 'interrupted' }));
      return 'skipped';
    }
  };

  await record({
    type: 'run-started',
    at: clock.now(),
    run,
    plan: plan.id,
    lab: plan.lab,
    steps: plan.steps.map(({ id, title, estimateMs }) => ({ id, title, estimateMs })),
  });
  // The plan is sorted, so the promise of every need exists before the step that awaits it.
  for (const step of plan.steps) ended.set(step.id, follow(step));
  const ends = await Promise.all(ended.values());

  const done = ends.filter((end) => end === 'done').length;
  const left = ends.length - done;
  const outcome: RunOutcome = failures.length > 0 ? 'failed' : left > 0 ? 'interrupted' : 'done';
  await record({
    type: 'run-ended',
    at: clock.now(),
    run,
    outcome,
    durationMs: clock.monotonic() - startedAt,
    counts: countChanges(plan),
    stepsDone: done,
    stepsLeft: left,
  });
  return { outcome, failures, done, left };
}

/** A bound on how much runs at once. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
