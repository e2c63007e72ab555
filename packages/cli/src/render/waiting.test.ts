// What a person sees while something does not answer.
import type { Clock } from '@labwright/core/ports/clock';
import { describe, expect, test } from 'vitest';
import { makeScreen, type ScreenSize } from './screen.test-data.ts';
import { makeWait } from './waiting.ts';

/** Time passes only as the clock is told; sleepers wake in order. */
function makeClock() {
  let now = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, signal) =>
      await new Promise<void>((resolve, reject) => {
        sleepers.push({ at: now + ms, wake: resolve });
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
  };
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    for (const { at, wake } of sleepers) if (at <= now) wake();
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return { clock, pass };
}

async function wait(size: ScreenSize, seconds: number, json = false) {
  const screen = makeScreen(size);
  const { clock, pass } = makeClock();
  const options = { json, yes: false, real: false, debug: false, withoutServe: false };
  const work = Promise.withResolvers<string>();
  const waiting = makeWait({ terminal: screen, clock, options }, 'waiting for pve1')(() => work.promise);
  for (let second = 0; second < seconds; second += 1) await pass(1000);
  const during = screen.lines().join('\n').trimEnd();
  work.resolve('done');
  expect(await waiting).toBe('done');
  return { during, after: screen.lines().join('\n').trimEnd() };
}

const terminal = { columns: 80, rows: 24, isInteractive: true };
const file = { columns: 80, rows: 24, isInteractive: false };

describe('while something does not answer', () => {
  test('a person sees what is waited for and how long, and then nothing of it', async () => {
    expect(await wait(terminal, 3)).toEqual({ during: 'waiting for pve1 · 3 s', after: '' });
    expect(await wait({ ...terminal, columns: 20 }, 2)).toEqual({ during: 'waiting for p… · 2 s', after: '' });
  });

  test('a file gets one line', async () => {
    expect(await wait(file, 9)).toEqual({ during: 'waiting for pve1', after: 'waiting for pve1' });
  });

  test.each([
    [terminal, 0, false],
    [file, 0, false],
    [file, 9, true],
  ])('%j after %d s, --json %s: silence', async (size, seconds, json) => {
    expect(await wait(size, seconds, json)).toEqual({ during: '', after: '' });
  });

  test('that line comes once, however often it is waited', async () => {
    const screen = makeScreen(file);
    const { clock, pass } = makeClock();
    const options = { json: false, yes: false, real: false, debug: false, withoutServe: false };
    const wait = makeWait({ terminal: screen, clock, options }, 'waiting for pve1');
    for (let time = 0; time < 2; time += 1) {
      const work = Promise.withResolvers<undefined>();
      const waiting = wait(() => work.promise);
      await pass(1000);
      work.resolve(undefined);
      await waiting;
    }
    expect(screen.lines().join('\n').trimEnd()).toBe('waiting for pve1');
  });

  test('a failure comes through', async () => {
    const { clock } = makeClock();
    const options = { json: false, yes: false, real: false, debug: false, withoutServe: false };
    const failing = makeWait(
      { terminal: makeScreen(file), clock, options },
      'x',
    )(async () => {
      throw new TypeError('no');
    });
    await expect(failing).rejects.toThrow('no');
  });
});
