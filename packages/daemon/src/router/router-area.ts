// The router as one area of the running lab: its connection, its keeper, and with them its planner, its steps, and what people ask.
//
// The keeper begins by leaving what follows from the lab file as it is. It keeps it from the moment on that a plan was applied, and
// at the start when the router is already as the file says: what a plan would change is never changed behind it.
//
// What is taken out of `manage` leaves entries of ours behind; a plan takes them away. That there are any is known from the router
// alone, by their marks, so one of which nothing is managed is looked at as well, for as long as the lab file has its password. It
// is looked at for plans and not kept, and not spoken of where there is nothing of ours on it.
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Blueprint, RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { RouterStatus } from '@labwright/core/contract/contract';
import type { Executor } from '@labwright/core/engine/engine';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { AreaPlan, Plan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Secret } from '@labwright/core/ports/secret';
import { isMap } from '@labwright/drivers/pfsense/config/config-value';
import { markOf } from '@labwright/drivers/pfsense/config/place';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import { entriesOf } from '@labwright/drivers/pfsense/edits/plan-edits';
import type { NetworkBoot } from '@labwright/drivers/pfsense/entries/lease-entry';
import type { DesiredRouter } from '@labwright/drivers/pfsense/keeper/desired';
import type { WriteMemory } from '@labwright/drivers/pfsense/keeper/write-schedule';
import type { RouterState } from '@labwright/drivers/pfsense/router-state';
import type { RouterIdentification, RouterPins } from '@labwright/drivers/pfsense/tls-pin';
import { allMachines, withReplacements } from '@labwright/machines/replacements';
import { routerSetup } from '@labwright/drivers/pfsense/router-setup';
import { allPlaces, releasedParts, routerTerms, type RouterWish } from '@labwright/network/router/desired-router';
import { ManagedRouter } from '@labwright/network/router/managed-router';
import { findServicesUse } from '@labwright/network/router/router-view';
import { entryName, formatHeld, planRouterSteps, routerStepKinds } from '@labwright/network/router/router-steps';
import { z } from 'zod';
import { formatRouterStatus } from './router-status.ts';

export interface RouterLogin {
  readonly user: string;
  readonly password: Secret;
  /** What the lab refers to by now; absent where that cannot change while this runs. */
  readonly readPassword?: () => Promise<Secret>;
}

export interface RouterAreaOptions {
  readonly blueprint: Blueprint;
  readonly router: RouterBlueprint;
  readonly login: RouterLogin;
  readonly expect: RouterIdentification['expect'];
  readonly pins: RouterPins;
  readonly writes?: WriteMemory;
  /** Private; names this Labwright among those that may write. */
  readonly stateDirectory: string;
  /** What firmware is told to boot by the router's own DHCP; absent where it tells nothing. */
  readonly boot?: NetworkBoot;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the keeper. */
  readonly signal: AbortSignal;
}

export interface RouterArea {
  readonly router: ManagedRouter;
  /** Labwright's own on the router. */
  readonly user: string;
  readonly executors: ReadonlyMap<string, Executor>;
  /** Keeps the router from now on; a second call changes nothing. */
  attend(): void;
  /** Told after every look at the hypervisors: machines may have been replaced. */
  observed(facts: HypervisorFacts): void;
  /** A router that does not answer is a problem of the plan; throws only the signal's reason and faults of ours. */
  plan(machines: Blueprint['machines'], signal: AbortSignal): Promise<AreaPlan>;
  /** Looks only when the plan relies on it. */
  listEntries(plan: Pick<Plan, 'steps'>, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** The lab and its exposures as far as they are wanted. Throws as reading the router does. */
  planAll(signal: AbortSignal): Promise<{
    readonly state: RouterState;
    readonly plan: ReturnType<ManagedRouter['plan']>;
    readonly desired: DesiredRouter;
  }>;
  /** Undefined for one of which nothing is managed. */
  status(signal: AbortSignal): Promise<RouterStatus | undefined>;
  close(): Promise<void>;
}

/** A router that reboots is back within two minutes. */
const patienceMs = 120_000;
/** For one of which nothing is managed: a plan does not wait long for what is probably not there. */
const unmanagedPatienceMs = 5_000;

const stepInput = z.object({ part: z.string(), machines: z.array(z.number()) });

export function makeRouterArea(options: RouterAreaOptions): RouterArea {
  const { blueprint, router: named, clock, log, signal: ended } = options;
  const connection = connectPfsense({
    router: { name: named.name, address: named.address, port: named.port },
    ...options.login,
    pins: options.pins,
    expect: options.expect,
    log,
  });
  const isManaged = named.manage.length > 0;
  const router = new ManagedRouter({
    connection,
    terms: routerTerms(blueprint),
    holder: holderOf(options),
    clock,
    log,
    ...(options.writes === undefined ? {} : { keeper: { writes: options.writes } }),
  });
  let current = blueprint;
  /** The VM IDs that a plan which was applied spoke of; undefined while the lab's part is left as it is. */
  let applied: ReadonlySet<number> | undefined;
  /** When the newest plan was made. */
  let plannedAtMs = 0;
  let keeping: Promise<void> | undefined;

  const labWith = (machines: Blueprint['machines']): RouterWish => {
    if (machines.length === 0) return { lab: 'gone', exposures: router.wish.exposures };
    const lab = { blueprint: { ...current, machines }, ...(options.boot === undefined ? {} : { boot: options.boot }) };
    // A lab whose cluster is gone from its file exposes nothing any more.
    return { lab, exposures: current.cluster === undefined ? 'none' : router.wish.exposures };
  };
  const want = (wish: RouterWish): void => {
    // A keeper that was stopped meanwhile knows nothing of what came after: it begins with something new to do.
    if (!isManaged || JSON.stringify(wish.lab) !== JSON.stringify(router.wish.lab)) router.wantLab(wish.lab);
    if (wish.exposures === 'none' && router.wish.exposures !== 'none') router.wantExposures('none');
  };
  const adopt = (): void => {
    const { state } = router;
    if (state === undefined || applied !== undefined) return;
    const wish = labWith(current.machines);
    if (router.plan(state, { ...wish, exposures: 'kept' }).changes.length > 0) return;
    applied = new Set(current.machines.map(({ vmId }) => vmId));
    router.wantLab(wish.lab);
  };
  const keep = async (until: AbortSignal): Promise<void> => {
    try {
      await router.run(until);
    } catch (error) {
      if (until.aborted) return;
      const { code, message, why = '' } = asLabwrightError(error);
      log.error('the router is not kept any more', { code, what: message, why });
    }
  };
  const attend = (): void => {
    // After a fault of ours the next who needs it begins anew.
    if (isManaged) keeping ??= keep(ended).finally(() => (keeping = undefined));
  };
  /** One that is not managed is kept for as long as steps take away what is left of ours. */
  let clearing: { users: number; readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  const withKeeper = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    attend();
    if (isManaged) return await work();
    if (clearing === undefined) {
      const stop = new AbortController();
      clearing = { users: 0, stop, done: keep(AbortSignal.any([ended, stop.signal])) };
    }
    const own = clearing;
    own.users += 1;
    try {
      return await work();
    } finally {
      own.users -= 1;
      if (own.users === 0) {
        clearing = undefined;
        own.stop.abort(new Error('nothing of ours is left'));
        await own.done;
      }
    }
  };

  let seen = '';
  router.listen(() => {
    const hash = router.state?.hash ?? '';
    if (hash === seen) return;
    seen = hash;
    adopt();
  }, ended);

  const execute: Executor = {
    nature: 'work',
    run: async (given, { signal, progress }) => {
      const { machines } = stepInput.parse(given);
      applied = new Set(machines);
      // Not what the steps of this very plan have met already.
      router.tryAgain(plannedAtMs);
      const known = new Set(machines);
      const chosen = allMachines(blueprint).filter(({ vmId }) => known.has(vmId));
      want(labWith(chosen));
      progress('waits until the router has taken it up');
      await withKeeper(async () => {
        await router.settle('verified', { patienceMs, signal: AbortSignal.any([signal, ended]) });
      });
      return 'written, and looked at afterwards';
    },
  };

  return {
    router,
    user: options.login.user,
    executors: new Map(Object.values(routerStepKinds).map((kind) => [kind, execute])),
    attend,
    observed: (facts) => {
      const next = withReplacements(blueprint, facts);
      const isNew = JSON.stringify(next.machines) !== JSON.stringify(current.machines);
      const before = new Set(current.machines.map(({ vmId }) => Number(vmId)));
      current = next;
      if (!isNew) return;
      // Only a lab that stands there as a whole follows its replacements by itself.
      if (applied !== undefined && [...before].every((vmId) => applied?.has(vmId) === true)) {
        applied = new Set(next.machines.map(({ vmId }) => vmId));
        want(labWith(next.machines));
      }
      adopt();
    },
    plan: async (machines, signal) => {
      const nothing: AreaPlan = { steps: [], problems: [], notes: [] };
      // Spent on looking alone: an unmanaged router that is silent holds no plan up.
      const patience = isManaged ? signal : AbortSignal.any([signal, AbortSignal.timeout(unmanagedPatienceMs)]);
      try {
        // Plans are asked for by persons, who may have mended what was refused.
        await router.retry();
        plannedAtMs = clock.now();
        const state = await router.look(patience);
        const wish = labWith(machines);
        const plan = router.plan(state, wish.exposures === 'none' ? wish : { ...wish, exposures: 'kept' });
        const { readOnly } = state.profile;
        const { range } = blueprint.exposures;
        const isAsked = isManaged && range !== undefined && machines.length > 0;
        const idleBalancer = machines.length === 0 ? undefined : router.findIdleBalancer(state);
        return planRouterSteps({
          router: named.name,
          plan,
          ...(readOnly === undefined ? {} : { readOnly }),
          ...(isAsked ? { services: { range, uses: findServicesUse(state, router.terms.owner, range) } } : {}),
          ...(idleBalancer === undefined ? {} : { idleBalancer }),
          released: releasedParts(named.manage),
          machines: machines.map(({ vmId }) => vmId),
        });
      } catch (thrown) {
        signal.throwIfAborted();
        if (patience.aborted) return { ...nothing, notes: [unseenNote(named.name, 'it did not answer in time')] };
        const error = asLabwrightError(thrown);
        if (error.code === 'LW0001') throw error;
        if (!isManaged) return { ...nothing, notes: [unseenNote(named.name, error.why ?? error.message)] };
        // A router that is away keeps nobody from the machines.
        return { ...nothing, problems: [error.toJSON()] };
      }
    },
    listEntries: async ({ steps }, signal) => {
      const relied = steps.flatMap(({ relies }) => relies.map(({ entry }) => entry));
      const prefix = `router ${named.name} `;
      const asked = relied.filter((entry) => entry.startsWith(prefix));
      if (asked.length === 0) return new Map();
      const state = await router.look(signal);
      const found = new Map(asked.map((entry) => [entry, 'absent']));
      for (const [entry, value] of ownEntries(router, state)) if (found.has(entry)) found.set(entry, value);
      return found;
    },
    planAll: async (signal) => {
      const state = await router.look(signal);
      const wish = { ...labWith(current.machines), exposures: router.wish.exposures };
      return { state, plan: router.plan(state, wish), desired: router.desireFor(state, wish).desired };
    },
    status: async (signal) =>
      isManaged ? await formatRouterStatus(router, named, { isKept: keeping !== undefined, signal }) : undefined,
    close: async () => {
      await Promise.all([keeping, clearing?.done]);
      await connection.close();
    },
  };
}

function unseenNote(router: string, why: string): string {
  return `nothing of the router ${router} is managed; whether entries of this lab are left on it is not known: ${why}`;
}

/** The same one after a restart, so that it need not wait for its own former right to write to end. */
function holderOf({ stateDirectory }: RouterAreaOptions): string {
  const digest = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 8);
  return `${hostname()}-${digest}`;
}

function* ownEntries(router: ManagedRouter, state: RouterState): Generator<readonly [string, string]> {
  const { owner } = router.terms;
  for (const place of allPlaces(routerSetup(state))) {
    for (const entry of entriesOf(state.document, place)) {
      const mark = markOf(place, entry);
      if (mark?.lab !== owner.lab || mark.cluster !== owner.cluster || !isMap(entry)) continue;
      yield [entryName(router.name, place, mark.key), formatHeld(entry)];
    }
  }
}
