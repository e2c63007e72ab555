// Waiting for something newer, or for the time to do the same again.
import type { Clock } from '@labwright/core/ports/clock';
import type { Latest, Version } from './latest.ts';

const pausesMs: readonly number[] = [500, 1_000, 2_000, 5_000, 10_000];

/** Milliseconds until the next try, after so many failures in a row. */
export function pauseAfter(failures: number): number {
  return pausesMs[failures - 1] ?? 30_000;
}

/** What is newer than the number, or after the time what there is. */
export async function newerOrAgain<Value>(
  latest: Latest<Value>,
  number: number,
  options: { readonly clock: Clock; readonly resyncMs: number; readonly signal: AbortSignal },
): Promise<Version<Value>> {
  const done = new AbortController();
  const until = AbortSignal.any([options.signal, done.signal]);
  try {
    return await Promise.race([
      latest.after(number, until),
      options.clock.sleep(options.resyncMs, until).then(() => latest.get() ?? Promise.reject(new Error('no state'))),
    ]);
  } finally {
    done.abort(new Error('waited'));
  }
}

/** Swallows the reason that the signal was aborted with, and nothing else. */
export async function untilAborted(running: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await running;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
