import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyedQueue } from './keyed-queue.ts';

const never = new AbortController().signal;

describe('a keyed queue', () => {
  it('never runs two works that share a key at once, keeps their order, and ends all of them', async () => {
    const key = fc.constantFrom('vm/101', 'vm/102', 'storage/a', 'storage/b');
    const work = fc.record({
      keys: fc.array(key, { minLength: 1, maxLength: 3 }),
      turns: fc.nat(4),
      fails: fc.boolean(),
      leaves: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 20 }), async (works) => {
        const queue = keyedQueue();
        const running = new Set<string>();
        const started: number[] = [];
        const runs = works.map(async ({ keys, turns, fails, leaves }, index) => {
          const controller = new AbortController();
          const run = queue.run(keys, controller.signal, async () => {
            const own = [...new Set(keys)];
            for (const name of own) {
              expect(running.has(name)).toBe(false);
              running.add(name);
            }
            started.push(index);
            for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
            for (const name of own) running.delete(name);
            if (fails) throw new Error('work failed');
          });
          if (leaves) controller.abort(new Error('left the queue'));
          await run;
        });
        await Promise.allSettled(runs);
        for (const name of ['vm/101', 'vm/102', 'storage/a', 'storage/b'] as const) {
          const order = started.filter((index) => works[index]?.keys.includes(name));
          expect(order).toEqual(order.toSorted((one, other) => one - other));
        }
        const stayed = works.flatMap(({ leaves }, index) => (leaves ? [] : index));
        expect(started.toSorted((one, other) => one - other)).toEqual(expect.arrayContaining(stayed));
        expect([running.size, queue.depth()]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
  });

  it('runs works of different keys side by side', async () => {
    const queue = keyedQueue();
    const other = Promise.withResolvers<void>();
    const log: string[] = [];
    await queue.run(['vm/101'], never, async () => {
      const second = queue.run(['vm/102'], never, () => {
        log.push('second');
        return Promise.resolve(other.resolve());
      });
      await other.promise;
      log.push('first');
      await second;
    });
    expect(log).toEqual(['second', 'first']);
  });

  it('lets a work leave while it waits, but nobody overtake the one before it', async () => {
    const queue = keyedQueue();
    const gate = Promise.withResolvers<void>();
    const log: string[] = [];
    const first = queue.run(['vm/101'], never, async () => {
      await gate.promise;
      log.push('first');
    });
    const leaving = new AbortController();
    const second = queue.run(['vm/101'], leaving.signal, () => Promise.resolve(log.push('second')));
    const third = queue.run(['vm/101'], never, () => Promise.resolve(log.push('third')));
    leaving.abort(new Error('Ctrl-C'));
    await expect(second).rejects.toThrow('Ctrl-C');
    gate.resolve();
    await Promise.all([first, third]);
    expect(log).toEqual(['first', 'third']);
  });
});
