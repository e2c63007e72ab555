// A cordon that remembers whose it is: what a person cordoned stays so, and what an upgrade cordoned is given back, also when
// the upgrade was killed in between.
import type { CallOptions, ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { Node } from '@labwright/drivers/kubernetes/kind';
import { getNode, listNodes, patchNode } from '@labwright/drivers/kubernetes/nodes';

/** On a node that an upgrade of ours cordoned. */
const annotation = 'labwright.dev/cordoned-for-upgrade';

function isCordonedForUpgrade({ metadata }: Pick<Node, 'metadata'>): boolean {
  return metadata.annotations?.[annotation] !== undefined;
}

export async function fetchBegunNodes(
  connection: ClusterConnection,
  options: CallOptions,
): Promise<ReadonlySet<string>> {
  const nodes = await listNodes(connection, options);
  return new Set(nodes.filter(isCordonedForUpgrade).map(({ metadata }) => metadata.name));
}

/** Nothing for a node that is cordoned already, by whomever. */
export async function cordonForUpgrade(
  connection: ClusterConnection,
  name: string,
  options: CallOptions,
): Promise<void> {
  const node = await getNode(connection, name, options);
  if (node === undefined || node.spec.unschedulable === true) return;
  // Mark and cordon in one change: there is no moment with one and without the other.
  const patch = { metadata: { annotations: { [annotation]: 'true' } }, spec: { unschedulable: true } };
  await patchNode(connection, name, patch, options);
}

/** Nothing for a node that an upgrade did not cordon. */
export async function uncordonAfterUpgrade(
  connection: ClusterConnection,
  name: string,
  options: CallOptions,
): Promise<void> {
  const node = await getNode(connection, name, options);
  if (node === undefined || !isCordonedForUpgrade(node)) return;
  await patchNode(
    connection,
    name,
    { metadata: { annotations: { [annotation]: null } }, spec: { unschedulable: null } },
    options,
  );
}
