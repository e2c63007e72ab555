// Finds a machine whose firmware gave up: started while nobody answered its DHCP requests, it stands at "no bootable device" and
// would stand there for ever. It is reset, a bounded number of times.
//
//   running for minutes ─┐
//   no packet of it      ├─► reset ─► (minutes) ─► reset ─► (minutes) ─► reset
//   nothing at its address ┘
//   A machine that was seen past its firmware is left alone: it goes on by itself, or a reset would cut what it does.
import { LabwrightError } from '@labwright/core/errors/error';
import type { BootEvent } from '@labwright/core/events/boot';
import type { Clock } from '@labwright/core/ports/clock';

/** One machine's power, and whether it lives. */
export interface MachinePower {
  /** How long it has been running; undefined when it is not, or cannot be asked. */
  fetchUptimeMs(signal: AbortSignal): Promise<number | undefined>;
  /** Whether a system answers at the machine's address. */
  answers(signal: AbortSignal): Promise<boolean>;
  reset(signal: AbortSignal): Promise<void>;
}

const lookMs = 10_000;
/** Firmware asks again within this time, and an installed machine phones home. */
export const silenceMs = 60_000;
/** Longer than firmware tries everything it has, and than an installed machine takes to answer, without KVM. */
export const firmwarePatienceMs = 240_000;
const largestResets = 3;

const inFirmware: ReadonlySet<BootEvent['stage']> = new Set(['offered', 'loader', 'stalled']);

export class StuckFirmwareWatch {
  readonly #clock: Clock;
  readonly #power: MachinePower;
  readonly #say: (text: string) => void;
  #quietSince: number;
  #resetAt = Number.NEGATIVE_INFINITY;
  #isPastFirmware = false;

  constructor(options: {
    readonly clock: Clock;
    readonly power: MachinePower;
    /** Told whenever it is reset, and when that failed. */
    readonly say: (text: string) => void;
  }) {
    this.#clock = options.clock;
    this.#power = options.power;
    this.#say = options.say;
    this.#quietSince = options.clock.monotonic();
  }

  /** Something was seen of the machine's boot. */
  saw(stage: BootEvent['stage']): void {
    this.#quietSince = this.#clock.monotonic();
    if (!inFirmware.has(stage)) this.#isPastFirmware = true;
  }

  /** Looks until the signal is aborted, and then rejects with its reason; ends after the last reset. */
  async run(signal: AbortSignal): Promise<void> {
    for (let resets = 0; resets < largestResets;) {
      await this.#clock.sleep(lookMs, signal);
      try {
        if (!(await this.#isStuck(signal))) continue;
        await this.#power.reset(signal);
      } catch (error) {
        // A host that does not answer now is asked again at the next look; what else it means shows elsewhere.
        if (!(error instanceof LabwrightError) || signal.aborted) throw error;
        this.#say(`could not be reset: ${error.message}`);
        this.#quietSince = this.#clock.monotonic();
        continue;
      }
      resets += 1;
      this.#resetAt = this.#clock.monotonic();
      this.#say(`gave no sign of life since its firmware started; reset (${resets} of ${largestResets})`);
    }
  }

  async #isStuck(signal: AbortSignal): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#isPastFirmware || now - this.#quietSince < silenceMs) return false;
    if (now - this.#resetAt < firmwarePatienceMs) return false;
    const uptimeMs = await this.#power.fetchUptimeMs(signal);
    if (uptimeMs === undefined || uptimeMs < firmwarePatienceMs) return false;
    return !(await this.#power.answers(signal));
  }
}
