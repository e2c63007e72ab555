import { expect, test } from 'vitest';
import { labId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Step } from '@labwright/core/plan/step';
import { mergePlans, type AreaPlan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog, type Log } from '@labwright/core/ports/log';
import { planSnapshot } from '@labwright/cluster/snapshot/take-snapshot';
import { keepHealing, type HealingOptions } from './healing.ts';
import { keepDoing } from './scheduled-work.ts';

/** Time passes only by sleeping, and the last of the looks ends the loop. Every step of the failing machines fails. */
function makeWorld(looks: number, look: (at: number) => AreaPlan | LabwrightError, failing: readonly string[] = []) {
  const stop = new AbortController();
  const sleeps: number[] = [];
  /** Each run: when, and for whom. */
  const runs: string[] = [];
  const warnings: string[] = [];
  const errors: string[] = [];
  let time = 0;
  let steps: readonly Step[] = [];
  const clock: Clock = {
    now: () => time,
    monotonic: () => time,
    sleep: async (ms) => {
      time += ms;
      sleeps.push(ms);
      if (sleeps.length > looks) stop.abort();
    },
  };
  const service: Pick<HealingOptions['service'], 'plan' | 'run'> = {
    plan: async (_intent, _signal, held) => {
      const made = look(sleeps.length);
      if (made instanceof LabwrightError) throw made;
      const left = made.steps.filter(({ target }) => held?.has(target) !== true);
      const plan = mergePlans(labId('home'), 0, [
        { ...made, steps: left, notes: [...made.notes, ...(held?.values() ?? [])] },
      ]);
      steps = plan.steps;
      return plan;
    },
    run: async () => {
      runs.push(`${time} ${steps.map(({ target }) => target).join(' ')}`);
      const error = new LabwrightError('LW6036', { what: 'it failed' });
      if (failing.includes('no run at all')) throw error;
      const failures = steps.filter(({ target }) => failing.includes(target)).map((step) => ({ step, error }));
      return { outcome: failures.length === 0 ? 'done' : 'failed', failures, done: 1, left: 0 };
    },
  };
  const log: Log = {
    ...silentLog,
    warn: (message, fields) => warnings.push(`${message}: ${String(fields?.['why'] ?? '')}`),
    error: (message, fields) => {
      errors.push(message);
      warnings.push(`${message}: ${String(fields?.['what'] ?? '')}`);
    },
  };
  const service_ = service as HealingOptions['service'];
  return { stop, sleeps, runs, warnings, errors, clock, service: service_, log };
}

const nothing: AreaPlan = { steps: [], problems: [], notes: [] };
const stepOf = (target: string): Step => ({ ...planSnapshot('asked'), id: `cluster.join ${target}`, target });
const stepsFor = (...targets: readonly string[]): AreaPlan => ({ ...nothing, steps: targets.map(stepOf) });
const something = stepsFor('node101');

test('looks at a steady pace, and runs only what there is to do', async () => {
  const world = makeWorld(4, (at) => (at === 2 ? something : nothing));
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toHaveLength(1);
  expect(world.sleeps).toEqual([10, 10, 10, 10, 10]);
});

test('a machine that cannot be healed is tried again later each time, and every look is as soon as ever', async () => {
  const world = makeWorld(15, () => something, ['node101']);
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toEqual(['10 node101', '30 node101', '70 node101', '150 node101']);
  expect(new Set(world.sleeps)).toEqual(new Set([10]));
  // Told once for each time, and not at every look.
  expect(world.warnings.filter((each) => each.startsWith('waits for a person'))).toEqual(
    ['once', '2 times', '3 times'].map(
      (often) =>
        `waits for a person: healing node101 failed ${often} and is tried again later: it failed; labwright up   tries it now`,
    ),
  );
});

test('the others are healed at once, however often one could not be', async () => {
  const world = makeWorld(9, (at) => stepsFor('node111', ...(at >= 6 ? ['node101'] : [])), ['node111']);
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toEqual([
    '10 node111',
    '30 node111',
    '60 node101',
    '70 node111 node101',
    '80 node101',
    '90 node101',
  ]);
});

test('a machine that is well again is healed at once the next time', async () => {
  const world = makeWorld(8, (at) => (at === 1 || at >= 5 ? something : nothing), ['node101']);
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toEqual(['10 node101', '50 node101', '70 node101']);
});

test('a run that ends before its steps do is not begun again at every look', async () => {
  const world = makeWorld(4, () => something, ['no run at all']);
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.runs).toEqual(['10 node101', '30 node101']);
  expect(world.errors).toEqual(['healing failed', 'healing failed']);
});

test('what stands in the way of all of it is told once, and looked at again as soon as ever', async () => {
  const world = makeWorld(4, () => new LabwrightError('LW1003', { what: 'no keys' }));
  await keepHealing({ ...world, everyMs: 10, signal: world.stop.signal });
  expect(world.errors).toEqual(['healing failed']);
  expect(world.sleeps).toEqual([10, 10, 10, 10, 10]);
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
  const failing = makeWorld(7, () => something, ['no run at all']);
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

test('a question that hangs does not hold the end up', async () => {
  const world = makeWorld(3, () => something);
  const isDue = async (signal: AbortSignal): Promise<boolean> => {
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    world.stop.abort(new Error('closing'));
    return await promise;
  };
  const work = { name: 'snapshot', intent: { kind: 'snapshot', reason: 'scheduled' }, isDue } as const;
  await keepDoing({ ...world, work, lookMs: 10, signal: world.stop.signal });
  expect([world.runs, world.errors]).toEqual([[], []]);
});

test('scheduled work whose trouble stays is told of once, and again after it was well', async () => {
  const world = makeWorld(6, () => nothing);
  let asked = 0;
  const isDue = async (): Promise<boolean> => {
    asked += 1;
    if (asked !== 4) throw new LabwrightError('LW0005', { what: 'the folder of snapshots does not answer' });
    return false;
  };
  const work = { name: 'snapshot', intent: { kind: 'snapshot', reason: 'scheduled' }, isDue } as const;
  await keepDoing({ ...world, work, lookMs: 10, signal: world.stop.signal });
  expect(world.errors).toEqual(['scheduled work failed', 'scheduled work failed']);
});
