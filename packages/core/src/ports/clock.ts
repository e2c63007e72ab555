// Time comes in through this port, so that a test can hold it still.

export interface Clock {
  /** Wall time, milliseconds since 1970 UTC. */
  now(): number;
  /** Milliseconds that only ever grow; for durations. */
  monotonic(): number;
  /** Resolves after the time, rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
