// One queue a key: work on the same VM or storage runs one after the other, in the order it came; other keys side by side.

export interface KeyedQueue {
  /**
   * Runs the work when everything queued earlier under any of the keys has ended. A signal aborted while waiting
   * takes the work out of the queue; one aborted later is the work's own to heed.
   */
  run<T>(keys: readonly string[], signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Works queued or running; for a metric. */
  depth(): number;
}

export function keyedQueue(): KeyedQueue {
  /** For each key, the end of the last work queued under it. */
  const tails = new Map<string, Promise<void>>();
  let depth = 0;

  return {
    depth: () => depth,
    async run(keys, signal, work) {
      // All places are taken at once, in one tick: two works that share two keys agree on who is first, so none can deadlock.
      const own = [...new Set(keys)];
      const earlier = own.flatMap((key) => tails.get(key) ?? []);
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      for (const key of own) tails.set(key, ended);
      depth += 1;
      const turn = Promise.all(earlier);
      try {
        await untilAborted(turn, signal);
        return await work();
      } finally {
        depth -= 1;
        // A work that left the queue early still holds the place of those before it.
        void turn.then(() => {
          end();
          for (const key of own) if (tails.get(key) === ended) tails.delete(key);
        });
      }
    },
  };
}

/** The promise, or the signal's reason if that comes first. */
async function untilAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
