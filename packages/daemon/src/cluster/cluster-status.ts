// What `cluster status` says: the machines that should be nodes, what each is, and nodes that are nobody's; and the same of etcd's
// members. Pure.
import type { Blueprint, ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterStatus, EtcdMemberStatus, NodeStatus } from '@labwright/core/contract/contract';
import type { ClusterFacts, EtcdMemberFacts } from '@labwright/core/facts/cluster';

/** By the blueprint as it holds with replacements: a machine that was replaced is missed by nobody. */
export function formatClusterStatus(
  { machines }: Pick<Blueprint, 'machines'>,
  cluster: ClusterBlueprint,
  facts: ClusterFacts,
): ClusterStatus {
  const nodes = new Map(facts.kind === 'answers' ? facts.nodes.map((node) => [node.name, node]) : []);
  const members = machines.flatMap(({ name, role }) => (role === undefined ? [] : [{ name, role }]));
  const others = [...nodes.values()].filter(({ name }) => !members.some((member) => member.name === name));
  const etcd = facts.members ?? (facts.kind === 'answers' ? [] : undefined);
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
    ...(etcd === undefined ? {} : { etcd: listMembers(machines, facts, etcd) }),
  };
}

/** In the blueprint's order, strangers last. */
function listMembers(
  machines: Blueprint['machines'],
  facts: ClusterFacts,
  known: readonly EtcdMemberFacts[],
): readonly EtcdMemberStatus[] {
  const names = machines.flatMap(({ name, role }) => (role === 'control-plane' ? [name] : []));
  const own = names.map((name) => {
    if (known.length === 0) return silentMember(name, null);
    const member = known.find((each) => each.name === name);
    return member === undefined ? missingMember(name, facts) : describeMember(name, member);
  });
  const others = known.filter(({ name }) => !names.some((each) => each === name));
  return [...own, ...others.map((member) => describeMember(member.name === '' ? member.id : member.name, member))];
}

function describeMember(name: string, { learner, healthy, problems }: EtcdMemberFacts): EtcdMemberStatus {
  const role = learner ? 'learner' : 'voter';
  if (healthy) return { name, state: 'well', role, why: null, fix: null };
  if (problems === undefined) return silentMember(name, role);
  return { name, state: 'unwell', role, why: problems.join('; '), fix: null };
}

const silentMember = (name: string, role: EtcdMemberStatus['role']): EtcdMemberStatus => ({
  name,
  state: 'silent',
  role,
  why: 'it does not answer',
  fix: null,
});

/** It counts for nothing when others are lost, whatever its node says. */
function missingMember(name: string, facts: ClusterFacts): EtcdMemberStatus {
  const isNode = facts.kind === 'answers' && facts.nodes.some((node) => node.name === name);
  return {
    name,
    state: 'absent',
    role: null,
    why: isNode ? 'it is a control plane of the cluster and no member of etcd' : 'it has not joined etcd',
    // A node that is there is not joined again.
    fix: isNode ? `labwright machine rebuild ${name}` : 'labwright up',
  };
}
