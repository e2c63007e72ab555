// The loop of what `serve` does on a schedule: snapshots of etcd, and certificates renewed in time. When it was last done is told
// by what is there (the folder, the certificates), so a restart of `serve` forgets nothing.
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Intent } from '@labwright/core/contract/contract';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { listWaits, type LabService, type RunOptions } from './lab-service.ts';

export interface ScheduledWork {
  /** For the log: "snapshot". */
  readonly name: string;
  readonly intent: Intent;
  /** Ends with the signal, whatever it waits for. */
  readonly isDue: (signal: AbortSignal) => Promise<boolean>;
}

export interface ScheduledWorkOptions {
  readonly service: Pick<LabService, 'plan' | 'run'>;
  readonly work: ScheduledWork;
  readonly clock: Clock;
  readonly log: Log;
  /** How often it is asked whether it is due. */
  readonly lookMs: number;
  /** Before the first look, where that is not as long: a service that never runs for `lookMs` would not look at all. */
  readonly firstLookMs?: number;
  /** After something stood in the way, where that is not as long; after each failure twice as long as the time before. */
  readonly againMs?: number;
  readonly signal: AbortSignal;
}

/** Resolves when the signal is aborted; a step under way is finished first. */
export async function keepDoing(options: ScheduledWorkOptions): Promise<void> {
  const { work, clock, log, lookMs, firstLookMs = lookMs, againMs = lookMs, signal } = options;
  let pauseMs = firstLookMs;
  let failures = 0;
  let told = '';
  const failed = (): void => {
    pauseMs = Math.min(lookMs, againMs * 2 ** failures);
    failures += 1;
  };
  while (!signal.aborted) {
    await clock.sleep(pauseMs, signal).catch(() => undefined); // Aborted: the loop ends.
    if (signal.aborted) return;
    try {
      const left = (await work.isDue(signal)) ? await doOnce(options) : '';
      if (left !== '' && left !== told) log.warn('scheduled work leaves something', { work: work.name, why: left });
      told = left;
      if (left === '') [pauseMs, failures] = [lookMs, 0];
      else failed();
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asLabwrightError(thrown);
      // Somebody else's run is under way, or no host answers: both pass.
      if (error.code === 'LW5003' || error.code === 'LW2001') {
        pauseMs = againMs;
        continue;
      }
      failed();
      const { code, message: what, why = '' } = error;
      // The same trouble is told once, not every minute.
      if (what !== told) log.error('scheduled work failed', { work: work.name, code, what, why });
      told = what;
    }
  }
}

/** What could not be planned; empty when that is nothing. */
async function doOnce({ service, work, log, signal }: ScheduledWorkOptions): Promise<string> {
  const plan = await service.plan(work.intent, signal);
  const left = listWaits(plan).join('; ');
  if (plan.steps.length === 0) return left;
  log.info('scheduled work', { work: work.name, plan: plan.id });
  const run: RunOptions = {
    planId: plan.id,
    by: 'service',
    emit: () => undefined,
    interrupt: signal,
    signal: new AbortController().signal,
  };
  const [failure] = (await service.run(run)).failures;
  if (failure !== undefined) throw failure.error;
  return left;
}
