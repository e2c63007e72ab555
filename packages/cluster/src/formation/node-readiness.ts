// Waits for a node to be ready, by following it.
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { nodeKind, type Node } from '@labwright/drivers/kubernetes/kind';
import { isNodeReady } from '@labwright/drivers/kubernetes/nodes';

export type NodeWait = { readonly kind: 'ready' } | { readonly kind: 'timeout'; readonly lastSeen: string };

export interface NodeWaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: (words: string) => void;
  readonly timeoutMs: number;
}

/** Through restarts of API servers and lost connections, until the time is over. */
export async function waitForNode(
  connection: ClusterConnection,
  name: string,
  options: NodeWaitOptions,
): Promise<NodeWait> {
  const { clock, signal, progress, timeoutMs } = options;
  const over = new AbortController();
  let lastSeen = 'the cluster has no such node';
  let isReady = false;
  const see = (node: Node): void => {
    isReady = isNodeReady(node);
    if (isReady) over.abort();
    lastSeen = describeNode(node);
    progress(lastSeen);
  };
  progress(lastSeen);
  const ended = AbortSignal.any([signal, over.signal]);
  const timer = clock.sleep(timeoutMs, ended).then(
    () => over.abort(),
    () => undefined, // Ready first, or interrupted.
  );
  await connection.watch(
    nodeKind,
    { fieldSelector: `metadata.name=${name}` },
    {
      added: see,
      changed: see,
      gone: () => void (lastSeen = 'the cluster has no such node any more'),
      troubled: (error) => progress(error.message),
    },
    ended,
  );
  await timer;
  signal.throwIfAborted();
  return isReady ? { kind: 'ready' } : { kind: 'timeout', lastSeen };
}

/** The kubelet's own words: "container runtime network not ready: …". */
export function describeNode(node: Node): string {
  if (isNodeReady(node)) return 'ready';
  const condition = node.status?.conditions?.find(({ type }) => type === 'Ready');
  return condition?.message ?? condition?.reason ?? 'its kubelet has said nothing yet';
}
