// What a keeper knows from one step to the next: what is wanted, what the router has of it, and when it was written.
import type { LabwrightError } from '@labwright/core/errors/error';
import type { ConfigValue } from '../config/config-value.ts';
import { isOwnedBy } from '../config/mark.ts';
import { markOf, places } from '../config/place.ts';
import type { Change, EntryChange } from '../edits/change.ts';
import { type NameRecords, planNameRecords } from '../names/name-records.ts';
import type { RouterState } from '../router-state.ts';
import {
  type DesiredRouter,
  type GivenUp,
  type RouterPlan,
  giveUp,
  isTakeBack,
  planRouter,
  stillGivenUp,
  withoutGivenUp,
} from './desired.ts';
import { takenBackError } from './failure.ts';
import type { RouterKeeperOptions } from './keeper-options.ts';
import { type RouterStanding, firstStanding } from './router-standing.ts';
import {
  type Schedule,
  type ScheduleLimits,
  afterChange,
  afterLoss,
  afterOtherWrites,
  afterWrite,
  freshSchedule,
  usualLimits,
} from './write-schedule.ts';

export class KeeperMemory {
  readonly options: RouterKeeperOptions;
  readonly limits: ScheduleLimits;
  schedule: Schedule;
  /** The hosts that the running resolver knows, as far as we know. */
  live: readonly ConfigValue[] = [];
  /** The resolver was started anew since names were put live last, or behaves as if it were. */
  isRestarted = false;
  /** Why the running resolver has not taken the names that it was told last. */
  refusal: string | undefined;
  /** What was written and is not verified. */
  written: readonly Change[] = [];
  /** Sent for writing, and no answer came. */
  inDoubt: readonly Change[] = [];
  /** Keys of marks of what did not work when it was looked at; it is looked at once more. */
  doubted: ReadonlySet<string> = new Set();
  /** Changes of the balancer that were written, and how often HAProxy did not take them up. */
  untaken: { readonly changes: readonly EntryChange[]; readonly tries: number } = { changes: [], tries: 0 };
  #desired: DesiredRouter | undefined;
  /** How often something was wanted. */
  #wants = 0;
  /** What was wanted when it was written last: what is missing of that was lost, whatever else is wanted by now. */
  #kept: DesiredRouter | undefined;
  #state: RouterState | undefined;
  #givenUp: GivenUp = new Map();
  /** When, by key of the mark. */
  #takenBackAt: ReadonlyMap<string, number> = new Map();
  #standing = firstStanding;

  constructor(options: RouterKeeperOptions) {
    this.options = options;
    this.limits = options.limits ?? usualLimits;
    this.schedule = { ...freshSchedule, writes: options.writes?.recall() ?? [] };
  }

  get desired(): DesiredRouter | undefined {
    return this.#desired;
  }

  get wants(): number {
    return this.#wants;
  }

  /** The router as it was read last. */
  get state(): RouterState | undefined {
    return this.#state;
  }

  get standing(): RouterStanding {
    return this.#standing;
  }

  tell(change: Partial<RouterStanding>): void {
    const { error: _, ...rest } = this.#standing;
    this.#standing = { ...rest, ...change };
    this.options.onStanding?.(this.#standing);
  }

  want(desired: DesiredRouter): number {
    this.#desired = desired;
    this.#wants += 1;
    this.#givenUp = stillGivenUp(this.#givenUp, desired);
    const keys = new Set([...this.#givenUp.values()].map(({ key }) => key));
    const takenBack = new Map([...this.#standing.takenBack].filter(([key]) => keys.has(key)));
    const kind = this.#standing.kind === 'settled' ? 'waiting' : this.#standing.kind;
    this.#standing = { ...this.#standing, kind, takenBack };
    this.schedule = afterChange(this.schedule, this.options.clock.now());
    return this.#wants;
  }

  see(state: RouterState): void {
    const isNew = this.#state?.hash !== state.hash;
    this.#state = state;
    if (isNew) this.options.onState?.(state);
  }

  plan(state: RouterState): RouterPlan {
    if (this.#desired === undefined) return { changes: [], conflicts: [], document: state.document };
    return planRouter(state.document, withoutGivenUp(this.#desired, this.#givenUp));
  }

  /** Whether the router has not what it had of ours. What waits for its write is not lost, and may wait an hour beside it. */
  isLost(state: RouterState): boolean {
    if (this.schedule.unwritten === undefined) return this.plan(state).changes.length > 0;
    return this.#kept !== undefined && planRouter(state.document, this.#kept).changes.length > 0;
  }

  putBack(): void {
    this.schedule = afterLoss(this.schedule, this.limits, this.options.clock.now());
  }

  verifySoon(): void {
    this.schedule = { ...this.schedule, verifyAtMs: this.options.clock.now() + this.limits.verifyMs };
  }

  /** Of a resolver that began anew it is not known which of ours it has: those that should be are told, the others taken out. */
  planRecords(wanted: readonly ConfigValue[]): NameRecords {
    const records = planNameRecords(this.live, wanted);
    if (!this.isRestarted) return records;
    const told = planNameRecords(
      this.live.filter((entry) => !this.#isOurs(entry)),
      wanted,
    );
    return { remove: records.remove, add: [...new Set([...records.add, ...told.add])] };
  }

  #isOurs(entry: ConfigValue): boolean {
    const mark = markOf(places.resolverHosts, entry);
    return mark !== undefined && this.#desired !== undefined && isOwnedBy(mark, this.#desired.owner);
  }

  /** After so many writes; 0 when there was nothing to write. Changes that came while it was written keep waiting for theirs. */
  settle(written: DesiredRouter | undefined, count: number): void {
    const nowMs = this.options.clock.now();
    this.schedule = afterWrite(this.schedule, this.limits, count, nowMs);
    if (count > 0) this.options.writes?.remember(this.schedule.writes);
    if (written !== undefined) this.#kept = withoutGivenUp(written, this.#givenUp);
    if (this.#desired !== written) this.schedule = afterChange(this.schedule, nowMs);
  }

  countWrites(count: number): void {
    this.schedule = afterOtherWrites(this.schedule, count, this.options.clock.now());
    this.options.writes?.remember(this.schedule.writes);
  }

  /** What was taken back is not judged: to give that up would be to write again what did not work. */
  withoutTakeBacks(changes: readonly Change[]): readonly Change[] {
    return changes.filter((change) => !isTakeBack(change, this.#givenUp));
  }

  /** What was written is to be looked at, and has two looks before it. */
  noteWritten(changes: readonly Change[]): void {
    const judged = this.withoutTakeBacks(changes);
    const keys = new Set(judged.map((change) => (change.kind === 'entry' ? change.mark.key : undefined)));
    this.doubted = new Set([...this.doubted].filter((key) => !keys.has(key)));
    this.written = [...this.written, ...judged];
  }

  /** The next plan has exactly these entries as they were before; whatever else changed meanwhile stays. */
  giveUp(changes: readonly Change[], seen: ReadonlyMap<string, string>): void {
    this.#givenUp = new Map([...this.#givenUp, ...giveUp(changes, new Set(seen.keys()))]);
    const nowMs = this.options.clock.now();
    this.#takenBackAt = new Map([...this.#takenBackAt, ...[...seen.keys()].map((key) => [key, nowMs] as const)]);
    const errorOf = (key: string, why: string): LabwrightError => takenBackError(this.options.connection, key, why);
    const errors = [...seen].map(([key, why]) => [key, errorOf(key, why)] as const);
    this.tell({ takenBack: new Map([...this.#standing.takenBack, ...errors]) });
  }

  forgetTakenBack(beforeMs: number): boolean {
    const isOld = (key: string): boolean => (this.#takenBackAt.get(key) ?? 0) < beforeMs;
    const left = [...this.#givenUp].filter(([, { key }]) => !isOld(key));
    if (left.length === this.#givenUp.size) return false;
    this.#givenUp = new Map(left);
    return true;
  }
}
