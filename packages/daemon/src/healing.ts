// The loop that heals while `serve` runs: looks, plans what heals, runs it, and tells what waits for a person.
import type { Clock } from '@labwright/core/ports/clock';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import { listWaits, type LabService, type RunOptions } from './lab-service.ts';

export interface HealingOptions {
  readonly service: LabService;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks. */
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

const defaultEveryMs = 15_000;
/** After a run that failed the next one waits, each time twice as long: what cannot be healed is not hammered. */
const mostMs = 3_600_000;

/** Resolves when the signal is aborted; what is under way then is finished first, as for any command that is interrupted. */
export async function keepHealing(options: HealingOptions): Promise<void> {
  const { clock, log, signal, everyMs = defaultEveryMs } = options;
  let pauseMs = everyMs;
  let told = '';
  while (!signal.aborted) {
    // Aborted: the loop ends.
    await clock.sleep(pauseMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const { isWell, waits } = await healOnce(options);
      pauseMs = isWell ? everyMs : Math.min(mostMs, pauseMs * 2);
      if (waits !== told && waits !== '') log.warn('waits for a person', { why: waits });
      told = waits;
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asLabwrightError(thrown);
      // Somebody else's run is under way, or no host answers: both pass, and both are told elsewhere.
      if (error.code !== 'LW5003' && error.code !== 'LW2001') {
        log.error('healing failed', { code: error.code, what: error.message, why: error.why ?? '' });
        pauseMs = Math.min(mostMs, pauseMs * 2);
      }
    }
  }
}

async function healOnce({ service, log, signal }: HealingOptions): Promise<{ isWell: boolean; waits: string }> {
  const plan = await service.plan({ kind: 'heal' }, signal);
  const waits = listWaits(plan).join('; ');
  if (plan.steps.length === 0) return { isWell: true, waits };
  log.info('heals', { plan: plan.id, steps: plan.steps.map(({ title }) => title).join('; ') });
  // Its events go to everybody who listens; there is nobody else to tell.
  const run: RunOptions = {
    planId: plan.id,
    by: 'service',
    emit: () => undefined,
    interrupt: signal,
    signal: new AbortController().signal,
  };
  const { outcome, failures } = await service.run(run);
  for (const { step, error } of failures)
    log.warn('a step of healing failed', { step: step.id, code: error.code, what: error.message });
  return { isWell: outcome === 'done', waits };
}
