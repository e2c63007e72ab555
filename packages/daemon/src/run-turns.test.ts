import { expect, test } from 'vitest';
import { makeRunTurns, type RunStarter } from './run-turns.ts';

function makeWorld() {
  const turns = makeRunTurns();
  const waits: string[] = [];
  const stop = new AbortController();
  const take = async (run: string, by: RunStarter): Promise<Disposable> =>
    await turns.take({
      run,
      by,
      onWait: () => {
        waits.push(`${run} waits`);
        return { [Symbol.dispose]: () => waits.push(`${run} has waited`) };
      },
      signal: stop.signal,
    });
  return { turns, waits, stop, take };
}

test('a person waits for what the service began by itself, and then has the turn', async () => {
  const { turns, waits, take } = makeWorld();
  const healing = await take('heal', 'service');
  const taking = take('up', 'person');
  expect(turns.current()).toBe('heal');
  expect(waits).toEqual(['up waits']);
  healing[Symbol.dispose]();
  const up = await taking;
  expect(turns.current()).toBe('up');
  expect(waits).toEqual(['up waits', 'up has waited']);
  up[Symbol.dispose]();
  expect(turns.current()).toBeUndefined();
});

test('of two persons who waited for the same, one is refused', async () => {
  const { take } = makeWorld();
  const healing = await take('heal', 'service');
  const both = Promise.allSettled([take('one', 'person'), take('two', 'person')]);
  healing[Symbol.dispose]();
  expect((await both).map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('nobody else gets in while a person works, and the service never waits', async () => {
  const { turns, waits, take } = makeWorld();
  await take('up', 'person');
  await expect(take('other', 'person')).rejects.toMatchObject({ code: 'LW5003' });
  await expect(take('heal', 'service')).rejects.toMatchObject({ code: 'LW5003' });
  expect(() => turns.assertFree()).toThrow('run up is under way');
  expect(waits).toEqual([]);
});

test('a wait that is called off leaves the turn where it is', async () => {
  const { turns, stop, waits, take } = makeWorld();
  await take('heal', 'service');
  const taking = take('up', 'person');
  stop.abort(new Error('interrupted'));
  await expect(taking).rejects.toThrow('interrupted');
  expect(turns.current()).toBe('heal');
  expect(waits).toEqual(['up waits', 'up has waited']);
});
