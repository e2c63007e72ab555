// Empties a node by evictions, so that disruption budgets hold; nothing is ever deleted past them.
import { LabwrightError } from '@labwright/core/errors/error';
import type { CallOptions, ClusterConnection } from './connection.ts';
import {
  decideDrain,
  defaultDrainPolicy,
  type DrainBlocker,
  type DrainPolicy,
  type DrainPreflight,
  planDrain,
  podName,
} from './drain-preflight.ts';
import { nodeKind, type Pod, podDisruptionBudgetKind, podKind } from './kind.ts';
import { waitForLeaders } from './leaders.ts';
import { cordonNode } from './nodes.ts';

export interface PreflightOptions extends CallOptions {
  readonly policy?: DrainPolicy;
}

/** Reads the cluster and asks the API server for each eviction in a dry run. Changes nothing. */
export async function preflightDrain(
  connection: ClusterConnection,
  node: string,
  { policy = defaultDrainPolicy, ...call }: PreflightOptions,
): Promise<DrainPreflight> {
  const [nodes, pods, budgets] = await Promise.all([
    connection.list(nodeKind, {}, call),
    connection.list(podKind, {}, call),
    connection.list(podDisruptionBudgetKind, {}, call),
  ]);
  const planned = planDrain(node, { nodes, pods, budgets }, policy);
  const explained = new Set([...planned.blockers.flatMap((blocker) => blocker.pods), ...planned.later.map(podName)]);
  const refused: DrainBlocker[] = [];
  for (const pod of planned.evicted.filter((each) => !explained.has(podName(each)))) {
    const words = await askDry(connection, pod, call);
    if (words === undefined) continue;
    refused.push({
      pods: [podName(pod)],
      until: 'now',
      why: `the API server would refuse to evict it: ${words}`,
      fix: ['change what these words name, or try again when it has passed'],
    });
  }
  return { ...planned, blockers: [...planned.blockers, ...refused] };
}

async function askDry(connection: ClusterConnection, pod: Pod, call: CallOptions): Promise<string | undefined> {
  try {
    const eviction = await connection.evict(pod, { ...call, dryRun: true });
    return eviction.kind === 'blocked' ? eviction.words : undefined;
  } catch (error) {
    // A webhook that says no.
    if (error instanceof LabwrightError && error.code === 'LW6004') return error.why ?? error.message;
    throw error;
  }
}

/** For callers that do not go on. */
export function drainBlockedError(node: string, blockers: readonly DrainBlocker[]): LabwrightError {
  const names = blockers.flatMap(({ pods }) => pods);
  return new LabwrightError('LW6007', {
    what: `node ${node} cannot be drained; nothing was changed`,
    where: { node, ...(names.length === 0 ? {} : { pods: names.join(', ') }) },
    why: blockers
      .map(({ pods, budget, why }) => (budget === undefined && pods.length > 0 ? `${pods.join(', ')}: ${why}` : why))
      .join('; '),
    fix: [...new Set(blockers.flatMap(({ fix }) => fix))],
  });
}

export interface DrainOptions {
  readonly signal: AbortSignal;
  readonly policy?: DrainPolicy;
  /** For all of it. */
  readonly timeLimitMs?: number;
  /** How long controllers and scheduler may take to follow the cluster, before anything is changed. */
  readonly leadersTimeLimitMs?: number;
  /** Each pod's own unless given. */
  readonly gracePeriodSeconds?: number;
  /** "3 pods left; default/web-1 waits for its disruption budget" */
  readonly onProgress?: (words: string) => void;
}

const retryMs = 5_000;
const defaultTimeLimitMs = 15 * 60_000;
const defaultLeadersTimeLimitMs = 5 * 60_000;

/**
 * Cordons the node and evicts what is on it, once controllers and scheduler follow the cluster; returns when all of it is gone. A
 * node that is half drained is drained on. Throws LW6007, before anything is changed, for what would never go, and LW6008 when the time is over: the node is cordoned then, and
 * the pods that are left run on.
 */
export async function drainNode(connection: ClusterConnection, node: string, options: DrainOptions): Promise<void> {
  const {
    signal,
    policy = defaultDrainPolicy,
    timeLimitMs = defaultTimeLimitMs,
    leadersTimeLimitMs = defaultLeadersTimeLimitMs,
    onProgress = () => undefined,
  } = options;
  const wait = {
    signal,
    timeLimitMs: leadersTimeLimitMs,
    onProgress: (words: string) => onProgress(`waits: ${words}`),
  };
  const asleep = await waitForLeaders(connection, wait);
  if (asleep !== undefined) throw drainBlockedError(node, [leaderless(asleep)]);
  const { blockers } = await preflightDrain(connection, node, { signal, policy });
  const final = blockers.filter(({ until }) => until === 'never');
  if (final.length > 0) throw drainBlockedError(node, final);

  await cordonNode(connection, node, { signal });
  const deadline = connection.clock.monotonic() + timeLimitMs;
  const watching = new AbortController();
  const pods = watchPods(connection, node, AbortSignal.any([signal, watching.signal]));
  const waiting = new Map<string, string>();
  try {
    await pods.synced;
    for (;;) {
      signal.throwIfAborted();
      // Taken before the pods are looked at, so that one that goes meanwhile is not waited for.
      const change = pods.nextGone();
      const left = pods.list().filter((pod) => decideDrain(pod, policy).kind !== 'skip');
      if (left.length === 0) return;
      waiting.clear();
      for (const pod of left) await evictOne(connection, pod, options, waiting);
      onProgress(describe(left, waiting));
      const remainingMs = deadline - connection.clock.monotonic();
      if (remainingMs <= 0) throw timeOver(node, left, waiting, timeLimitMs);
      await pods.waitFor(change, Math.min(retryMs, remainingMs));
    }
  } finally {
    watching.abort();
    await pods.ended;
  }
}

async function evictOne(
  connection: ClusterConnection,
  pod: Pod,
  { signal, policy = defaultDrainPolicy, gracePeriodSeconds }: DrainOptions,
  waiting: Map<string, string>,
): Promise<void> {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  const decision = decideDrain(pod, policy);
  // Put on the cordoned node by name since the preflight.
  if (decision.kind === 'refuse') throw drainBlockedError(pod.spec.nodeName ?? '', [decision.blocker]);
  const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
  const eviction = await connection.evict(pod, { signal, ...grace });
  if (eviction.kind === 'blocked') waiting.set(podName(pod), eviction.words);
}

function describe(left: readonly Pod[], waiting: ReadonlyMap<string, string>): string {
  const count = `${countPods(left)} left`;
  const [first] = waiting.keys();
  if (first === undefined) return count;
  const others = waiting.size === 1 ? '' : ` and ${waiting.size - 1} more`;
  return `${count}; ${first}${others} ${waiting.size === 1 ? 'waits' : 'wait'} for a disruption budget`;
}

function countPods(pods: readonly Pod[]): string {
  return pods.length === 1 ? '1 pod' : `${pods.length} pods`;
}

function timeOver(
  node: string,
  left: readonly Pod[],
  waiting: ReadonlyMap<string, string>,
  timeLimitMs: number,
): LabwrightError {
  const states = left.map((pod) => `${podName(pod)}: ${waiting.get(podName(pod)) ?? 'is still ending'}`);
  return new LabwrightError('LW6008', {
    what: `node ${node} still has ${countPods(left)} after ${Math.round(timeLimitMs / 1000)} s of draining`,
    where: { node },
    why: states.join('; '),
    fix: [
      'kubectl describe pod tells what each of them waits for; then run the command again',
      `to give up: kubectl uncordon ${node}`,
    ],
  });
}

const leaderless = (words: string): DrainBlocker => ({
  pods: [],
  until: 'now',
  why: `${words}: what a drain moves would be made again by nobody`,
  fix: ['labwright cluster status', 'kubectl get pods -n kube-system   what runs of the control plane'],
});

interface PodsOfNode {
  readonly synced: Promise<void>;
  /** The watch has come to its end, however it did. */
  readonly ended: Promise<void>;
  list(): readonly Pod[];
  /** Resolves when any pod is gone. */
  nextGone(): Promise<void>;
  /** Returns when it has come, or after the time. Throws when the watch failed. */
  waitFor(change: Promise<void>, atMostMs: number): Promise<void>;
}

function watchPods(connection: ClusterConnection, node: string, signal: AbortSignal): PodsOfNode {
  const pods = new Map<string, Pod>();
  let change = Promise.withResolvers<void>();
  const synced = Promise.withResolvers<void>();
  const put = (pod: Pod): void => void pods.set(pod.metadata.uid, pod);
  const watched = connection.watch(
    podKind,
    { fieldSelector: `spec.nodeName=${node}` },
    {
      added: put,
      changed: put,
      gone: (pod) => {
        pods.delete(pod.metadata.uid);
        change.resolve();
        change = Promise.withResolvers();
      },
      synced: synced.resolve,
    },
    signal,
  );
  return {
    // The watch only ends before it is synced when it is aborted or fails.
    synced: Promise.race([synced.promise, watched]),
    ended: watched.catch(() => undefined),
    list: () => [...pods.values()],
    nextGone: () => change.promise,
    async waitFor(change, atMostMs) {
      const timer = new AbortController();
      const elapsed = connection.clock
        .sleep(atMostMs, AbortSignal.any([signal, timer.signal]))
        .catch((reason: unknown) => {
          if (!timer.signal.aborted) throw reason;
        });
      try {
        await Promise.race([change, elapsed, watched]);
      } finally {
        timer.abort();
        await elapsed;
      }
    },
  };
}
