import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labId } from '../addresses/names.ts';
import { LabwrightError } from '../errors/error.ts';
import type { LabEvent } from '../events/event.ts';
import { mergePlans } from '../plan/plan.ts';
import type { Step } from '../plan/step.ts';
import { systemClock } from '../ports/system.ts';
import { runPlan, type EngineOptions, type Executor } from './engine.ts';

const never = new AbortController().signal;

function makePlan(steps: readonly (Partial<Step> & { id: string })[]) {
  const full = steps.map((step) => ({
    kind: 'work',
    target: step.id,
    title: step.id,
    change: 'add' as const,
    reason: 'a test',
    needs: [],
    risk: { level: 'none' as const },
    estimateMs: 1,
    relies: [],
    queues: [],
    input: step.id,
    ...step,
  }));
  return mergePlans(labId('home'), 0, [{ steps: full, problems: [], notes: [] }]);
}

function makeEngine(executors: Record<string, Executor>, overrides: Partial<EngineOptions> = {}) {
  const events: LabEvent[] = [];
  const journaled: LabEvent[] = [];
  const options: EngineOptions = {
    run: 'r1',
    executors: new Map(Object.entries(executors)),
    clock: systemClock,
    journal: { append: async (event) => void journaled.push(event) },
    emit: (event) => events.push(event),
    interrupt: never,
    signal: never,
    ...overrides,
  };
  const states = (): string[] => events.flatMap((each) => (each.type === 'step' ? [`${each.step} ${each.state}`] : []));
  return { options, events, journaled, states };
}

const quick: Executor = { nature: 'work', run: async () => 'fine' };

describe('runPlan', () => {
  test('a step starts only when every step it needs is done', async () => {
    const order: string[] = [];
    const work: Executor = { nature: 'work', run: async (input) => String(order.push(JSON.stringify(input))) };
    const engine = makeEngine({ work });
    const result = await runPlan(
      makePlan([{ id: 'c', needs: ['a', 'b'] }, { id: 'a' }, { id: 'b', needs: ['a'] }]),
      engine.options,
    );
    expect(order).toEqual(['"a"', '"b"', '"c"']);
    expect(result).toMatchObject({ outcome: 'done', done: 3, left: 0 });
    expect(engine.events.at(-1)).toMatchObject({ type: 'run-ended', outcome: 'done', stepsDone: 3 });
  });

  test('a failure stops what needs it and nothing else, and keeps the error', async () => {
    const broken: Executor = {
      nature: 'work',
      run: async () => {
        throw new LabwrightError('LW2004', { what: 'no space' });
      },
    };
    const engine = makeEngine({ work: quick, broken });
    const result = await runPlan(
      makePlan([{ id: 'a', kind: 'broken' }, { id: 'b', needs: ['a'] }, { id: 'c' }]),
      engine.options,
    );
    expect(result.outcome).toBe('failed');
    expect(result.failures.map(({ step, error }) => [step.id, error.code])).toEqual([['a', 'LW2004']]);
    expect(engine.states()).toContain('b skipped');
    expect(engine.states()).toContain('c done');
  });

  test('an interrupt ends waits, finishes work and starts nothing new', async () => {
    const interrupt = new AbortController();
    const wait: Executor = {
      nature: 'wait',
      run: async (_input, { signal }) => {
        await systemClock.sleep(60_000, signal);
        return 'never';
      },
    };
    const work: Executor = {
      nature: 'work',
      run: async () => {
        interrupt.abort(new Error('Ctrl-C'));
        await Promise.resolve();
        return 'finished';
      },
    };
    const engine = makeEngine({ work, wait }, { interrupt: interrupt.signal });
    const result = await runPlan(
      makePlan([{ id: 'wait', kind: 'wait' }, { id: 'work' }, { id: 'later', needs: ['work'] }]),
      engine.options,
    );
    expect(result).toMatchObject({ outcome: 'interrupted', done: 1, left: 2 });
    expect(engine.states()).toEqual(expect.arrayContaining(['work done', 'wait skipped', 'later skipped']));
  });

  test('no more steps run at once than allowed, and waits do not count', async () => {
    let running = 0;
    let most = 0;
    const work: Executor = {
      nature: 'work',
      run: async () => {
        most = Math.max(most, (running += 1));
        for (let tick = 0; tick < 3; tick += 1) await Promise.resolve();
        running -= 1;
        return 'fine';
      },
    };
    const engine = makeEngine({ work }, { parallel: 2 });
    await runPlan(makePlan(Array.from({ length: 9 }, (_, at) => ({ id: `s${at}` }))), engine.options);
    expect(most).toBe(2);
  });

  test('whatever fails, every step ends exactly once and the journal holds each end', async () => {
    const rows = fc.array(fc.record({ needs: fc.array(fc.nat(), { maxLength: 3 }), fails: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(rows, async (steps) => {
        const work: Executor = {
          nature: 'work',
          run: async (input) => {
            if (input === true) throw new Error('as it should');
            return 'fine';
          },
        };
        const engine = makeEngine({ work });
        const plan = makePlan(
          steps.map(({ needs, fails }, at) => ({
            id: `s${at}`,
            input: fails,
            needs: at === 0 ? [] : [...new Set(needs.map((need) => `s${need % at}`))],
          })),
        );
        const result = await runPlan(plan, engine.options);
        const ends = engine.journaled.flatMap((each) =>
          each.type === 'step' && each.state !== 'started' && each.state !== 'progress' ? [each.step] : [],
        );
        expect(ends.sort()).toEqual(plan.steps.map((step) => step.id).sort());
        expect(result.done + result.left).toBe(plan.steps.length);
      }),
      { numRuns: 50 },
    );
  });
});
