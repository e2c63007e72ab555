import type { BootStage } from '@labwright/core/events/boot';
import { LabwrightError } from '@labwright/core/errors/error';
import { expect, test } from 'vitest';
import { firmwarePatienceMs, silenceMs, StuckFirmwareWatch, type MachinePower } from './stuck-firmware.ts';

const endOfTime = new Error('the test is over');

/** A clock that jumps: time passes only in sleeps, and `at` is told of each of them. */
async function watch(
  power: Partial<MachinePower> & { readonly startedMs?: number },
  options: { readonly forMs: number; readonly seen?: readonly (readonly [atMs: number, stage: BootStage])[] },
) {
  let now = 0;
  const resets: number[] = [];
  const said: string[] = [];
  const seen = [...(options.seen ?? [])];
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms: number) => {
      now += ms;
      while (seen[0] !== undefined && seen[0][0] <= now) firmware.saw((seen.shift() as (typeof seen)[number])[1]);
      if (now > options.forMs) throw endOfTime;
    },
  };
  const firmware = new StuckFirmwareWatch({
    clock,
    say: (text) => said.push(text),
    power: {
      fetchUptimeMs: async () => now - (power.startedMs ?? 0),
      answers: async () => false,
      reset: async () => void resets.push(now),
      ...power,
    },
  });
  await firmware.run(new AbortController().signal).catch((error: unknown) => {
    if (error !== endOfTime) throw error;
  });
  return { resets, said };
}

const minuteMs = 60_000;

test('a machine that runs for long and was never heard of is reset, and three times at most', async () => {
  const { resets, said } = await watch({ startedMs: -60 * minuteMs }, { forMs: 60 * minuteMs });
  expect(resets).toEqual([silenceMs, silenceMs + firmwarePatienceMs, silenceMs + 2 * firmwarePatienceMs]);
  expect(said).toEqual([1, 2, 3].map((n) => expect.stringContaining(`reset (${n} of 3)`)));
});

test('one that was just started has time to try everything its firmware has', async () => {
  expect((await watch({}, { forMs: firmwarePatienceMs - 1 })).resets).toEqual([]);
  expect((await watch({}, { forMs: firmwarePatienceMs + minuteMs })).resets).toEqual([firmwarePatienceMs]);
});

test('one that does not run, or whose system answers, is left alone', async () => {
  const startedMs = -60 * minuteMs;
  const forMs = 60 * minuteMs;
  expect((await watch({ startedMs, fetchUptimeMs: async () => undefined }, { forMs })).resets).toEqual([]);
  expect((await watch({ startedMs, answers: async () => true }, { forMs })).resets).toEqual([]);
});

test('one that boots is left alone, also when it takes long; one that never got beyond its firmware is not', async () => {
  const long = { startedMs: -60 * minuteMs };
  const forMs = 30 * minuteMs;
  const past = await watch(long, {
    forMs,
    seen: [
      [30_000, 'offered'],
      [40_000, 'kernel'],
      [200_000, 'stalled'],
    ],
  });
  expect(past.resets).toEqual([]);
  const stuck = await watch(long, {
    forMs,
    seen: [
      [30_000, 'offered'],
      [60_000, 'stalled'],
    ],
  });
  expect(stuck.resets[0]).toBe(60_000 + silenceMs);
});

test('a reset that the host does not take is said, and tried again', async () => {
  let calls = 0;
  const reset = async (): Promise<void> => {
    calls += 1;
    if (calls === 1) throw new LabwrightError('LW2001', { what: 'pve1 does not answer' });
  };
  const { said } = await watch({ startedMs: -60 * minuteMs, reset }, { forMs: 3 * minuteMs });
  expect(said).toEqual(['could not be reset: pve1 does not answer', expect.stringContaining('reset (1 of 3)')]);
});

test('what is no error of the lab is not hidden', async () => {
  const reset = async (): Promise<void> => {
    throw new TypeError('a mistake of ours');
  };
  await expect(watch({ startedMs: -60 * minuteMs, reset }, { forMs: 3 * minuteMs })).rejects.toThrow('a mistake');
});
