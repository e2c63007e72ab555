// A value that changes, for those who want each newest one and may miss those between.

export interface Version<Value> {
  readonly value: Value;
  /** 1 is the first. */
  readonly number: number;
}

export interface Latest<Value> {
  get(): Version<Value> | undefined;
  set(value: Value): void;
  /** The newest that is newer than the number; waits for one. Rejects with the signal's reason. */
  after(number: number, signal: AbortSignal): Promise<Version<Value>>;
}

export function makeLatest<Value>(): Latest<Value> {
  let current: Version<Value> | undefined;
  let next = Promise.withResolvers<void>();
  return {
    get: () => current,
    set(value) {
      current = { value, number: (current?.number ?? 0) + 1 };
      next.resolve();
      next = Promise.withResolvers();
    },
    async after(number, signal) {
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => aborted.reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        for (;;) {
          signal.throwIfAborted();
          if (current !== undefined && current.number > number) return current;
          await Promise.race([next.promise, aborted.promise]);
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
