// Restores a snapshot of etcd on all control planes: everything stops, every member gets the same data as a new group, and
// every process that has looked at the old data starts again.
//
//   look (all) ─▶ stop (all) ─▶ restore (all) ─▶ start (all) ─▶ the API answers ─▶ other kubelets, kube-proxy ─▶ finish (all)
//
// Machines that are in no cluster (made anew after a loss) are left out: the new group is of the others, and they join it later.
//
// Each machine remembers how far it is for this snapshot, so a restore that was killed goes on, and no machine is restored
// twice or started beside one that still has the old data.
import type { Clock } from '@labwright/core/ports/clock';
import { LabwrightError } from '@labwright/core/errors/error';

/** How far a machine is with this very snapshot. 'absent': it is in no cluster, so nothing is restored there; it joins afterwards. */
export type RestorePhase = 'absent' | 'untouched' | 'stopped' | 'restored' | 'started';

/** One control plane, as a restore needs it; each act is done when it returns and harmless to repeat. */
export interface RestoreHost {
  readonly name: string;
  readonly peerUrl: string;
  /** Throws LW6036 when it is in the middle of restoring another snapshot. */
  fetchPhase(snapshot: string, signal: AbortSignal): Promise<RestorePhase>;
  /** Its kubelet and everything the kubelet runs; nothing comes back by itself, also not after a power cut. */
  stop(snapshot: string, signal: AbortSignal): Promise<void>;
  /** Puts the new data in place of the old, which is kept beside it. */
  restore(order: RestoreOrder, signal: AbortSignal): Promise<void>;
  start(snapshot: string, signal: AbortSignal): Promise<void>;
  /** Forgets the phases: the next restore, also of the same snapshot, begins anew. */
  finish(snapshot: string, signal: AbortSignal): Promise<void>;
}

export interface RestoreOrder {
  /** SHA-256 of the file: what the machines know the restore by. */
  readonly snapshot: string;
  readonly plain: Uint8Array;
  /** "node101=https://10.1.1.1:2380,node102=…" */
  readonly initialCluster: string;
  /** Another than the former group's, so that no member of that can be taken for one of the new. */
  readonly token: string;
}

export interface RestoreOptions {
  readonly hosts: readonly RestoreHost[];
  readonly snapshot: { readonly sha256: string; readonly plain: Uint8Array };
  /** Undefined when the API is ready, otherwise why not. */
  readonly fetchUnreadiness: (signal: AbortSignal) => Promise<string | undefined>;
  /**
   * What has looked at the old data and is on no control plane: the other kubelets, kube-proxy. What cannot be reached must not
   * make it throw: until `finish`, no other snapshot can be restored.
   */
  readonly restartOthers: (signal: AbortSignal, progress: (words: string) => void) => Promise<void>;
  readonly clock: Clock;
  readonly answerTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly progress: (words: string) => void;
}

const lookAgainMs = 500;

export async function restoreCluster(options: RestoreOptions): Promise<void> {
  const { snapshot, signal, progress } = options;
  const { sha256 } = snapshot;
  if (options.hosts.length === 0) throw new LabwrightError('LW0001', { what: 'a cluster has a control plane' });
  // All of them answer, or none is touched.
  progress('looks at every control plane');
  const all = await onAll(options.hosts, async (host) => ({ host, phase: await host.fetchPhase(sha256, signal) }));
  const found = all.filter(({ phase }) => phase !== 'absent');
  if (found.length === 0) throw nothingThere(options.hosts);
  const hosts = found.map(({ host }) => host);
  const told = found.map(({ phase }) => phase);
  // None starts before all are restored: beside one that has, an untouched one has finished and forgotten.
  const isEnding = told.includes('started');
  const phases = told.map((phase) => (isEnding && phase === 'untouched' ? 'started' : phase));
  const todo = (upTo: RestorePhase): readonly RestoreHost[] =>
    hosts.filter((_, at) => order.indexOf(phases[at] ?? 'untouched') < order.indexOf(upTo));

  progress('stops every control plane');
  await onAll(todo('stopped'), async (host) => await host.stop(sha256, signal));
  progress('gives every member of etcd the data of the snapshot');
  const initialCluster = hosts.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  const token = `restored-${sha256.slice(0, 16)}`;
  const restoring = { snapshot: sha256, plain: snapshot.plain, initialCluster, token };
  // One after the other: each holds the whole snapshot in memory for that time.
  for (const host of todo('restored')) await host.restore(restoring, signal);
  progress('starts every control plane');
  await onAll(todo('started'), async (host) => await host.start(sha256, signal));
  await waitForApi(options);
  progress('starts again what has looked at the old data');
  await options.restartOthers(signal, progress);
  await onAll(hosts, async (host) => await host.finish(sha256, signal));
}

const order: readonly RestorePhase[] = ['untouched', 'stopped', 'restored', 'started'];

const nothingThere = (hosts: readonly RestoreHost[]): LabwrightError =>
  new LabwrightError('LW6014', {
    what: 'there is no cluster that the snapshot could be restored in',
    why: `no control plane is in one: ${hosts.map(({ name }) => name).join(', ')}`,
    fix: ['labwright up   forms it; then the same command again'],
  });

async function waitForApi({
  clock,
  answerTimeoutMs,
  fetchUnreadiness,
  signal,
  progress,
}: RestoreOptions): Promise<void> {
  const deadline = clock.monotonic() + answerTimeoutMs;
  for (;;) {
    const why = await fetchUnreadiness(signal);
    if (why === undefined) return;
    progress(`waits for the API: ${why}`);
    if (clock.monotonic() > deadline) {
      throw new LabwrightError('LW6001', {
        what: 'the snapshot is restored, and the API does not answer',
        why,
        fix: ['labwright cluster status', 'the same command again goes on from here'],
      });
    }
    await clock.sleep(lookAgainMs, signal);
  }
}

/** All at once; when one fails the others are finished first, and its error is thrown. */
async function onAll<Result>(
  hosts: readonly RestoreHost[],
  work: (host: RestoreHost) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = await Promise.allSettled(hosts.map(work));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
