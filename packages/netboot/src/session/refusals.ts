// What was not served and why: logged and emitted, but not so often that a flood of requests floods the log too.
import type { BootRefusedEvent } from '@labwright/core/events/boot';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';

/** The same peer is told about the same reason once in this time. */
const quietMs = 30_000;
/** Beyond this many in one such time, only the count goes on. */
const largestBurst = 200;

export class Refusals {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #emit: (event: BootRefusedEvent) => void;
  #windowStart = Number.NEGATIVE_INFINITY;
  #told = new Set<string>();
  #count = 0;

  constructor(options: { readonly clock: Clock; readonly log: Log; readonly emit: (event: BootRefusedEvent) => void }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#emit = options.emit;
  }

  /** All refusals so far, told or not. */
  get count(): number {
    return this.#count;
  }

  /** `peer` without its port: a peer that asks again from another port is the same. */
  refuse(protocol: BootRefusedEvent['protocol'], peer: string, reason: string): void {
    this.#count += 1;
    const now = this.#clock.monotonic();
    if (now - this.#windowStart >= quietMs) {
      this.#windowStart = now;
      this.#told = new Set();
    }
    const key = `${protocol} ${peer} ${reason}`;
    if (this.#told.has(key) || this.#told.size >= largestBurst) return;
    this.#told.add(key);
    this.#log.warn('a boot request was refused', { code: 'LW3002', protocol, peer, reason });
    this.#emit({ type: 'boot-refused', at: this.#clock.now(), protocol, peer, reason });
  }
}
