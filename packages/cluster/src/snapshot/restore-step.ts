// The step 'cluster.restore': puts etcd of all control planes back to a snapshot, and starts again what looked at the old data.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import { stepId, type Json, type Step } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { anyKind, podKind } from '@labwright/drivers/kubernetes/kind';
import type { OpenShell } from '../formation/shell.ts';
import { makeRestoreMachine } from './restore-machine.ts';
import { restoreCluster } from './restore.ts';
import { readSnapshot, type SnapshotCipher } from './snapshot-folder.ts';
import type { SnapshotSummary } from './verify-snapshot.ts';

export type RestoreInput = { readonly file: string; readonly sha256: string };

export interface RestoreStepOptions {
  readonly blueprint: Blueprint;
  readonly connect: (signal: AbortSignal) => Promise<ClusterConnection>;
  readonly openShell: OpenShell;
  readonly cipher: SnapshotCipher;
  readonly clock: Clock;
}

const minuteMs = 60_000;
const limits = { estimateMs: 3 * minuteMs, answerMs: 10 * minuteMs, kubeletMs: 2 * minuteMs, probeMs: 5_000 } as const;

/** For a snapshot that was verified. */
export function planRestore(file: string, { sha256, objects, revision }: SnapshotSummary): Step {
  const input: RestoreInput = { file, sha256 };
  return {
    id: stepId('cluster.restore', 'cluster'),
    kind: 'cluster.restore',
    target: 'cluster',
    title: `put the cluster back to ${objects} objects at revision ${revision}`,
    change: 'change',
    reason: 'you asked for it',
    needs: [],
    risk: { level: 'data-loss', lost: 'every change in the cluster since the snapshot was taken' },
    estimateMs: limits.estimateMs,
    relies: [],
    queues: ['cluster/voters', 'cluster/snapshot'],
    input: { ...input },
  };
}

export function makeRestoreExecutor(options: RestoreStepOptions): Executor {
  return {
    nature: 'work',
    run: async (input: Json, context) => await restore(options, input as RestoreInput, context),
  };
}

async function restore(
  options: RestoreStepOptions,
  input: RestoreInput,
  { signal, progress }: StepContext,
): Promise<string> {
  const { blueprint, clock, openShell } = options;
  const { plain, summary } = await readSnapshot(input.file, options.cipher, signal);
  if (summary.sha256 !== input.sha256) throw changed(input.file);
  const controlPlanes = blueprint.machines.filter(({ role }) => role === 'control-plane');
  await restoreCluster({
    hosts: controlPlanes.map((machine) => makeRestoreMachine(machine, { openShell, clock, progress })),
    snapshot: { sha256: summary.sha256, plain },
    fetchUnreadiness: async (call) => {
      const patience = AbortSignal.any([call, AbortSignal.timeout(limits.probeMs)]);
      const connection = await options.connect(call);
      return await connection.fetchUnreadiness({ signal: patience, tries: 1 });
    },
    restartOthers: async (call) => await restartOthers(options, call),
    clock,
    answerTimeoutMs: limits.answerMs,
    signal,
    progress,
  });
  return `${summary.objects} objects at revision ${summary.revision} are back`;
}

const daemonSetKind = anyKind('apps/v1', 'DaemonSet');

/** What watches the API remembers revisions that the restored data has not reached yet, and would wait for them in silence. */
async function restartOthers(
  { blueprint, connect, openShell, clock }: RestoreStepOptions,
  signal: AbortSignal,
): Promise<void> {
  const workers = blueprint.machines.filter(({ role }) => role === 'worker');
  await Promise.all(
    workers.map(async ({ name }) => {
      const call = { timeoutMs: limits.kubeletMs, signal };
      const { exitCode, stderr } = await openShell(name)(['sudo', 'systemctl', 'restart', 'kubelet.service'], call);
      if (exitCode !== 0) throw notRestarted(name, stderr);
    }),
  );
  const connection = await connect(signal);
  const at = { metadata: { annotations: { 'labwright.dev/restarted-at': new Date(clock.now()).toISOString() } } };
  const proxy = { name: 'kube-proxy', namespace: 'kube-system' };
  if ((await connection.get(daemonSetKind, proxy, { signal })) !== undefined) {
    await connection.patch(daemonSetKind, proxy, { spec: { template: at } }, { signal });
  }
  // The pods of the cluster's own services; their controllers make them again.
  for (const pod of await connection.list(
    podKind,
    { namespace: 'kube-system', labelSelector: 'k8s-app=kube-dns' },
    { signal },
  )) {
    await connection.delete(
      podKind,
      { name: pod.metadata.name, namespace: 'kube-system' },
      { signal, uid: pod.metadata.uid },
    );
  }
}

const changed = (file: string): LabwrightError =>
  new LabwrightError('LW6034', {
    what: 'the snapshot is not the one that the plan was made for',
    where: { file },
    why: 'the file was changed since',
    fix: [`labwright cluster restore ${file}   and look again`],
  });

const notRestarted = (machine: string, stderr: string): LabwrightError =>
  new LabwrightError('LW6036', {
    what: `the kubelet of ${machine} did not start again`,
    where: { machine },
    why: stderr.trim(),
    fix: [`ssh ${machine} sudo systemctl status kubelet`, 'the same command again goes on from here'],
  });
