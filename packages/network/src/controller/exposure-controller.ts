// Follows the cluster, decides what is exposed, and keeps the ends, the cluster's status and its Events so.
//
//   cluster ──changes──► decide (pure) ──newest──► end: put ─► done ─► a newer one, or after a while the same again
//   lab     ──touch()──►               │            └─ failed: pause, the newest again
//                                      └─newest──► cluster: addresses in status, Events
//
// Each end has one writer, which takes the newest state and skips those between: a slow one holds up no other.
import { asLabwrightError, type LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { decideExposures, heldAddresses } from '../exposures/decide-exposures.ts';
import {
  type ExposureDecision,
  type ExposureFacts,
  type ExposureSettings,
  type NodePower,
} from '../exposures/exposure.ts';
import { newerOrAgain, pauseAfter, untilAborted } from './again.ts';
import { followCluster } from './cluster-objects.ts';
import { type Decided, writeCluster } from './cluster-writer.ts';
import { type Latest, makeLatest } from './latest.ts';
import { type EndProblem, type NetworkEnd, type NetworkState, networkState } from './network-end.ts';

export interface ExposureControllerOptions {
  readonly connection: Pick<ClusterConnection, 'watch' | 'apply' | 'patch'>;
  readonly ends: readonly NetworkEnd[];
  /** Asked at every decision. While it is undefined nothing is decided; `touch` says that it changed. */
  readonly settings: () => ExposureSettings | undefined;
  /** Asked at every decision; `touch` says that it changed. */
  readonly power: () => ReadonlyMap<string, NodePower>;
  readonly clock: Clock;
  readonly log: Log;
  /** After this time an end is told again, so that what it lost meanwhile comes back. */
  readonly resyncMs?: number;
}

export interface EndStatus {
  readonly name: string;
  /** 'behind' while it is being told, or does not answer. */
  readonly state: 'in step' | 'behind';
  readonly problems: readonly EndProblem[];
  readonly error?: LabwrightError;
}

export interface ExposureController {
  /** The newest; undefined until the cluster is known. */
  decision(): ExposureDecision | undefined;
  /** What it followed from. */
  facts(): ExposureFacts | undefined;
  ends(): readonly EndStatus[];
  /** Something that is not in the cluster changed: a VM stopped, what the router has itself. */
  touch(): void;
  /** Ends when it is closed; rejects with a mistake of the program. */
  readonly done: Promise<void>;
  /** Withdraws nothing: what is exposed stays so. */
  close(): Promise<void>;
}

const usualResyncMs = 300_000;

export function startExposureController(options: ExposureControllerOptions): ExposureController {
  const { connection, ends, settings, power, clock, log, resyncMs = usualResyncMs } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const decided = makeLatest<Decided>();
  const wanted = makeLatest<NetworkState>();
  let wantedText: string | undefined;
  let held: ExposureFacts['held'] = new Map();
  let isDue = false;

  const decide = (): void => {
    const objects = cluster.current();
    const known = settings();
    if (objects === undefined || known === undefined || signal.aborted) return;
    const facts: ExposureFacts = { ...objects, power: power(), held };
    const decision = decideExposures(facts, known);
    held = heldAddresses(decision);
    decided.set({ facts, decision });
    const state = networkState(decision);
    const text = JSON.stringify(state);
    if (text === wantedText) return;
    wantedText = text;
    wanted.set(state);
  };
  /** Many changes come in one piece from the API server: they are decided about together. */
  const touch = (): void => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      decide();
    });
  };
  const cluster = followCluster(connection, touch, signal);
  /** What an end could not take is told to the cluster as well. */
  const tellProblems = (): void => {
    const newest = decided.get();
    if (newest !== undefined) decided.set(newest.value);
  };
  const followers = ends.map((end) => followEnd({ end, wanted, tellProblems, clock, log, resyncMs, signal }));
  const writing = writeCluster({ connection, decided, problems, clock, log, signal });
  const done = Promise.all([cluster.done, writing, ...followers.map((each) => each.done)]).then(() => undefined);
  // Whoever started it may look at `done` later.
  done.catch((error: unknown) => {
    if (!signal.aborted) log.error('exposures no longer follow the cluster', { why: String(error) });
    closing.abort(error);
  });

  function problems(): readonly EndProblem[] {
    return followers.flatMap((each) => each.status().problems);
  }

  return {
    decision: () => decided.get()?.value.decision,
    facts: () => decided.get()?.value.facts,
    ends: () => followers.map((each) => each.status()),
    touch,
    done,
    async close() {
      closing.abort(new Error('the exposure controller is closed'));
      await done;
    },
  };
}

interface EndFollower {
  readonly done: Promise<void>;
  status(): EndStatus;
}

function followEnd(options: {
  readonly end: NetworkEnd;
  readonly wanted: Latest<NetworkState>;
  readonly tellProblems: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly resyncMs: number;
  readonly signal: AbortSignal;
}): EndFollower {
  const { end, wanted, tellProblems, clock, log, resyncMs, signal } = options;
  let put = 0;
  let status: EndStatus = { name: end.name, state: 'behind', problems: [] };
  end.watchProblems?.((problems) => {
    status = { ...status, problems };
    tellProblems();
  }, signal);
  const run = async (): Promise<void> => {
    let failures = 0;
    let { value, number } = await wanted.after(0, signal);
    for (;;) {
      try {
        const problems = await end.put(value, signal);
        if (failures > 0) log.info('an end is in step again', { end: end.name });
        put = number;
        failures = 0;
        const isNews = JSON.stringify(problems) !== JSON.stringify(status.problems);
        status = { name: end.name, state: 'in step', problems };
        if (isNews) tellProblems();
        ({ value, number } = await newerOrAgain(wanted, number, { clock, resyncMs, signal }));
      } catch (error) {
        if (signal.aborted) throw error;
        failures += 1;
        const problem = asLabwrightError(error);
        if (failures === 1)
          log.warn('an end could not be told', { end: end.name, why: problem.why ?? problem.message });
        status = { name: end.name, state: 'behind', problems: status.problems, error: problem };
        await clock.sleep(pauseAfter(failures), signal);
        ({ value, number } = wanted.get() ?? { value, number });
      }
    }
  };
  return {
    done: untilAborted(run(), signal),
    status: () => (put === wanted.get()?.number ? status : { ...status, state: 'behind' }),
  };
}
