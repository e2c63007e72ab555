// kube-proxy is changed on every machine as the last part of `kubeadm upgrade apply`, which does not wait for it. A machine whose
// kube-proxy is away keeps the rules that it had: it must not miss that pods move.
import type { CallOptions, ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { daemonSetKind, type DaemonSet } from '@labwright/drivers/kubernetes/kind';

/** undefined where something else does its work. */
export async function fetchProxy(connection: ClusterConnection, options: CallOptions): Promise<DaemonSet | undefined> {
  return await connection.get(daemonSetKind, { name: 'kube-proxy', namespace: 'kube-system' }, options);
}

/** "kube-proxy is changed on 1 of 3 machines"; undefined when it runs everywhere as it is wanted. */
export function findProxyLag({ metadata, status = {} }: Pick<DaemonSet, 'metadata' | 'status'>): string | undefined {
  const {
    observedGeneration = 0,
    desiredNumberScheduled = 0,
    updatedNumberScheduled = 0,
    numberAvailable = 0,
  } = status;
  if (observedGeneration < (metadata.generation ?? 0)) return 'kube-proxy is about to be changed';
  if (updatedNumberScheduled < desiredNumberScheduled)
    return `kube-proxy is changed on ${updatedNumberScheduled} of ${desiredNumberScheduled} machines`;
  if (numberAvailable < desiredNumberScheduled)
    return `kube-proxy runs on ${numberAvailable} of ${desiredNumberScheduled} machines`;
  return undefined;
}
