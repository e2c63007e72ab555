// Takes a snapshot of etcd and keeps it: the step 'cluster.snapshot'.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import type { Clock } from '@labwright/core/ports/clock';
import type { Json, Step } from '@labwright/core/plan/step';
import { stepId } from '@labwright/core/plan/step';
import { writeSnapshot } from '../etcd/etcd-client.ts';
import { anotherPeer, fetchEtcdGroup, type EtcdGroup } from '../etcd/etcd-group.ts';
import { pruneSnapshots, writeToFolder, type SnapshotFolder, type SnapshotReason } from './snapshot-folder.ts';

export type SnapshotInput = { readonly reason: SnapshotReason };

export interface SnapshotOptions {
  readonly openEtcd: (signal: AbortSignal) => Promise<EtcdGroup>;
  readonly folder: SnapshotFolder;
  /** Of the scheduled ones. */
  readonly keep: number;
  /** Throws when the folder is not where snapshots belong, or does not answer. */
  readonly assertMounted: (signal: AbortSignal) => Promise<void>;
  /** Private (0700); holds the plain snapshot while it is being looked at. */
  readonly workFolder: string;
  readonly clock: Clock;
}

const estimateMs = 5_000;
const etcdMs = 30_000;

export function planSnapshot(reason: SnapshotReason): Step {
  const input: SnapshotInput = { reason };
  return {
    id: stepId('cluster.snapshot', 'cluster'),
    kind: 'cluster.snapshot',
    target: 'cluster',
    title: 'take a snapshot of etcd',
    change: 'change',
    reason:
      reason === 'asked'
        ? 'you asked for it'
        : reason === 'scheduled'
          ? 'the last one is old enough'
          : 'an upgrade follows',
    needs: [],
    risk: { level: 'none' },
    estimateMs,
    relies: [],
    queues: ['cluster/snapshot'],
    input: { ...input },
  };
}

export function makeSnapshotExecutor(options: SnapshotOptions): Executor {
  return {
    nature: 'work',
    run: async (input: Json, context) => await take(options, input as SnapshotInput, context),
  };
}

async function take(
  options: SnapshotOptions,
  { reason }: SnapshotInput,
  { signal, progress }: StepContext,
): Promise<string> {
  const { clock, folder, keep } = options;
  await options.assertMounted(signal);
  const limits = { signal, timeoutMs: etcdMs };
  const facts = await fetchEtcdGroup(await options.openEtcd(signal), limits);
  const peer = anotherPeer(facts, '');
  const takenAt = clock.now();
  // Steps of this kind run one after the other: nobody else is at work there.
  await removeWorkFolders(options.workFolder);
  const work = await mkdtemp(join(options.workFolder, workPrefix));
  try {
    progress(`from ${peer.address.name}`);
    const file = join(work, 'snapshot.db');
    await writeSnapshot(peer, file, limits);
    progress('checks and keeps it');
    const kept = await writeToFolder(folder, await readFile(file), { takenAt, reason }, signal);
    await pruneSnapshots(folder, reason, keep, signal);
    const { objects, bytes } = kept.summary;
    return `${objects} objects at revision ${kept.revision}, ${Math.ceil(bytes / 1024 ** 2)} MiB, in ${kept.file}`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const workPrefix = 'snapshot-';
/** As mkdtemp names them; what else begins like that is another matter. */
const workName = new RegExp(`^${workPrefix}[A-Za-z0-9]{6}$`);

/** Those of a process that was killed, with every Secret of the cluster in them. */
export async function removeWorkFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const left = entries.filter((entry) => entry.isDirectory() && workName.test(entry.name));
  for (const { name } of left) await rm(join(folder, name), { recursive: true, force: true });
}
