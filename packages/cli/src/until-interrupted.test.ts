import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { untilInterrupted } from './until-interrupted.ts';

function makeSignals() {
  const first = new AbortController();
  const second = new AbortController();
  return { first, second, program: { interrupt: first.signal, signal: second.signal } };
}

describe('opening a lab', () => {
  test('is ended by the first interruption', async () => {
    const { first, program } = makeSignals();
    const opening = untilInterrupted(program, async (signal) => await setTimeout(60_000, 'open', { signal }));
    first.abort(new Error('Ctrl-C'));
    await expect(opening).rejects.toMatchObject({ cause: { message: 'Ctrl-C' } });
  });

  test('does not begin after one', async () => {
    const { first, program } = makeSignals();
    first.abort(new Error('Ctrl-C'));
    await expect(untilInterrupted(program, async (signal) => signal.throwIfAborted())).rejects.toThrow('Ctrl-C');
  });

  test('an open lab is ended by the second only', async () => {
    const { first, second, program } = makeSignals();
    const signal = await untilInterrupted(program, async (given) => given);
    first.abort();
    expect(signal.aborted).toBe(false);
    second.abort();
    expect(signal.aborted).toBe(true);
  });
});
