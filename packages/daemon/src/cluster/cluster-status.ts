// What `cluster status` says: the machines that should be nodes, what each is, and nodes that are nobody's. Pure.
import type { Blueprint, ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterStatus, NodeStatus } from '@labwright/core/contract/contract';
import type { ClusterFacts } from '@labwright/core/facts/cluster';

/** By the blueprint as it holds with replacements: a machine that was replaced is missed by nobody. */
export function formatClusterStatus(
  { machines }: Pick<Blueprint, 'machines'>,
  cluster: ClusterBlueprint,
  facts: ClusterFacts,
): ClusterStatus {
  const nodes = new Map(facts.kind === 'answers' ? facts.nodes.map((node) => [node.name, node]) : []);
  const members = machines.flatMap(({ name, role }) => (role === undefined ? [] : [{ name, role }]));
  const others = [...nodes.values()].filter(({ name }) => !members.some((member) => member.name === name));
  return {
    endpoint: `${cluster.endpoint.address}:${cluster.endpoint.port}`,
    name: cluster.endpoint.name,
    version: facts.kind === 'answers' ? facts.version : null,
    wantedVersion: cluster.version,
    why: facts.kind === 'answers' ? null : facts.why,
    nodes: [...members, ...others].map(({ name, role }): NodeStatus => {
      const node = nodes.get(name);
      return {
        name,
        role: node?.role ?? role,
        state: node?.ready ?? (facts.kind === 'answers' ? 'absent' : 'unknown'),
        why: node?.why ?? null,
        version: node?.kubelet ?? null,
        isSchedulable: node?.schedulable ?? false,
      };
    }),
  };
}
