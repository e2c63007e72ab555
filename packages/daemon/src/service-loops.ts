// What a service does by itself, over and over, for as long as it runs: healing, renewing, snapshots.
import type { Clock } from '@labwright/core/ports/clock';
import type { LifeArea } from './cluster/life-area.ts';
import { keepHealing } from './healing.ts';
import type { LabService } from './lab-service.ts';
import { keepDoing, type ScheduledWork, type ScheduledWorkOptions } from './scheduled-work.ts';
import type { ServeOptions } from './serve-options.ts';

/** A command has none of it. Gives what ends it, the step under way finished first. */
export function startLoops(
  { service, life }: { readonly service: LabService; readonly life?: LifeArea },
  { blueprint, clock, log }: Pick<ServeOptions, 'blueprint' | 'clock' | 'log'>,
  signal: AbortSignal,
): () => Promise<void> {
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const scheduled = life === undefined ? [] : listScheduledWork(life, blueprint.snapshots?.everyMs, clock);
  const loops = [
    keepHealing({ service, clock, log, signal: ended }),
    ...scheduled.map((each) => keepDoing({ ...each, service, clock, log, signal: ended })),
  ];
  return async () => {
    closing.abort();
    await Promise.all(loops);
  };
}

const minuteMs = 60_000;

function listScheduledWork(
  life: LifeArea,
  snapshotsEveryMs: number | undefined,
  clock: Clock,
): readonly Pick<ScheduledWorkOptions, 'work' | 'lookMs' | 'firstLookMs' | 'againMs'>[] {
  const certificates: ScheduledWork = { name: 'certificates', intent: { kind: 'renew' }, isDue: async () => true };
  // A computer that is off at night, or a lab file that is edited every day, lets no service run for long.
  const renewal = { work: certificates, firstLookMs: minuteMs, lookMs: 12 * 60 * minuteMs, againMs: 5 * minuteMs };
  if (snapshotsEveryMs === undefined) return [renewal];
  const isDue = async (signal: AbortSignal): Promise<boolean> => {
    const last = await life.fetchLastSnapshotAt(signal);
    return last === undefined || clock.now() - last >= snapshotsEveryMs;
  };
  const snapshot: ScheduledWork = { name: 'snapshot', intent: { kind: 'snapshot', reason: 'scheduled' }, isDue };
  return [{ work: snapshot, lookMs: minuteMs }, renewal];
}
