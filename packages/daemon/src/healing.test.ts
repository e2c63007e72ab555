import { expect, test } from 'vitest';
import { labId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { mergePlans, type AreaPlan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog, type Log } from '@labwright/core/ports/log';
import { planSnapshot } from '@labwright/cluster/snapshot/take-snapshot';
import { keepHealing, type HealingOptions } from './healing.ts';
import { keepDoing } from './scheduled-work.ts';

/** Time passes only by sleeping, and the last of the looks ends the loop. */
function makeWorld(
  looks: number,
  look: (at: number) => AreaPlan | LabwrightError,
  outcome: 'done' | 'failed' = 'done',
) {
  const stop = new AbortController();
  const sleeps: number[] = [];
  const runs: string[] = [];
  const warnings: string[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: async (ms) => {
      sleeps.push(ms);
      if (sleeps.length > looks) stop.abort();
    },
  };
  const failure = { step: planSnapshot('asked'), error: new LabwrightError('LW6036', { what: 'it failed' }) };
  const service: Pick<HealingOptions['service'], 'plan' | 'run'> = {
    plan: async () => {
      const made = look(sleeps.length);
      if (made instanceof LabwrightError) throw made;
      return mergePlans(labId('home'), 0, [made]);
    },
    run: async ({ planId }) => {
      runs.push(planId);
      return { outcome, failures: outcome === 'done' ? [] : [failure], done: 1, left: 0 };
    },
  };
  const log: Log = {
    ...silentLog,
    warn: (message, fields) => warnings.push(`${message}: ${String(fields?.['why'] ?? '')}`),
    error: (message, fields) => warnings.push(`${message}: ${String(fields?.['what'] ?? '')}`),
  };
  const service_ = service as HealingOptions['service'];
  return { stop, sleeps, runs, warnings, clock, service: service_, log };
}

const nothing: AreaPlan = { steps: [], problems: [], notes: [] };
const something: AreaPlan = { ...nothing, steps: [planSnapshot('asked')] };

test('looks at a steady pace, and runs only what there is to do', async () => {
  const world = makeWorld(4, (at) => (at === 2 ? something : nothing));
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toHaveLength(1);
  expect(world.sleeps).toEqual([10, 10, 10, 10, 10]);
});

test('what fails is tried again later each time', async () => {
  const world = makeWorld(3, () => something, 'failed');
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.sleeps).toEqual([10, 20, 40, 80]);
});

test('another run under way, and hosts that are silent, pass', async () => {
  const world = makeWorld(3, (at) => new LabwrightError(at === 1 ? 'LW5003' : 'LW2001', { what: 'not now' }));
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.sleeps).toEqual([10, 10, 10, 10]);
});

test('what waits for a person is told once, and again when it is another', async () => {
  const waits = (why: string): AreaPlan => ({ ...nothing, notes: [why] });
  const world = makeWorld(5, (at) => waits(at < 4 ? 'pve2 is silent' : 'pve3 is silent'));
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.warnings).toEqual(['waits for a person: pve2 is silent', 'waits for a person: pve3 is silent']);
});

test('scheduled work runs when it is due, and not before', async () => {
  const world = makeWorld(3, () => something);
  let asked = 0;
  const isDue = async (): Promise<boolean> => (asked += 1) === 2;
  const work = { name: 'snapshot', intent: { kind: 'snapshot', reason: 'scheduled' }, isDue } as const;
  await keepDoing({ ...world, work, lookMs: 10, signal: world.stop.signal });
  expect(asked).toBe(3);
  expect(world.runs).toHaveLength(1);
});

const renewal = { name: 'certificates', intent: { kind: 'renew' }, isDue: async () => true } as const;
const rhythm = { work: renewal, firstLookMs: 1, againMs: 5, lookMs: 100 } as const;

test('scheduled work is first looked at soon, then at its own pace, and soon again after another run', async () => {
  const world = makeWorld(4, (at) => (at === 2 ? new LabwrightError('LW5003', { what: 'not now' }) : nothing));
  await keepDoing({ ...world, ...rhythm, signal: world.stop.signal });
  expect(world.sleeps).toEqual([1, 100, 5, 100, 100]);
});

test('scheduled work that fails, or leaves something, is told of once and tried again later each time', async () => {
  const failing = makeWorld(7, () => something, 'failed');
  await keepDoing({ ...failing, ...rhythm, signal: failing.stop.signal });
  expect(failing.sleeps).toEqual([1, 5, 10, 20, 40, 80, 100, 100]);
  expect(failing.warnings).toEqual(['scheduled work failed: it failed']);

  const unread = new LabwrightError('LW6036', { what: 'the certificates of node101 could not be read' }).toJSON();
  const leaving = makeWorld(4, (at) => (at < 3 ? { ...something, problems: [unread] } : nothing));
  await keepDoing({ ...leaving, ...rhythm, signal: leaving.stop.signal });
  expect(leaving.sleeps).toEqual([1, 5, 10, 100, 100]);
  expect(leaving.runs).toHaveLength(2);
  expect(leaving.warnings).toEqual(['scheduled work leaves something: the certificates of node101 could not be read']);
});
