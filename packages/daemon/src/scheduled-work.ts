// The loop of what `serve` does on a schedule: snapshots of etcd, and certificates renewed in time. When it was last done is told
// by what is there (the folder, the certificates), so a restart of `serve` forgets nothing.
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Intent } from '@labwright/core/contract/contract';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { LabService, RunOptions } from './lab-service.ts';

export interface ScheduledWork {
  /** For the log: "snapshot". */
  readonly name: string;
  readonly intent: Intent;
  readonly isDue: () => Promise<boolean>;
}

export interface ScheduledWorkOptions {
  readonly service: Pick<LabService, 'plan' | 'run'>;
  readonly work: ScheduledWork;
  readonly clock: Clock;
  readonly log: Log;
  /** How often it is asked whether it is due. */
  readonly lookMs: number;
  readonly signal: AbortSignal;
}

/** Resolves when the signal is aborted; a step under way is finished first. */
export async function keepDoing(options: ScheduledWorkOptions): Promise<void> {
  const { work, clock, log, lookMs, signal } = options;
  let told = '';
  while (!signal.aborted) {
    await clock.sleep(lookMs, signal).catch(() => undefined); // Aborted: the loop ends.
    if (signal.aborted) return;
    try {
      if (await work.isDue()) await doOnce(options);
      told = '';
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asLabwrightError(thrown);
      // Somebody else's run is under way, or no host answers: both pass.
      if (error.code === 'LW5003' || error.code === 'LW2001') continue;
      const { code, message: what, why = '' } = error;
      // The same trouble is told once, not every minute.
      if (what !== told) log.error('scheduled work failed', { work: work.name, code, what, why });
      told = what;
    }
  }
}

async function doOnce({ service, work, log, signal }: ScheduledWorkOptions): Promise<void> {
  const plan = await service.plan(work.intent, signal);
  if (plan.steps.length === 0) return;
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
}
