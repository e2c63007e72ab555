// The loop that heals while `serve` runs: looks, plans what heals, runs it, and tells what waits for a person.
import type { Clock } from '@labwright/core/ports/clock';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import { makeHealingPauses, type HealingPauses } from './healing-pauses.ts';
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
/** Somebody else's run is under way, or no host answers: both pass, and both are told elsewhere. */
const passing: ReadonlySet<string> = new Set(['LW5003', 'LW2001']);

/** Resolves when the signal is aborted; what is under way then is finished first, as for any command that is interrupted. */
export async function keepHealing(options: HealingOptions): Promise<void> {
  const { clock, log, signal, everyMs = defaultEveryMs } = options;
  const pauses = makeHealingPauses(clock, everyMs);
  // What is still the same is told once, not at every look.
  const told = { waits: '', error: '' };
  while (!signal.aborted) {
    // Aborted: the loop ends.
    await clock.sleep(everyMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const waits = await healOnce(options, pauses);
      if (waits !== told.waits && waits !== '') log.warn('waits for a person', { why: waits });
      Object.assign(told, { waits, error: '' });
    } catch (thrown) {
      if (signal.aborted) return;
      const { code, message: what, why = '' } = asLabwrightError(thrown);
      if (passing.has(code)) continue;
      const error = `${code} ${what}`;
      if (error !== told.error) log.error('healing failed', { code, what, why });
      told.error = error;
    }
  }
}

/** Gives what waits for a person. */
async function healOnce({ service, log, signal }: HealingOptions, pauses: HealingPauses): Promise<string> {
  const held = pauses.held();
  const plan = await service.plan({ kind: 'heal' }, signal, held);
  pauses.looked(held, plan.steps);
  const waits = listWaits(plan).join('; ');
  if (plan.steps.length === 0) return waits;
  log.info('heals', { plan: plan.id, steps: plan.steps.map(({ title }) => title).join('; ') });
  // Its events go to everybody who listens; there is nobody else to tell.
  const run: RunOptions = {
    planId: plan.id,
    by: 'service',
    emit: () => undefined,
    interrupt: signal,
    signal: new AbortController().signal,
  };
  const { failures } = await service.run(run).catch((error: unknown) => {
    // Something else than a step: whatever it is, the same is not begun again at every look.
    const { code, message: what } = asLabwrightError(error);
    if (!passing.has(code)) pauses.failed(plan.steps.map(({ target }) => ({ target, what })));
    throw error;
  });
  for (const { step, error } of failures)
    log.warn('a step of healing failed', { step: step.id, code: error.code, what: error.message });
  pauses.failed(failures.map(({ step, error }) => ({ target: step.target, what: error.message })));
  return waits;
}
