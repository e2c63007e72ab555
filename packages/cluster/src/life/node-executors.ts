// What takes a machine out of the cluster: node.drain and node.remove. Each says what is left to do and does that.
import { hostName } from '@labwright/core/addresses/names';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import type { LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Json } from '@labwright/core/plan/step';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { drainNode } from '@labwright/drivers/kubernetes/drain';
import { anyKind, configMapKind, podKind, type Pod } from '@labwright/drivers/kubernetes/kind';
import { deleteNode, getNode, listPodsOf } from '@labwright/drivers/kubernetes/nodes';
import { parse, stringify } from 'yaml';
import type { EtcdGroup } from '../etcd/etcd-group.ts';
import { ensureMemberRemoved } from '../etcd/etcd-group.ts';
import { isMarked } from '../formation/marks.ts';
import type { NodeInput } from './departure.ts';

export interface NodeExecutorOptions {
  readonly lab: LabId;
  readonly clock: Clock;
  /** Throws LW6001 and the like when there is no cluster to talk to. */
  readonly connect: (signal: AbortSignal) => Promise<ClusterConnection>;
  /** Every control plane's etcd, of machines that are in the lab and of those that leave. */
  readonly openEtcd: (signal: AbortSignal) => Promise<EtcdGroup>;
  readonly drainTimeLimitMs?: number;
}

const etcdTimeoutMs = 10_000;

export function makeNodeExecutors(options: NodeExecutorOptions): ReadonlyMap<string, Executor> {
  const work = (run: (input: NodeInput, context: StepContext) => Promise<string>): Executor => ({
    nature: 'work',
    // A plan is made and checked by this program; its inputs are of the type that stands in departure.ts.
    run: async (input: Json, context) => await run(input as NodeInput, context),
  });
  return new Map([
    ['node.drain', work(async (input, context) => await drain(options, hostName(input.name), context))],
    ['node.remove', work(async (input, context) => await remove(options, hostName(input.name), context))],
  ]);
}

async function drain(options: NodeExecutorOptions, name: string, { signal, progress }: StepContext): Promise<string> {
  const connection = await options.connect(signal);
  const node = await getNode(connection, name, { signal });
  if (node === undefined) return 'is not in the cluster';
  if (!isMarked(options.lab, node.metadata.labels)) throw notOurs(name);
  const { drainTimeLimitMs: timeLimitMs } = options;
  await drainNode(connection, name, {
    signal,
    onProgress: progress,
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
  });
  return 'has no pods that could run elsewhere';
}

/** etcd first: as long as the Node is there, everybody sees that the machine is not done with. */
async function remove(options: NodeExecutorOptions, name: string, { signal, progress }: StepContext): Promise<string> {
  const { clock } = options;
  const connection = await options.connect(signal);
  const node = await getNode(connection, name, { signal });
  if (node !== undefined && !isMarked(options.lab, node.metadata.labels)) throw notOurs(name);
  const group = await options.openEtcd(signal);
  progress('etcd: asks whether it may go');
  const member = await ensureMemberRemoved(group, name, { signal, clock, timeoutMs: etcdTimeoutMs });
  await forgetApiEndpoint(connection, name, signal);
  const gone = await deleteNode(connection, name, { signal });
  progress('removes what ran on it');
  await removeRemains(connection, name, signal);
  return [
    member === 'removed' ? 'out of etcd' : '',
    gone === 'deleted' ? 'out of the cluster' : 'was not in the cluster any more',
  ]
    .filter((words) => words !== '')
    .join(', ');
}

/**
 * Up to 1.21 kubeadm keeps the address of every API server in its ConfigMap, and a later join asks etcd there.
 * (`ClusterStatus`; kubeadm itself removes an entry on `reset` only, which a machine that is gone never runs.)
 */
async function forgetApiEndpoint(connection: ClusterConnection, name: string, signal: AbortSignal): Promise<void> {
  const place = { name: 'kubeadm-config', namespace: 'kube-system' };
  const config = await connection.get(configMapKind, place, { signal });
  const text = config?.data?.['ClusterStatus'];
  if (config === undefined || text === undefined) return;
  const status: unknown = parse(text);
  if (!isClusterStatus(status) || !Object.hasOwn(status.apiEndpoints, name)) return;
  const { [name]: _, ...apiEndpoints } = status.apiEndpoints;
  const { resourceVersion } = config.metadata;
  const patch = { data: { ClusterStatus: stringify({ ...status, apiEndpoints }) } };
  await connection.patch(configMapKind, place, patch, { signal, resourceVersion });
}

function isClusterStatus(value: unknown): value is { readonly apiEndpoints: Readonly<Record<string, unknown>> } {
  if (typeof value !== 'object' || value === null || !('apiEndpoints' in value)) return false;
  return typeof value.apiEndpoints === 'object' && value.apiEndpoints !== null;
}

const volumeAttachmentKind = anyKind('storage.k8s.io/v1', 'VolumeAttachment');

/**
 * Nobody on the machine answers for its pods any more, and it is fenced: they go at once, so that a StatefulSet starts its own
 * elsewhere, with the volumes that were attached there. A mirror pod would lead later joins to an etcd that is gone.
 */
async function removeRemains(connection: ClusterConnection, name: string, signal: AbortSignal): Promise<void> {
  for (const pod of await listPodsOf(connection, name, { signal })) await removePod(connection, pod, signal);
  for (const attachment of await connection.list(volumeAttachmentKind, {}, { signal })) {
    const { nodeName } = (attachment as { spec?: { nodeName?: unknown } }).spec ?? {};
    if (nodeName !== name) continue;
    await connection.delete(volumeAttachmentKind, { name: attachment.metadata.name }, { signal });
  }
}

async function removePod(connection: ClusterConnection, { metadata }: Pod, signal: AbortSignal): Promise<void> {
  const place = { name: metadata.name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) };
  try {
    await connection.delete(podKind, place, { signal, uid: metadata.uid, gracePeriodSeconds: 0 });
  } catch (error) {
    // Another pod has the name already: the one that was meant is gone.
    if (error instanceof LabwrightError && error.code === 'LW6005') return;
    throw error;
  }
}

const notOurs = (name: string): LabwrightError =>
  new LabwrightError('LW6004', {
    what: `node ${name} does not carry the label of this lab, so it is left as it is`,
    where: { node: name },
    fix: [`remove it yourself if nobody needs it: kubectl delete node ${name}`],
  });
