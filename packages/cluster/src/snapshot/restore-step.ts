// The step 'cluster.restore': puts etcd of all control planes back to a snapshot, and starts again what looked at the old data.
import { hostName } from '@labwright/core/addresses/names';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import { stepId, type Json, type Step } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { OpenShell } from '../formation/shell.ts';
import { formatLeftWatchers, restartWatchers, type LeftWatcher } from './restart-watchers.ts';
import { makeRestoreMachine } from './restore-machine.ts';
import { restoreCluster } from './restore.ts';
import { readSnapshot, type SnapshotCipher } from './snapshot-folder.ts';
import type { SnapshotSummary } from './verify-snapshot.ts';

export type RestoreInput = {
  readonly file: string;
  readonly sha256: string;
  readonly controlPlanes: readonly { readonly name: string; readonly address: string }[];
  readonly workers: readonly string[];
};

export interface RestoreStepOptions {
  readonly connect: (signal: AbortSignal) => Promise<ClusterConnection>;
  readonly openShell: OpenShell;
  readonly cipher: SnapshotCipher;
  readonly clock: Clock;
}

const minuteMs = 60_000;
const limits = { estimateMs: 3 * minuteMs, answerMs: 10 * minuteMs, probeMs: 5_000 } as const;

/** For a snapshot that was verified; `machines` as the blueprint holds with replacements. */
export function planRestore(
  { machines }: Pick<Blueprint, 'machines'>,
  file: string,
  { sha256, objects, revision }: SnapshotSummary,
): Step {
  const input: RestoreInput = {
    file,
    sha256,
    controlPlanes: machines.flatMap(({ name, address, role }) => (role === 'control-plane' ? [{ name, address }] : [])),
    workers: machines.flatMap(({ name, role }) => (role === 'worker' ? [name] : [])),
  };
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
    input,
  };
}

export function makeRestoreExecutor(options: RestoreStepOptions): Executor {
  return {
    nature: 'work',
    run: async (input: Json, context) => await restore(options, input as unknown as RestoreInput, context),
  };
}

async function restore(
  options: RestoreStepOptions,
  input: RestoreInput,
  { signal, progress }: StepContext,
): Promise<string> {
  const { clock, openShell } = options;
  const { plain, summary } = await readSnapshot(input.file, options.cipher, signal);
  if (summary.sha256 !== input.sha256) throw changed(input.file);
  const controlPlanes = input.controlPlanes.map(({ name, address }) => ({
    name: hostName(name),
    address: ipv4(address),
  }));
  const workers = input.workers.map(hostName);
  let left: readonly LeftWatcher[] = [];
  await restoreCluster({
    hosts: controlPlanes.map((machine) => makeRestoreMachine(machine, { openShell, clock, progress })),
    snapshot: { sha256: summary.sha256, plain },
    fetchUnreadiness: async (call) => {
      const patience = AbortSignal.any([call, AbortSignal.timeout(limits.probeMs)]);
      const connection = await options.connect(call);
      return await connection.fetchUnreadiness({ signal: patience, tries: 1 });
    },
    restartOthers: async (call) => void (left = await restartWatchers({ ...options, workers }, call)),
    clock,
    answerTimeoutMs: limits.answerMs,
    signal,
    progress,
  });
  const back = `${summary.objects} objects at revision ${summary.revision} are back`;
  return left.length === 0 ? back : `${back}; ${formatLeftWatchers(left)}`;
}

const changed = (file: string): LabwrightError =>
  new LabwrightError('LW6034', {
    what: 'the snapshot is not the one that the plan was made for',
    where: { file },
    why: 'the file was changed since',
    fix: [`labwright cluster restore ${file}   and look again`],
  });
