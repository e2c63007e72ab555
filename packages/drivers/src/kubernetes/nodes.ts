// The nodes of a cluster.
import type { CallOptions, ClusterConnection } from './connection.ts';
import { type Node, nodeKind, type Pod, podKind } from './kind.ts';

export async function listNodes(connection: ClusterConnection, options: CallOptions): Promise<readonly Node[]> {
  return await connection.list(nodeKind, {}, options);
}

/** undefined when the cluster has no such node. */
export async function getNode(
  connection: ClusterConnection,
  name: string,
  options: CallOptions,
): Promise<Node | undefined> {
  return await connection.get(nodeKind, { name }, options);
}

/** A JSON merge patch: null takes a key away, lists are replaced whole. */
export async function patchNode(
  connection: ClusterConnection,
  name: string,
  patch: Readonly<Record<string, unknown>>,
  options: CallOptions & { readonly resourceVersion?: string },
): Promise<Node> {
  return await connection.patch(nodeKind, { name }, patch, options);
}

/** Its pods are removed by the cluster a while later. 'absent' when it was not there. */
export async function deleteNode(
  connection: ClusterConnection,
  name: string,
  options: CallOptions & { readonly uid?: string },
): Promise<'deleted' | 'absent'> {
  return await connection.delete(nodeKind, { name }, options);
}

export async function listPodsOf(
  connection: ClusterConnection,
  node: string,
  options: CallOptions,
): Promise<readonly Pod[]> {
  return await connection.list(podKind, { fieldSelector: `spec.nodeName=${node}` }, options);
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

/** Keeps new pods away from a node, and lets those on it be. */
export async function cordonNode(connection: ClusterConnection, name: string, options: CallOptions): Promise<void> {
  await patchNode(connection, name, { spec: { unschedulable: true } }, options);
}

export async function uncordonNode(connection: ClusterConnection, name: string, options: CallOptions): Promise<void> {
  // As kubectl has it: the field goes away, and with it the taint node.kubernetes.io/unschedulable.
  await patchNode(connection, name, { spec: { unschedulable: null } }, options);
}
