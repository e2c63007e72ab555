// What is exposed, looked at once: for whoever asks while nobody follows the cluster.
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { nodeKind } from '@labwright/drivers/kubernetes/kind';
import { exposedServiceKind, exposedSliceKind, ingressKind } from '../cluster/exposed-kinds.ts';
import type { ExposureFacts } from './exposure.ts';

/** Throws as ClusterConnection.list does. */
export async function listExposureFacts(
  connection: Pick<ClusterConnection, 'list'>,
  power: ExposureFacts['power'],
  signal: AbortSignal,
): Promise<ExposureFacts> {
  const [services, ingresses, slices, nodes] = await Promise.all([
    connection.list(exposedServiceKind, {}, { signal }),
    connection.list(ingressKind, {}, { signal }),
    connection.list(exposedSliceKind, {}, { signal }),
    connection.list(nodeKind, {}, { signal }),
  ]);
  return { services, ingresses, slices, nodes, power, held: new Map() };
}
