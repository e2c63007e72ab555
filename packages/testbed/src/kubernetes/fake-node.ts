// A node without a machine: keeps its heartbeat and plays the kubelet, so that pods on it start, get addresses, and end.
import { LabwrightError } from '@labwright/core/errors/error';
import { Buffer } from 'node:buffer';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { type Node, nodeKind, type Pod, podKind } from '@labwright/drivers/kubernetes/kind';

export interface FakeNodeOptions {
  readonly labels?: Readonly<Record<string, string>>;
  /** "10.1.0.101" */
  readonly address?: string;
  readonly kubeletVersion?: string;
  /** A range of its own unless given; undefined where the cluster gives the ranges. */
  readonly podCidr?: string | undefined;
  /** How long a pod takes from being asked to go until it is gone; 0 unless given. */
  readonly endsPodsAfterMs?: number;
}

export interface FakeNode {
  readonly name: string;
  /** No more heartbeats, and pods are left as they are: the machine is dead. */
  stop(): Promise<void>;
}

const heartbeatMs = 3_000;
let nextAddress = 1;
let nextRange = 1;

/** Returns when the node is Ready and open for pods. */
export async function fakeNode(
  connection: ClusterConnection,
  name: string,
  options: FakeNodeOptions = {},
): Promise<FakeNode> {
  const podCidr = 'podCidr' in options ? options.podCidr : `10.128.${nextRange++}.0/24`;
  const { labels = {}, address = `10.1.0.${100 + nextAddress++}`, kubeletVersion = 'v1.20.2' } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const spec = podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] };
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
  };
  await connection.apply(node, { signal });
  await connection.patch(
    nodeKind,
    { name },
    {
      status: {
        capacity: { cpu: '4', memory: '8Gi', pods: '110' },
        allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
        addresses: [
          { type: 'InternalIP', address },
          { type: 'Hostname', address: name },
        ],
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'fake', ...now() }],
        nodeInfo: { ...nodeInfo, kubeletVersion, bootID: Buffer.from(name).toString('hex') },
      },
    },
    { signal, subresource: 'status' },
  );
  await beat(connection, name, signal);
  const work = [
    keepBeating(connection, name, signal),
    playKubelet(connection, name, { ...options, address, podCidr }, signal),
  ];
  const failed = Promise.all(work);
  failed.catch(() => undefined);
  const open = Promise.withResolvers<void>();
  const opened = new AbortController();
  const look = ({ spec }: Node): void => {
    if ((spec.taints ?? []).length === 0) open.resolve();
  };
  const watching = connection.watch(
    nodeKind,
    { fieldSelector: `metadata.name=${name}` },
    { added: look, changed: look, gone: () => undefined },
    AbortSignal.any([signal, opened.signal]),
  );
  await Promise.race([open.promise, failed, watching]);
  opened.abort();
  await watching;
  return {
    name,
    async stop() {
      stopping.abort(new Error(`the fake node ${name} was stopped`));
      await failed;
    },
  };
}

const nodeInfo = {
  architecture: 'amd64',
  containerRuntimeVersion: 'none://0',
  kernelVersion: '0',
  kubeProxyVersion: '',
  machineID: '',
  operatingSystem: 'linux',
  osImage: 'none',
  systemUUID: '',
};

const now = (): { lastHeartbeatTime: string; lastTransitionTime: string } => {
  const time = new Date().toISOString();
  return { lastHeartbeatTime: time, lastTransitionTime: time };
};

async function beat(connection: ClusterConnection, name: string, signal: AbortSignal): Promise<void> {
  await connection.apply(
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      // A time of microseconds: milliseconds alone are refused.
      spec: {
        holderIdentity: name,
        leaseDurationSeconds: 40,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    },
    { signal },
  );
}

async function keepBeating(connection: ClusterConnection, name: string, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await connection.clock.sleep(heartbeatMs, signal);
      await beat(connection, name, signal).catch((error: unknown) => {
        // As a kubelet: the API server is away for a while, and the next beat tells it.
        if (!(error instanceof LabwrightError && error.code === 'LW6001')) throw error;
      });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function playKubelet(
  connection: ClusterConnection,
  node: string,
  { endsPodsAfterMs = 0, address, podCidr = '10.200.0.0/24' }: FakeNodeOptions & { readonly address: string },
  signal: AbortSignal,
): Promise<void> {
  let pods = 1;
  const nextPodAddress = (): string => `${podCidr.split('.').slice(0, 3).join('.')}.${++pods}`;
  const failure = Promise.withResolvers<void>();
  const underWay = new Set<string>();
  const run = (pod: Pod): void => {
    const key = `${pod.metadata.uid} ${pod.metadata.deletionTimestamp === undefined ? 'start' : 'end'}`;
    if (underWay.has(key)) return;
    underWay.add(key);
    (pod.metadata.deletionTimestamp === undefined
      ? startPod(
          connection,
          pod,
          { hostIP: address, podIP: pod.spec.hostNetwork === true ? address : nextPodAddress() },
          signal,
        )
      : endPod(connection, pod, endsPodsAfterMs, signal)
    ).catch((error: unknown) => {
      if (!signal.aborted) failure.reject(error);
    });
  };
  const scope = { fieldSelector: `spec.nodeName=${node}` };
  const watching = connection.watch(podKind, scope, { added: run, changed: run, gone: () => undefined }, signal);
  await Promise.race([watching, failure.promise]);
}

async function startPod(
  connection: ClusterConnection,
  pod: Pod,
  { hostIP, podIP }: { readonly hostIP: string; readonly podIP: string },
  signal: AbortSignal,
): Promise<void> {
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: new Date().toISOString() });
  const { name, namespace = 'default', uid, annotations } = pod.metadata;
  // A pod that is not to become ready says so.
  const isReady = annotations?.['test/ready'] !== 'false';
  const conditions = ['Initialized', 'PodScheduled', ...(isReady ? ['Ready', 'ContainersReady'] : [])].map(condition);
  const status = {
    phase: 'Running',
    hostIP,
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: new Date().toISOString(),
    conditions,
  };
  try {
    await connection.patch(
      podKind,
      { name, namespace },
      { metadata: { uid }, status },
      { signal, subresource: 'status' },
    );
  } catch (error) {
    if ((await connection.get(podKind, { name, namespace }, { signal }))?.metadata.uid === uid) throw error;
  }
}

async function endPod(connection: ClusterConnection, pod: Pod, afterMs: number, signal: AbortSignal): Promise<void> {
  await connection.clock.sleep(afterMs, signal);
  const { name, namespace = 'default', uid } = pod.metadata;
  try {
    await connection.delete(podKind, { name, namespace }, { signal, uid, gracePeriodSeconds: 0 });
  } catch (error) {
    if ((await connection.get(podKind, { name, namespace }, { signal }))?.metadata.uid === uid) throw error;
  }
}
