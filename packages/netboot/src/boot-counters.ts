// What the boot servers counted since they started.

export interface BootCounters {
  /** Datagrams that could be decoded. */
  received: number;
  answered: number;
  /** Datagrams that could not, and were dropped. */
  malformed: number;
}

export const zeroCounters = (): BootCounters => ({ received: 0, answered: 0, malformed: 0 });
