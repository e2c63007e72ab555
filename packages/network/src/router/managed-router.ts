// The one router of a lab under its one keeper: what the lab file wants of it and what the cluster's exposures want come together
// here, as the router's own setup shapes both.
//
//   lab file ──wantLab──┐
//                       ├──► desireRouter (pure, by the router's setup) ──want──► keeper ──► router
//   cluster ──wantExposures──┘              ▲ setup, at every state that is read
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { balancerStanding, findIdleBalancer } from '@labwright/drivers/pfsense/balancer-standing';
import type { PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import { applyChanges } from '@labwright/drivers/pfsense/edits/apply';
import type { Change } from '@labwright/drivers/pfsense/edits/change';
import { planRouter, resolverHosts, type RouterPlan } from '@labwright/drivers/pfsense/keeper/desired';
import { readOnlyError } from '@labwright/drivers/pfsense/keeper/failure';
import { type RouterKeeperOptions, writerSeconds } from '@labwright/drivers/pfsense/keeper/keeper-options';
import { RouterKeeper } from '@labwright/drivers/pfsense/keeper/router-keeper';
import type { RouterStanding } from '@labwright/drivers/pfsense/keeper/router-standing';
import { routerSetup, type RouterSetup } from '@labwright/drivers/pfsense/router-setup';
import { fetchRouterState, type RouterState } from '@labwright/drivers/pfsense/router-state';
import type { RouterBackup } from '@labwright/drivers/pfsense/restore/backup-file';
import type { RestorePlan } from '@labwright/drivers/pfsense/restore/plan-restore';
import { fetchLatestVersion, type Restored, restoreConfig } from '@labwright/drivers/pfsense/restore/restore-config';
import { type ServerCommand, setServers } from '@labwright/drivers/pfsense/server-commands';
import { planNameRecords } from '@labwright/drivers/pfsense/names/name-records';
import { writeAnswer } from '@labwright/drivers/pfsense/snippet';
import { formatWriteRequest } from '@labwright/drivers/pfsense/write-request';
import { desireRouter, type RouterDesire, type RouterTerms, type RouterWish } from './desired-router.ts';
import { labPrefix } from './entry-names.ts';
import { probeChanges } from './router-probe.ts';

export interface ManagedRouterOptions {
  readonly connection: PfsenseConnection;
  readonly terms: RouterTerms;
  /** Names this process among those that may write to the router for the lab. */
  readonly holder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly keeper?: Partial<Pick<RouterKeeperOptions, 'limits' | 'writes' | 'lookEveryMs' | 'probe'>>;
}

/** How far a wish has come. */
export type Settled = 'live' | 'written' | 'verified';

export class ManagedRouter {
  readonly #options: ManagedRouterOptions;
  readonly #keeper: RouterKeeper;
  readonly #listeners = new Set<() => void>();
  #wish: RouterWish = { lab: 'kept', exposures: 'kept' };
  #state: RouterState | undefined;
  #setup: { readonly value: RouterSetup; readonly text: string } | undefined;
  #desire: RouterDesire | undefined;
  /** The keeper's, of the newest wish; 0 before there was one. */
  #number = 0;

  constructor(options: ManagedRouterOptions) {
    this.#options = options;
    const { connection, clock, log, holder } = options;
    this.#keeper = new RouterKeeper({
      connection,
      clock,
      log,
      holder,
      // What stands at an HAProxy that is switched off cannot be judged, and what belongs to it is not to be taken back.
      probe: async (changes, signal) => {
        const { balancer = 'on', nameServerPort = 53 } = this.setup ?? {};
        const { address } = connection.router;
        return await probeChanges(changes, { address, nameServerPort, isIdle: balancer !== 'on' }, signal);
      },
      ...options.keeper,
      onStanding: () => {
        this.#tell();
      },
      onState: (state) => {
        this.#take(state);
      },
    });
  }

  get name(): string {
    return this.#options.connection.router.name;
  }

  get terms(): RouterTerms {
    return this.#options.terms;
  }

  get standing(): RouterStanding {
    return this.#keeper.standing;
  }

  /** As it was read last; undefined before that. */
  get state(): RouterState | undefined {
    return this.#state;
  }

  get setup(): RouterSetup | undefined {
    return this.#setup?.value;
  }

  get wish(): RouterWish {
    return this.#wish;
  }

  /** What the newest wish came to. */
  get desire(): RouterDesire | undefined {
    return this.#desire;
  }

  /** Keeps the router for as long as the signal lets it; ends as RouterKeeper.run does. */
  async run(signal: AbortSignal): Promise<never> {
    return await this.#keeper.run(signal);
  }

  /** A person asks: what was refused (LW8002, LW8003) is tried once more, as far as that does no harm. */
  async retry(): Promise<void> {
    await this.#options.connection.allowLogin();
    this.#keeper.retry();
  }

  /** Reads the router, beside the keeper. Throws as fetchRouterState does. */
  async look(signal: AbortSignal): Promise<RouterState> {
    const state = await fetchRouterState(this.#options.connection, this.#state, signal);
    this.#take(state);
    return state;
  }

  /** What a wish comes to on a router as it was read. */
  desireFor(state: RouterState, wish: RouterWish): RouterDesire {
    return desireRouter(this.terms, wish, routerSetup(state));
  }

  /** What a wish would change there. Changes nothing. */
  plan(state: RouterState, wish: RouterWish): RouterPlan & { readonly problems: readonly string[] } {
    const { desired, problems } = this.desireFor(state, wish);
    return { ...planRouter(state.document, desired), problems };
  }

  /** LW8013 where HAProxy is to be managed and does not run there. */
  findIdleBalancer(state: RouterState): LabwrightError | undefined {
    return this.terms.manage.includes('haproxy') ? findIdleBalancer(this.name, balancerStanding(state)) : undefined;
  }

  wantLab(lab: RouterWish['lab']): void {
    this.#wish = { ...this.#wish, lab };
    this.#push();
  }

  wantExposures(exposures: RouterWish['exposures']): void {
    this.#wish = { ...this.#wish, exposures };
    this.#push();
  }

  /** Called after every change of standing and state, until the signal. */
  listen(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** What was taken back before that moment is tried again. */
  tryAgain(beforeMs: number): void {
    if (this.#keeper.forgetTakenBack(beforeMs)) this.#push();
  }

  /**
   * Waits until the newest wish is live (its names are in the running resolver; with the forwarder, which has no way for that, or
   * where the resolver refuses them and no write is left in this hour, only taken up for the next write), written, or verified: looked at after it was written. Of a verified one, entries of the
   * lab that were taken back are an LW8010. Passing failures are waited out for as long as `patienceMs`. Throws the keeper's
   * error after that (LW8002 and LW8003 at once), LW8006 for a router that is only read, LW8007 when another process writes for
   * this lab, LW8011 when it waits for the next hour.
   */
  async settle(
    until: Settled,
    { patienceMs = 0, signal }: { readonly patienceMs?: number; readonly signal: AbortSignal },
  ): Promise<RouterStanding> {
    const { clock } = this.#options;
    const number = { value: this.#number };
    const endMs = clock.monotonic() + patienceMs;
    const ending = new AbortController();
    const ended = AbortSignal.any([signal, ending.signal]);
    try {
      for (;;) {
        signal.throwIfAborted();
        // The first state makes a number of a wish that came before it.
        if (number.value === 0) number.value = this.#number;
        const takenBack = until === 'verified' && number.value > 0 ? this.#takenBack() : undefined;
        if (takenBack !== undefined) throw takenBack;
        if (number.value > 0 && this.#isReached(until, number.value)) return this.standing;
        const problem = this.#problem(until);
        const leftMs = endMs - clock.monotonic();
        if (problem !== undefined && (leftMs <= 0 || !isPassing(problem))) throw problem;
        await this.#changed(problem === undefined ? 60_000 : Math.min(1_000, leftMs), ended);
      }
    } finally {
      ending.abort(new Error('settled'));
    }
  }

  /** Tells the running HAProxy of servers; the configuration follows by itself. On a router that is only read neither is done. */
  async moveServers(commands: readonly ServerCommand[], signal: AbortSignal): Promise<void> {
    const { connection, terms, holder } = this.#options;
    // Its standing says so for as long as it lasts.
    if (this.#state?.profile.readOnly !== undefined) return;
    await setServers(connection, terms.owner, commands, signal, { holder, seconds: writerSeconds });
  }

  /** Throws LW8006 for a router that is only read, LW8007 when another process writes for this lab. */
  assertWritable({ profile: { readOnly }, heldBy }: Pick<RouterState, 'profile' | 'heldBy'>): void {
    if (readOnly !== undefined) throw readOnlyError(this.#options.connection, readOnly);
    if (heldBy !== undefined) throw heldError(this.name, heldBy);
  }

  /**
   * Writes changes that a person agreed to, beside the keeper, which finds them made. Throws LW8004 when the router refuses
   * them, LW8007 when it changed meanwhile; and as assertWritable.
   */
  async adopt(state: RouterState, changes: readonly Change[], signal: AbortSignal): Promise<void> {
    const { connection, terms, holder } = this.#options;
    this.assertWritable(state);
    const after = resolverHosts(applyChanges(state.document, changes));
    const request = formatWriteRequest({
      owner: terms.owner,
      version: state.profile.version,
      changes,
      names: planNameRecords(resolverHosts(state.document), after),
      writer: { holder, seconds: writerSeconds },
    });
    const answer = await connection.execute('write', request, writeAnswer, signal);
    const writes = 'writes' in answer ? answer.writes : 0;
    if (writes > 0) this.#keeper.countWrites(writes);
    if (answer.kind === 'written' || answer.kind === 'equal') return;
    const why = 'message' in answer ? answer.message : undefined;
    if (answer.kind === 'held') throw heldError(this.name, answer.holder);
    const isRefused = answer.kind === 'refused' || answer.kind === 'failed';
    throw new LabwrightError(isRefused ? 'LW8004' : 'LW8007', {
      what: `the router ${this.name} did not take the change; ${writes > 0 ? 'a part of it' : 'nothing'} was written`,
      where: { router: this.name },
      ...(why === undefined ? {} : { why }),
      fix: ['run the command again'],
    });
  }

  /** As the function of that name. */
  async fetchLatestVersion(backup: RouterBackup, signal: AbortSignal): Promise<string> {
    return await fetchLatestVersion(this.#options.connection, backup, signal);
  }

  /** Puts a backup in the place of the configuration as it was read; the keeper finds it then. As restoreConfig. */
  async restore(
    { hash, profile }: RouterState,
    backup: RouterBackup,
    plan: Pick<RestorePlan, 'subsystems'>,
    signal: AbortSignal,
  ): Promise<Restored | undefined> {
    const { connection, terms, holder } = this.#options;
    const { owner } = terms;
    const writer = { holder, seconds: writerSeconds };
    const request = { owner, writer, version: profile.version, hash, backup, plan };
    return await this.#keeper.apart(async () => {
      const restored = await restoreConfig(connection, request, signal);
      if (restored !== undefined) this.#keeper.countWrites(1);
      return restored;
    }, signal);
  }

  #takenBack(): LabwrightError | undefined {
    const [first, ...more] = [...this.standing.takenBack].filter(([key]) => key.startsWith(labPrefix));
    if (first === undefined || more.length === 0) return first?.[1];
    const [, { message, why, where, fix }] = first;
    return new LabwrightError('LW8010', {
      what: `${message}, and ${more.length} more`,
      where: { ...where, others: more.map(([key]) => key).join(', ') },
      ...(why === undefined ? {} : { why }),
      fix: ['labwright router diff   shows the reason of each', ...fix],
    });
  }

  #isReached(until: Settled, number: number): boolean {
    const { kind, live, deferred, written, verified } = this.standing;
    if (until === 'verified') return verified >= number;
    // The forwarder takes names from the configuration alone: with nothing to put live, a newer wish need not wait for a write.
    if (until === 'live' && this.#setup?.value.nameServer === 'dnsmasq') return this.#problem(until) === undefined;
    // Nor need it for an hour, where the resolver refuses them.
    if (until === 'live' && kind === 'capped' && deferred >= number) return true;
    return (until === 'live' && live >= number) || written >= number;
  }

  #problem(until: Settled): LabwrightError | undefined {
    const { kind, error } = this.standing;
    switch (kind) {
      case 'failing':
      case 'read-only':
        return error;
      case 'held':
        return heldError(this.name, this.#state?.heldBy);
      case 'capped':
        return until === 'live' ? undefined : cappedError(this.name);
      default:
        return undefined;
    }
  }

  async #changed(mostMs: number, signal: AbortSignal): Promise<void> {
    const once = new AbortController();
    const told = new Promise<void>((resolve) => {
      this.listen(resolve, AbortSignal.any([once.signal, signal]));
    });
    const until = AbortSignal.any([signal, once.signal]);
    try {
      await Promise.race([told, this.#options.clock.sleep(mostMs, until)]);
    } finally {
      once.abort(new Error('changed'));
    }
  }

  #take(state: RouterState): void {
    this.#state = state;
    const value = routerSetup(state);
    const text = JSON.stringify(value);
    const isNew = text !== this.#setup?.text;
    this.#setup = { value, text };
    if (isNew) this.#push();
    this.#tell();
  }

  /** Nothing is wanted before the router is known: how entries look depends on it. */
  #push(): void {
    if (this.#setup === undefined) return;
    this.#desire = desireRouter(this.terms, this.#wish, this.#setup.value);
    this.#number = this.#keeper.want(this.#desire.desired);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What is refused stays so until somebody mends it, however long it is waited for. */
function isPassing({ code }: LabwrightError): boolean {
  return code !== 'LW8002' && code !== 'LW8003';
}

function heldError(router: string, holder: string | undefined): LabwrightError {
  return new LabwrightError('LW8007', {
    what: `another Labwright writes to the router ${router} for this lab`,
    where: { router, ...(holder === undefined ? {} : { holder }) },
    fix: ['stop the other one; a minute later this one takes over by itself'],
  });
}

function cappedError(router: string): LabwrightError {
  return new LabwrightError('LW8011', {
    what: `the configuration of the router ${router} was written as often as an hour may have`,
    where: { router },
    why: 'each write takes the place of one of its own backups; names are live all the same',
    fix: ['it goes on by itself within the hour'],
  });
}
