// Keeps a router as it should be: names live at once, the configuration a little later in one write, then looked at again.
import { keyedQueue } from '@labwright/core/engine/keyed-queue';
import { type LabwrightError, asLabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import { fetchRouterState } from '../router-state.ts';
import { writeConfiguration } from './configuration-write.ts';
import { type DesiredRouter, resolverHosts } from './desired.ts';
import { readOnlyError } from './failure.ts';
import { KeeperMemory } from './keeper-memory.ts';
import { type RouterKeeperOptions, longestPauseMs, writerSeconds } from './keeper-options.ts';
import { putNamesLive } from './live-names.ts';
import type { RouterStanding } from './router-standing.ts';
import { nextStep } from './write-schedule.ts';
import { verifyWrite } from './write-verification.ts';

export class RouterKeeper {
  readonly #options: RouterKeeperOptions;
  readonly #memory: KeeperMemory;
  #failures = 0;
  /** Something was wanted since the last round began. */
  #isNew = false;
  #wake: () => void = () => undefined;
  /** While a refused login or certificate waits for its mending: aborted when it is tried again before that. */
  #refused: AbortController | undefined;
  /** Rounds of ours and work of others, one at a time. */
  readonly #rounds = keyedQueue();
  /** Others worked on the router: the next round begins with a look. */
  #isOutdated = false;

  constructor(options: RouterKeeperOptions) {
    this.#options = options;
    this.#memory = new KeeperMemory(options);
  }

  get standing(): RouterStanding {
    return this.#memory.standing;
  }

  /**
   * Replaces what was wanted, and gives the number by which `standing` tells of it. Returns at once; `run` does the work.
   */
  want(desired: DesiredRouter): number {
    const number = this.#memory.want(desired);
    this.#isNew = true;
    this.#wake();
    return number;
  }

  /**
   * What was taken back before that moment may be tried again, though the same is wanted: the reason may be gone from the router.
   * The next `want` does. Says whether there is any.
   */
  forgetTakenBack(beforeMs: number): boolean {
    return this.#memory.forgetTakenBack(beforeMs);
  }

  /** Counts writes of ours beside the keeper's to those of the hour. */
  countWrites(count: number): void {
    this.#memory.countWrites(count);
  }

  /**
   * Works until the signal is aborted, and then rejects with its reason; else only with a fault of ours. Passing failures are
   * tried again, with longer pauses, which a new wish may shorten to `lookEveryMs`. After a refused login or a wrong certificate
   * (LW8002, LW8003) nothing is sent, because trying again would harm, until the password or the trusted certificate is another
   * one, or `retry` was called.
   */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, log, lookEveryMs = 5_000 } = this.#options;
    let lookAtMs = 0;
    for (;;) {
      signal.throwIfAborted();
      let pauseMs = lookEveryMs;
      // A router that fails is asked no more often than one that is well, however much is wanted of it meanwhile.
      let leastMs = 0;
      try {
        pauseMs = await this.#rounds.run(['round'], signal, async () => {
          this.#isNew = false;
          if (this.#memory.state === undefined || this.#isOutdated || clock.now() >= lookAtMs) {
            this.#isOutdated = false;
            await this.#look(signal);
            lookAtMs = clock.now() + lookEveryMs;
          }
          await putNamesLive(this.#memory, signal);
          return Math.min(await this.#step(signal), Math.max(0, lookAtMs - clock.now()));
        });
        this.#failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        const failure = asLabwrightError(error);
        this.#memory.tell({ kind: 'failing', error: failure });
        if (failure.kind === 'bug') throw error;
        if (failure.code === 'LW8002' || failure.code === 'LW8003') {
          log.error('the router is not kept until that is mended', reasonOf(failure));
          await this.#untilMended(failure, signal);
          lookAtMs = 0;
          continue;
        }
        this.#failures += 1;
        pauseMs = Math.min(longestPauseMs, 1_000 * 2 ** Math.min(this.#failures, 10));
        leastMs = Math.min(pauseMs, lookEveryMs);
        log.warn('the router could not be kept', { ...reasonOf(failure), pauseMs });
        // What happened to a call without an answer is seen by looking.
        lookAtMs = 0;
      }
      if (leastMs > 0) await clock.sleep(leastMs, signal);
      await this.#pause(pauseMs - leastMs, signal);
    }
  }

  /** Runs work on the router between two rounds: names of what was there before would otherwise be told to it afterwards. */
  async apart<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    return await this.#rounds.run(['round'], signal, async () => {
      try {
        return await work();
      } finally {
        this.#isOutdated = true;
        this.#wake();
      }
    });
  }

  /** A person asks: what was refused is tried again at once, where that does no harm. */
  retry(): void {
    if (this.#refused === undefined) return;
    this.#memory.tell({ kind: 'starting' });
    this.#refused.abort();
  }

  /** New wishes do not end it. */
  async #untilMended(failure: LabwrightError, signal: AbortSignal): Promise<void> {
    const { clock, connection, lookEveryMs = 5_000 } = this.#options;
    const asked = new AbortController();
    this.#refused = asked;
    try {
      do await sleepUntil(clock, lookEveryMs, asked.signal, signal);
      while (!asked.signal.aborted && !(await connection.isMended(failure)));
    } finally {
      this.#refused = undefined;
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 || this.#isNew) return;
    const woken = new AbortController();
    this.#wake = () => {
      woken.abort();
    };
    try {
      await sleepUntil(this.#options.clock, ms, woken.signal, signal);
    } finally {
      this.#wake = () => undefined;
    }
  }

  /** Reads the router, and has put back at once what is missing of ours. */
  async #look(signal: AbortSignal): Promise<void> {
    const memory = this.#memory;
    const known = memory.state;
    const { connection, holder, log } = this.#options;
    const owner = memory.desired?.owner;
    const claim = owner === undefined ? undefined : { owner, writer: { holder, seconds: writerSeconds } };
    const state = await fetchRouterState(connection, known, signal, claim);
    memory.see(state);
    // What others save makes the resolver begin again from the configuration, and so may a DHCP lease; names that are not
    // written yet are then told to it anew.
    if (known?.hash !== state.hash || memory.schedule.unwritten !== undefined)
      memory.live = resolverHosts(state.document);
    // It may have begun from files that are older than our last write, when a page was saved meanwhile.
    if (known !== undefined && known.resolver !== state.resolver) memory.isRestarted = true;
    if (state.isPending) memory.putBack();
    if (known === undefined || known.hash === state.hash || !memory.isLost(state)) return;
    log.info('something of ours was changed on the router and is put back', {});
    memory.putBack();
  }

  /** Does what is due, and gives the time until something may be due again. */
  async #step(signal: AbortSignal): Promise<number> {
    const memory = this.#memory;
    const { clock } = this.#options;
    if (memory.state?.heldBy !== undefined) {
      memory.tell({ kind: 'held' });
      return Number.POSITIVE_INFINITY;
    }
    const step = nextStep(memory.schedule, memory.limits, clock.now());
    switch (step.kind) {
      case 'rest':
        this.#tellRecovered();
        return Number.POSITIVE_INFINITY;
      case 'wait':
        if (memory.schedule.unwritten !== undefined) memory.tell({ kind: step.isCapped ? 'capped' : 'waiting' });
        else this.#tellRecovered();
        return step.untilMs - clock.now();
      case 'write':
        return await writeConfiguration(memory, signal);
      case 'verify':
        await verifyWrite(memory, signal);
        return 0;
    }
  }

  /** What kept it from its work is over, and nothing was to be written. */
  #tellRecovered(): void {
    const { standing, desired, state } = this.#memory;
    const { kind } = standing;
    if (desired === undefined || !(kind === 'failing' || kind === 'held' || kind === 'starting')) return;
    const { readOnly } = state?.profile ?? {};
    const { connection } = this.#options;
    if (readOnly === undefined) this.#memory.tell({ kind: 'settled' });
    else this.#memory.tell({ kind: 'read-only', error: readOnlyError(connection, readOnly) });
  }
}

/** Ends early when `woken` is aborted; throws the reason of `signal`. */
async function sleepUntil(clock: Clock, ms: number, woken: AbortSignal, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, AbortSignal.any([signal, woken]));
  } catch (error) {
    if (!woken.aborted) throw error;
  }
}

function reasonOf({ code, message, why }: LabwrightError): { readonly code: string; readonly reason: string } {
  return { code, reason: why === undefined ? message : `${message}: ${why}` };
}
