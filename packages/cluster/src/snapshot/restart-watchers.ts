// Starts again what has watched the cluster since before a restore and is on no control plane: the kubelets of workers, kube-proxy,
// and the pods of the cluster's own services. A watch remembers the last revision it saw; etcd without --bump-revision is behind
// that now, and the watch waits for it in silence, with everything that was made since the restore missing.
import type { HostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { podKind, type Pod } from '@labwright/drivers/kubernetes/kind';
import type { OpenShell } from '../formation/shell.ts';
import { baseCharts } from '../services/base-chart.ts';

export interface Watchers {
  readonly workers: readonly HostName[];
  readonly openShell: OpenShell;
  readonly connect: (signal: AbortSignal) => Promise<Pick<ClusterConnection, 'list' | 'delete'>>;
}

/** A machine whose kubelet still has what it knew before. */
export interface LeftWatcher {
  readonly name: HostName;
  readonly why: string;
}

const kubeletMs = 2 * 60_000;

/** Machines that do not answer are told of and hold nothing up: whatever starts on them later starts with the restored state. */
export async function restartWatchers(
  { workers, openShell, connect }: Watchers,
  signal: AbortSignal,
): Promise<readonly LeftWatcher[]> {
  const whys = await Promise.all(workers.map(async (name) => await restartKubelet(name, openShell, signal)));
  const connection = await connect(signal);
  for (const namespace of watchedNamespaces) {
    for (const pod of await connection.list(podKind, { namespace }, { signal })) {
      if (isMadeAgain(pod)) await removePod(connection, pod, signal);
    }
  }
  return workers.flatMap((name, at) => {
    const why = whys[at];
    return why === undefined ? [] : [{ name, why }];
  });
}

/** "node103 (nothing came within …) did not start its kubelet again: …"; empty when nobody is left. */
export function formatLeftWatchers(left: readonly LeftWatcher[]): string {
  if (left.length === 0) return '';
  const names = left.map(({ name, why }) => `${name} (${why})`).join(', ');
  return (
    `${names} did not start the kubelet again: a machine that is off takes the restored state when it starts (labwright up); ` +
    'on one that runs: sudo systemctl restart kubelet'
  );
}

/** Why it was not; undefined when it was. */
async function restartKubelet(name: HostName, openShell: OpenShell, signal: AbortSignal): Promise<string | undefined> {
  try {
    const command = ['sudo', 'systemctl', 'restart', 'kubelet.service'];
    const { exitCode, stderr } = await openShell(name)(command, { timeoutMs: kubeletMs, signal });
    return exitCode === 0 ? undefined : stderr.trim() || `systemctl ended with exit code ${exitCode}`;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof LabwrightError) || (error.code !== 'LW3003' && error.code !== 'LW3004')) throw error;
    return error.why ?? error.message;
  }
}

const watchedNamespaces: ReadonlySet<string> = new Set([
  'kube-system',
  ...Object.values(baseCharts).map(({ namespace }) => namespace),
]);

const makers: ReadonlySet<string> = new Set(['DaemonSet', 'ReplicaSet', 'StatefulSet']);

/** Not the control planes' own, which are files of the kubelet, nor one that nobody would make again. */
function isMadeAgain({ metadata }: Pod): boolean {
  return metadata.ownerReferences?.some(({ kind, controller }) => controller === true && makers.has(kind)) === true;
}

/**
 * Removed and not rolled out: a rollout waits for each machine in turn, and for one that is off without end. The rules of a
 * kube-proxy and the routes of a pod network stay in the kernel meanwhile.
 */
async function removePod(
  connection: Pick<ClusterConnection, 'delete'>,
  { metadata: { name, namespace = 'default', uid } }: Pod,
  signal: AbortSignal,
): Promise<void> {
  try {
    await connection.delete(podKind, { name, namespace }, { signal, uid });
  } catch (error) {
    // Another pod has the name already, which is new.
    if (error instanceof LabwrightError && error.code === 'LW6005') return;
    throw error;
  }
}
