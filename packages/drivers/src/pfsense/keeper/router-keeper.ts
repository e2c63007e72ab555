// Keeps a router as it should be: names live at once, the configuration a little later in one write, then looked at again.
import { keyedQueue } from '@labwright/core/engine/keyed-queue';
import { type LabwrightError, asLabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { ConfigValue } from '../config/config-value.ts';
import { isOwnedBy } from '../config/mark.ts';
import { markOf, places } from '../config/place.ts';
import type { PfsenseConnection } from '../connection.ts';
import { type Change, formatChange } from '../edits/change.ts';
import type { Conflict } from '../edits/plan-edits.ts';
import { type NameRecords, planNameRecords } from '../names/name-records.ts';
import { type RouterState, fetchRouterState } from '../router-state.ts';
import { type WriteAnswer, balancerAnswer, namesAnswer, writeAnswer } from '../snippet.ts';
import { formatOwner, formatWriteRequest } from '../write-request.ts';
import { balancerKeys, narrowBalancer } from './balancer-part.ts';
import { readOnlyError, refusalError, reloadError, restlessError, takenBackError } from './failure.ts';
import {
  type DesiredRouter,
  type GivenUp,
  giveUp,
  planRouter,
  resolverHosts,
  stillGivenUp,
  withoutGivenUp,
} from './desired.ts';
import {
  type Schedule,
  type ScheduleLimits,
  type WriteMemory,
  afterChange,
  afterLoss,
  afterOtherWrites,
  afterVerification,
  afterWrite,
  freshSchedule,
  nextStep,
  usualLimits,
} from './write-schedule.ts';

export interface RouterKeeperOptions {
  readonly connection: PfsenseConnection;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process among those that may write for the same owner. */
  readonly holder: string;
  /**
   * Looks whether what was written works (names resolve, front ends accept), and gives the keys of the marks that do not,
   * each with what was seen.
   */
  readonly probe: (changes: readonly Change[], signal: AbortSignal) => Promise<ReadonlyMap<string, string>>;
  readonly limits?: ScheduleLimits;
  /** Of the last hour's writes, from before this process as well. */
  readonly writes?: WriteMemory;
  /** How often the router is asked whether somebody changed it. */
  readonly lookEveryMs?: number;
  readonly onStanding?: (standing: RouterStanding) => void;
  /** Told of every state of the router that was read anew. */
  readonly onState?: (state: RouterState) => void;
}

export interface RouterStanding {
  readonly kind:
    | 'starting'
    /** All that is wanted is written, except for the conflicts. */
    | 'settled'
    /** Changes wait for their write. */
    | 'waiting'
    /** As many writes as an hour may have; names are live only. */
    | 'capped'
    /** The version is read and not written to. */
    | 'read-only'
    /** Another process writes for the same owner. */
    | 'held'
    | 'failing';
  /** Of what was wanted: the number that `want` gave to the last one whose names the running resolver has. */
  readonly live: number;
  /** And to the last one that the configuration has. */
  readonly written: number;
  /** And to the last one that was written and then looked at: what did not work of it is taken back. */
  readonly verified: number;
  readonly conflicts: readonly Conflict[];
  /** Entries that did not work and were taken back or left out, by key of their mark (LW8010). */
  readonly takenBack: ReadonlyMap<string, LabwrightError>;
  /** Why it is failing or read only. */
  readonly error?: LabwrightError;
}

/** How long the right to write lasts without being renewed; every look renews it, so the next process need not wait longer. */
const writerSeconds = 60;
const longestPauseMs = 60_000;
/** Somebody who changes our entries as fast as we read them is given way. */
const triesPerWrite = 4;

export class RouterKeeper {
  readonly #options: RouterKeeperOptions;
  readonly #limits: ScheduleLimits;
  #desired: DesiredRouter | undefined;
  #schedule: Schedule;
  /** What was wanted when it was written last: what is missing of that was lost, whatever else is wanted by now. */
  #kept: DesiredRouter | undefined;
  #state: RouterState | undefined;
  /** The hosts that the running resolver knows, as far as we know. */
  #live: readonly ConfigValue[] = [];
  /** What was written and is not verified. */
  #written: readonly Change[] = [];
  /** Sent for writing, and no answer came. */
  #inDoubt: readonly Change[] = [];
  #givenUp: GivenUp = new Map();
  /** When, by key of the mark. */
  #takenBackAt: ReadonlyMap<string, number> = new Map();
  #standing: RouterStanding = {
    kind: 'starting',
    live: 0,
    written: 0,
    verified: 0,
    conflicts: [],
    takenBack: new Map(),
  };
  /** How often something was wanted. */
  #wants = 0;
  #failures = 0;
  /** What was written did not work when it was looked at; it is looked at once more. */
  #isDoubted = false;
  /** The resolver was started anew since names were put live last, or behaves as if it were. */
  #isRestarted = false;
  /** Something was wanted since names were put live last. */
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
    this.#limits = options.limits ?? usualLimits;
    this.#schedule = { ...freshSchedule, writes: options.writes?.recall() ?? [] };
  }

  get standing(): RouterStanding {
    return this.#standing;
  }

  /**
   * Replaces what was wanted, and gives the number by which `standing` tells of it. Returns at once; `run` does the work.
   */
  want(desired: DesiredRouter): number {
    this.#desired = desired;
    this.#wants += 1;
    this.#givenUp = stillGivenUp(this.#givenUp, desired);
    const keys = new Set([...this.#givenUp.values()].map(({ key }) => key));
    const takenBack = new Map([...this.#standing.takenBack].filter(([key]) => keys.has(key)));
    const kind = this.#standing.kind === 'settled' ? 'waiting' : this.#standing.kind;
    this.#standing = { ...this.#standing, kind, takenBack };
    this.#schedule = afterChange(this.#schedule, this.#options.clock.now());
    this.#isNew = true;
    this.#wake();
    return this.#wants;
  }

  /**
   * What was taken back before that moment may be tried again, though the same is wanted: the reason may be gone from the router.
   * The next `want` does. Says whether there is any.
   */
  forgetTakenBack(beforeMs: number): boolean {
    const isOld = (key: string): boolean => (this.#takenBackAt.get(key) ?? 0) < beforeMs;
    const left = [...this.#givenUp].filter(([, { key }]) => !isOld(key));
    if (left.length === this.#givenUp.size) return false;
    this.#givenUp = new Map(left);
    return true;
  }

  /** Counts writes of ours beside the keeper's to those of the hour. */
  countWrites(count: number): void {
    this.#schedule = afterOtherWrites(this.#schedule, count, this.#options.clock.now());
    this.#options.writes?.remember(this.#schedule.writes);
  }

  /**
   * Works until the signal is aborted, and then rejects with its reason; else only with a fault of ours. Passing failures are
   * tried again, with longer pauses. After a refused login or a wrong certificate (LW8002, LW8003) nothing is sent, because
   * trying again would harm, until the password or the trusted certificate is another one, or `retry` was called.
   */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, log, lookEveryMs = 5_000 } = this.#options;
    let lookAtMs = 0;
    for (;;) {
      signal.throwIfAborted();
      let pauseMs = lookEveryMs;
      try {
        pauseMs = await this.#rounds.run(['round'], signal, async () => {
          if (this.#state === undefined || this.#isOutdated || clock.now() >= lookAtMs) {
            this.#isOutdated = false;
            await this.#look(signal);
            lookAtMs = clock.now() + lookEveryMs;
          }
          this.#isNew = false;
          await this.#putNamesLive(signal);
          return Math.min(await this.#step(signal), Math.max(0, lookAtMs - clock.now()));
        });
        this.#failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        const failure = asLabwrightError(error);
        this.#tell({ kind: 'failing', error: failure });
        if (failure.kind === 'bug') throw error;
        if (failure.code === 'LW8002' || failure.code === 'LW8003') {
          log.error('the router is not kept until that is mended', reasonOf(failure));
          await this.#untilMended(failure, signal);
          lookAtMs = 0;
          continue;
        }
        this.#failures += 1;
        pauseMs = Math.min(longestPauseMs, 1_000 * 2 ** Math.min(this.#failures, 10));
        log.warn('the router could not be kept', { ...reasonOf(failure), pauseMs });
        // What happened to a call without an answer is seen by looking.
        lookAtMs = 0;
      }
      await this.#pause(pauseMs, signal);
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
    this.#tell({ kind: 'starting' });
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
    const known = this.#state;
    const { connection, holder } = this.#options;
    const owner = this.#desired?.owner;
    const claim = owner === undefined ? undefined : { owner, writer: { holder, seconds: writerSeconds } };
    const state = await fetchRouterState(connection, known, signal, claim);
    this.#keep(state);
    // What others save makes the resolver begin again from the configuration, and so may a DHCP lease; names that are not
    // written yet are then told to it anew.
    if (known?.hash !== state.hash || this.#schedule.unwritten !== undefined)
      this.#live = resolverHosts(state.document);
    // It may have begun from files that are older than our last write, when a page was saved meanwhile.
    if (known !== undefined && known.resolver !== state.resolver) this.#isRestarted = true;
    if (state.isPending) this.#schedule = afterLoss(this.#schedule, this.#limits, this.#options.clock.now());
    if (known === undefined || known.hash === state.hash) return;
    if (this.#isLost(state)) {
      this.#options.log.info('something of ours was changed on the router and is put back', {});
      this.#schedule = afterLoss(this.#schedule, this.#limits, this.#options.clock.now());
    }
  }

  /** Whether the router has not what it had of ours. What waits for its write is not lost, and may wait an hour beside it. */
  #isLost(state: RouterState): boolean {
    if (this.#schedule.unwritten === undefined) return this.#plan(state).changes.length > 0;
    return this.#kept !== undefined && planRouter(state.document, this.#kept).changes.length > 0;
  }

  #keep(state: RouterState): void {
    const isNew = this.#state?.hash !== state.hash;
    this.#state = state;
    if (isNew) this.#options.onState?.(state);
  }

  #plan(state: RouterState): ReturnType<typeof planRouter> {
    if (this.#desired === undefined) return { changes: [], conflicts: [], document: state.document };
    return planRouter(state.document, withoutGivenUp(this.#desired, this.#givenUp));
  }

  /** From the plan over the configuration as it was read last: no name waits for a read. */
  async #putNamesLive(signal: AbortSignal): Promise<void> {
    const { connection, log, holder } = this.#options;
    const [state, desired] = [this.#state, this.#desired];
    if (
      state === undefined ||
      desired === undefined ||
      state.profile.readOnly !== undefined ||
      state.heldBy !== undefined
    )
      return;
    const number = this.#wants;
    const plan = this.#plan(state);
    const wanted = resolverHosts(plan.document);
    const records = this.#planRecords(wanted);
    if (records.add.length + records.remove.length === 0) {
      if (this.#standing.live < number) this.#tell({ live: number, conflicts: plan.conflicts });
      return;
    }
    const request = {
      owner: formatOwner(desired.owner),
      writer: { holder, seconds: writerSeconds },
      isRestarted: this.#isRestarted,
      ...records,
    };
    const answer = await connection.execute('names', request, namesAnswer, signal);
    if (answer.kind === 'done') {
      this.#isRestarted = false;
      this.#live = wanted;
      this.#tell({ live: number, conflicts: plan.conflicts });
    } else
      log.warn('names wait for the configuration', { reason: answer.kind === 'held' ? answer.holder : answer.message });
  }

  /** Does what is due, and gives the time until something may be due again. */
  async #step(signal: AbortSignal): Promise<number> {
    const { clock } = this.#options;
    if (this.#state?.heldBy !== undefined) {
      this.#tell({ kind: 'held' });
      return Number.POSITIVE_INFINITY;
    }
    const step = nextStep(this.#schedule, this.#limits, clock.now());
    switch (step.kind) {
      case 'rest':
        this.#tellRecovered();
        return Number.POSITIVE_INFINITY;
      case 'wait':
        if (this.#schedule.unwritten !== undefined) this.#tell({ kind: step.isCapped ? 'capped' : 'waiting' });
        else this.#tellRecovered();
        return step.untilMs - clock.now();
      case 'write':
        return await this.#write(signal);
      case 'verify':
        await this.#verify(signal);
        return 0;
    }
  }

  /** What kept it from its work is over, and nothing was to be written. */
  #tellRecovered(): void {
    const { kind } = this.#standing;
    if (this.#desired === undefined || !(kind === 'failing' || kind === 'held' || kind === 'starting')) return;
    const { readOnly } = this.#state?.profile ?? {};
    const { connection } = this.#options;
    if (readOnly === undefined) this.#tell({ kind: 'settled' });
    else this.#tell({ kind: 'read-only', error: readOnlyError(connection, readOnly) });
  }

  async #write(signal: AbortSignal): Promise<number> {
    const { clock, connection } = this.#options;
    const wanted = this.#desired;
    const number = this.#wants;
    let width = Number.POSITIVE_INFINITY;
    let complaint: string | undefined;
    for (let moves = 0; moves < triesPerWrite;) {
      const state = await fetchRouterState(connection, this.#state, signal);
      this.#keep(state);
      const plan = this.#plan(state);
      const { readOnly } = state.profile;
      if (readOnly !== undefined) {
        this.#schedule = afterWrite(this.#schedule, this.#limits, 0, clock.now());
        this.#tell({ kind: 'read-only', conflicts: plan.conflicts, error: readOnlyError(connection, readOnly) });
        return Number.POSITIVE_INFINITY;
      }
      if (wanted === undefined || (plan.changes.length === 0 && !state.isPending)) {
        this.#settle(wanted, 0);
        this.#verifyDoubted();
        this.#tellWritten(number, plan.conflicts);
        return 0;
      }
      const changes = narrowBalancer(plan.changes, width);
      if (complaint !== undefined && width === 0 && changes.length === 0)
        throw refusalError(connection, plan.changes, complaint);
      const answer = await this.#send(wanted, state, changes, signal);
      if (answer.kind === 'refused') {
        // HAProxy refuses a configuration as a whole. The entry at fault is found by halves, and the others are not kept waiting.
        const keys = balancerKeys(changes);
        if (keys.length === 0) throw refusalError(connection, changes, answer.message);
        if (complaint === undefined && (await this.#isBalancerBroken(wanted, signal))) width = 0;
        complaint ??= answer.message;
        if (width === 0) continue;
        if (keys.length === 1) this.#giveUp(changes, new Map([[keys[0] ?? '', answer.message]]));
        width = keys.length === 1 ? Number.POSITIVE_INFINITY : Math.ceil(keys.length / 2);
        continue;
      }
      const pause = this.#hear(answer, wanted, changes);
      if (pause === 'again' || changes.length < plan.changes.length) {
        moves += pause === 'again' ? 1 : 0;
        continue;
      }
      if (answer.kind === 'held') this.#tell({ kind: 'held', conflicts: plan.conflicts });
      else this.#tellWritten(number, plan.conflicts);
      return pause;
    }
    throw restlessError(connection);
  }

  /** Whether HAProxy refuses what is on the router already, without a change of ours. */
  async #isBalancerBroken(desired: DesiredRouter, signal: AbortSignal): Promise<boolean> {
    const request = { owner: formatOwner(desired.owner), action: 'check' };
    const answer = await this.#options.connection.execute('balancer', request, balancerAnswer, signal);
    return answer.kind !== 'done';
  }

  async #send(
    desired: DesiredRouter,
    state: RouterState,
    changes: readonly Change[],
    signal: AbortSignal,
  ): Promise<WriteAnswer> {
    const { connection, holder, log } = this.#options;
    const names = this.#planRecords(resolverHosts(this.#plan(state).document));
    log.info('the router is written to', {
      changes: changes.map(formatChange).slice(0, 10).join('; '),
      count: changes.length,
    });
    const request = formatWriteRequest({
      owner: desired.owner,
      version: state.profile.version,
      changes,
      names,
      writer: { holder, seconds: writerSeconds },
    });
    this.#inDoubt = changes;
    const answer = await connection.execute('write', request, writeAnswer, signal);
    this.#inDoubt = [];
    return answer;
  }

  /** What an answer means for what comes next: a pause, or that it is to be read and tried again. */
  #hear(
    answer: Exclude<WriteAnswer, { kind: 'refused' }>,
    wanted: DesiredRouter,
    changes: readonly Change[],
  ): number | 'again' {
    const { log, connection } = this.#options;
    switch (answer.kind) {
      case 'written':
      case 'equal': {
        const failed = Object.entries(answer.reloads).filter(([, message]) => message !== '');
        if (answer.kind === 'written' && answer.slipped.length > 0) {
          log.info('somebody saved a page on the router while we wrote; both are kept', {
            sections: answer.slipped.join(', '),
          });
        }
        this.#written = [...this.#written, ...changes];
        this.#settle(wanted, answer.kind === 'written' ? answer.writes : 0);
        if (failed.length > 0) throw reloadError(connection, failed);
        // Our own addition to the hosts is live now; what slipped in shows at the next look.
        if (this.#state !== undefined) this.#live = resolverHosts(this.#plan(this.#state).document);
        return 0;
      }
      case 'moved':
      case 'version':
        return 'again';
      case 'held':
        return Math.min(longestPauseMs, answer.seconds * 1000);
      case 'failed':
        throw refusalError(connection, changes, answer.message);
    }
  }

  /** A write whose answer was lost is found done: it is looked at as any other. */
  #verifyDoubted(): void {
    if (this.#inDoubt.length === 0) return;
    this.#written = [...this.#written, ...this.#inDoubt];
    this.#inDoubt = [];
    this.#schedule = { ...this.#schedule, verifyAtMs: this.#options.clock.now() + this.#limits.verifyMs };
  }

  #tellWritten(number: number, conflicts: readonly Conflict[]): void {
    const isVerified = this.#schedule.verifyAtMs === undefined;
    this.#tell({
      kind: this.#wants === number ? 'settled' : 'waiting',
      written: number,
      ...(isVerified ? { verified: number } : {}),
      conflicts,
    });
  }

  /** Changes that came while it was written keep waiting for theirs. */
  #settle(written: DesiredRouter | undefined, count: number): void {
    const nowMs = this.#options.clock.now();
    this.#schedule = afterWrite(this.#schedule, this.#limits, count, nowMs);
    if (count > 0) this.#options.writes?.remember(this.#schedule.writes);
    if (written !== undefined) this.#kept = withoutGivenUp(written, this.#givenUp);
    if (this.#desired !== written) this.#schedule = afterChange(this.#schedule, nowMs);
  }

  /** A page that was open while we wrote may have saved without ours since; and what was written may not work. */
  async #verify(signal: AbortSignal): Promise<void> {
    const { clock, connection, log } = this.#options;
    this.#schedule = afterVerification(this.#schedule);
    const state = await fetchRouterState(connection, this.#state, signal);
    this.#keep(state);
    if (this.#isLost(state)) {
      log.info('what was written is gone again and is put back', {});
      this.#schedule = afterLoss(this.#schedule, this.#limits, clock.now());
      return;
    }
    const changes = this.#written;
    this.#written = [];
    const seen = changes.length === 0 ? new Map<string, string>() : await this.#options.probe(changes, signal);
    const isSecondLook = this.#isDoubted;
    this.#isDoubted = seen.size > 0 && !isSecondLook;
    if (seen.size === 0) {
      this.#tell({ verified: this.#standing.written });
      return;
    }
    if (!isSecondLook) {
      // A resolver that somebody started anew meanwhile has forgotten what was live only: it is told all of ours once more.
      this.#written = changes;
      this.#isRestarted = true;
      this.#schedule = { ...this.#schedule, verifyAtMs: clock.now() + this.#limits.verifyMs };
      return;
    }
    log.warn('what was written does not work and is taken back', {
      entries: [...seen].map(([key, why]) => `${key}: ${why}`).join('; '),
    });
    this.#giveUp(changes, seen);
    this.#schedule = afterLoss(this.#schedule, this.#limits, clock.now());
  }

  /** Of a resolver that began anew it is not known which of ours it has: those that should be are told, the others taken out. */
  #planRecords(wanted: readonly ConfigValue[]): NameRecords {
    const records = planNameRecords(this.#live, wanted);
    if (!this.#isRestarted) return records;
    const told = planNameRecords(
      this.#live.filter((entry) => !this.#isOurs(entry)),
      wanted,
    );
    return { remove: records.remove, add: [...new Set([...records.add, ...told.add])] };
  }

  #isOurs(entry: ConfigValue): boolean {
    const mark = markOf(places.resolverHosts, entry);
    return mark !== undefined && this.#desired !== undefined && isOwnedBy(mark, this.#desired.owner);
  }

  /** The next plan has exactly these entries as they were before; whatever else changed meanwhile stays. */
  #giveUp(changes: readonly Change[], seen: ReadonlyMap<string, string>): void {
    this.#givenUp = new Map([...this.#givenUp, ...giveUp(changes, new Set(seen.keys()))]);
    const nowMs = this.#options.clock.now();
    this.#takenBackAt = new Map([...this.#takenBackAt, ...[...seen.keys()].map((key) => [key, nowMs] as const)]);
    const errors = [...seen].map(([key, why]) => [key, takenBackError(this.#options.connection, key, why)] as const);
    this.#tell({ takenBack: new Map([...this.#standing.takenBack, ...errors]) });
  }

  #tell(change: Partial<RouterStanding>): void {
    const { error: _, ...rest } = this.#standing;
    this.#standing = { ...rest, ...change };
    this.#options.onStanding?.(this.#standing);
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
