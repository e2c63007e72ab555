// What a decision writes back to the cluster: addresses into status, and Events.
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { exposedServiceKind, ingressKind } from '../cluster/exposed-kinds.ts';
import {
  decisionEvents,
  type ExposureEvent,
  eventObject,
  type StatusChange,
  statusChanges,
} from '../exposures/events.ts';
import { type ExposureDecision, type ExposureFacts, exposureKey } from '../exposures/exposure.ts';
import { newerOrAgain, pauseAfter, untilAborted } from './again.ts';
import type { Latest } from './latest.ts';
import type { EndProblem } from './network-end.ts';

export interface Decided {
  readonly facts: ExposureFacts;
  readonly decision: ExposureDecision;
}

/** The API server forgets an Event after an hour. */
const retellMs = 1_800_000;

export interface ClusterWriting {
  readonly connection: Pick<ClusterConnection, 'apply' | 'patch'>;
  readonly decided: Latest<Decided>;
  readonly problems: () => readonly EndProblem[];
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Status first: it is what keeps an address with its Service when this process ends. */
export async function writeCluster({
  connection,
  decided,
  problems,
  clock,
  log,
  signal,
}: ClusterWriting): Promise<void> {
  /** Events by what they say, and when they were told last. */
  let told = new Map<string, number>();
  const run = async (): Promise<void> => {
    let number = 0;
    let failures = 0;
    for (;;) {
      const newest =
        number === 0
          ? await decided.after(0, signal)
          : await newerOrAgain(decided, number, {
              clock,
              resyncMs: failures === 0 ? retellMs : pauseAfter(failures),
              signal,
            });
      const { facts, decision } = newest.value;
      try {
        for (const change of statusChanges(decision, facts)) await writeStatus(connection, change, log, signal);
        const events = [...decisionEvents(decision), ...problemEvents(decision, problems())];
        told = await tellEvents(connection, events, told, clock, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) throw error;
        failures += 1;
        const problem = asLabwrightError(error);
        log.debug('status and Events could not be written', { why: problem.why ?? problem.message });
      }
      number = newest.number;
    }
  };
  await untilAborted(run(), signal);
}

/** An object that went away, or changed, is told about by the watch; the next decision is about what is there then. */
async function writeStatus(
  connection: Pick<ClusterConnection, 'patch'>,
  { source, addresses }: StatusChange,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { kind, namespace, name, uid } = source;
  const status = { loadBalancer: { ingress: addresses.length === 0 ? null : addresses.map((ip) => ({ ip })) } };
  const patch = { metadata: { uid }, status };
  const call = { signal, subresource: 'status' } as const;
  try {
    if (kind === 'Service') await connection.patch(exposedServiceKind, { name, namespace }, patch, call);
    else await connection.patch(ingressKind, { name, namespace }, patch, call);
  } catch (error) {
    if (!isRefused(error)) throw error;
    log.debug('the status of an object was not written', {
      object: `${kind} ${namespace}/${name}`,
      why: String(error),
    });
  }
}

/** The cluster answered no: the object is gone, or its namespace is on its way out. */
const isRefused = (error: unknown): boolean =>
  error instanceof LabwrightError && (error.kind === 'refused' || error.kind === 'conflict');

function problemEvents({ exposures }: ExposureDecision, problems: readonly EndProblem[]): readonly ExposureEvent[] {
  const sources = new Map(exposures.map(({ source }) => [exposureKey(source), source]));
  return problems.flatMap(({ owner, why, fix }) => {
    const source = sources.get(owner);
    return source === undefined ? [] : [{ source, type: 'Warning', reason: 'NotExposed', message: `${why}; ${fix}` }];
  });
}

/** Each once, and again before it would be forgotten; what no longer holds is told anew when it holds again. */
async function tellEvents(
  connection: Pick<ClusterConnection, 'apply'>,
  events: readonly ExposureEvent[],
  told: ReadonlyMap<string, number>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const next = new Map<string, number>();
  for (const event of events) {
    const key = `${event.source.uid} ${event.message}`;
    const before = told.get(key);
    const now = clock.now();
    if (before !== undefined && now - before < retellMs) {
      next.set(key, before);
      continue;
    }
    try {
      await connection.apply(eventObject(event, now), { signal });
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
    next.set(key, now);
  }
  return next;
}
