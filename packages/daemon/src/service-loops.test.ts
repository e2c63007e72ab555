import { labId } from '@labwright/core/addresses/names';
import type { Intent } from '@labwright/core/contract/contract';
import { mergePlans } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog } from '@labwright/core/ports/log';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { expect, test } from 'vitest';
import type { LifeArea } from './cluster/life-area.ts';
import type { LabService } from './lab-service.ts';
import { startLoops } from './service-loops.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Whoever sleeps is woken in order, and time goes by from one to the next. */
function makeTime() {
  let now = 0;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { at: now + ms, wake: resolve };
      sleepers.add(sleeper);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      await promise.finally(() => sleepers.delete(sleeper));
    },
  };
  const passUntil = async (end: number): Promise<void> => {
    for (;;) {
      // Whoever was woken does all it does before it sleeps again.
      await new Promise(setImmediate);
      const [next] = [...sleepers].toSorted((one, other) => one.at - other.at);
      if (next === undefined || next.at > end) break;
      now = next.at;
      sleepers.delete(next);
      next.wake();
    }
    now = end;
  };
  return { clock, passUntil };
}

test('certificates are looked at soon after the start, and twice a day; a snapshot is taken when it is due', async () => {
  const { clock, passUntil } = makeTime();
  const looks: { readonly kind: Intent['kind']; readonly at: number }[] = [];
  const service: Pick<LabService, 'plan'> = {
    plan: async (intent) => {
      looks.push({ kind: intent.kind, at: clock.now() });
      return mergePlans(labId('home'), clock.now(), []);
    },
  };
  const life: Pick<LifeArea, 'fetchLastSnapshotAt'> = {
    // As the folder has it: what was planned last was taken.
    fetchLastSnapshotAt: async () => looks.findLast(({ kind }) => kind === 'snapshot')?.at ?? 0,
  };
  const blueprint = {
    ...makeSampleBlueprint(makeSampleCluster('1.20.2'), [makeMember(101, 'control-plane')]),
    snapshots: { folder: 'snapshots', everyMs: 10 * hourMs, keep: 3 },
  };
  const close = startLoops(
    { service: service as LabService, life: life as LifeArea },
    { blueprint, clock, log: silentLog },
    new AbortController().signal,
  );
  await passUntil(25 * hourMs);
  await close();
  const timesOf = (kind: Intent['kind']) => looks.filter((look) => look.kind === kind).map(({ at }) => at);
  expect(timesOf('renew')).toEqual([minuteMs, minuteMs + 12 * hourMs, minuteMs + 24 * hourMs]);
  expect(timesOf('snapshot')).toEqual([10 * hourMs, 20 * hourMs]);
});
