import { describe, expect, test } from 'vitest';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { hostName } from '@labwright/core/addresses/names';
import type { ClusterFacts, EtcdMemberFacts, NodeFacts } from '@labwright/core/facts/cluster';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { formatClusterStatus } from './cluster-status.ts';

const cluster = makeSampleCluster('1.20.2');
const blueprint = makeSampleBlueprint(cluster, [
  makeMember(102, 'control-plane', { replaces: makeMember(101, 'control-plane').vmId }),
  makeMember(111, 'worker'),
]);
const makeNode = (name: string): NodeFacts => ({
  name: hostName(name),
  role: 'worker',
  ready: 'ready',
  kubelet: kubernetesVersion('1.20.2'),
  schedulable: true,
  ours: true,
  bootId: '',
});

test('a machine that should be a node and is none is absent, and a node that is nobody’s is shown', () => {
  const nodes = [makeNode('node102'), makeNode('stranger')];
  const facts: ClusterFacts = { kind: 'answers', version: cluster.version, nodes, disks: [], asOf: 0 };
  const status = formatClusterStatus(blueprint, cluster, facts);
  expect(status.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'node102 ready',
    'node111 absent',
    'stranger ready',
  ]);
});

test('of a silent cluster nothing is known', () => {
  const status = formatClusterStatus(blueprint, cluster, {
    kind: 'silent',
    why: 'off',
    hasKeys: true,
    disks: [],
    asOf: 0,
  });
  expect([status.why, status.version, status.nodes.map(({ state }) => state)]).toEqual([
    'off',
    null,
    ['unknown', 'unknown'],
  ]);
});

describe('members of etcd', () => {
  const three = makeSampleBlueprint(
    cluster,
    [101, 102, 103, 104].map((number) => makeMember(number, number === 104 ? 'worker' : 'control-plane')),
  );
  const member = (name: string, overrides: Partial<EtcdMemberFacts> = {}): EtcdMemberFacts => ({
    ...{ id: `id-${name}`, name, learner: false, healthy: true },
    ...overrides,
  });
  const statusOf = (members: readonly EtcdMemberFacts[] | undefined, nodes: readonly string[]) =>
    formatClusterStatus(three, cluster, {
      kind: 'answers',
      version: cluster.version,
      nodes: nodes.map(makeNode),
      disks: [],
      ...(members === undefined ? {} : { members }),
      asOf: 0,
    }).etcd;

  const whileSilent = (members: readonly EtcdMemberFacts[] | undefined) =>
    formatClusterStatus(three, cluster, {
      kind: 'silent',
      why: 'off',
      hasKeys: true,
      disks: [],
      asOf: 0,
      ...(members === undefined ? {} : { members }),
    }).etcd;

  test('are told of with what is wrong with them, and strangers, too', () => {
    const members = [
      member('node102', { healthy: false, problems: ['memberID:1 alarm:NOSPACE', 'it knows no leader'] }),
      member('', { id: 'abc1', learner: true, healthy: false }),
      member('node101'),
      member('node103', { healthy: false }),
    ];
    expect(statusOf(members, [])).toEqual([
      { name: 'node101', state: 'well', role: 'voter', why: null, fix: null },
      {
        name: 'node102',
        state: 'unwell',
        role: 'voter',
        why: 'memberID:1 alarm:NOSPACE; it knows no leader',
        fix: null,
      },
      { name: 'node103', state: 'silent', role: 'voter', why: 'it does not answer', fix: null },
      { name: 'abc1', state: 'silent', role: 'learner', why: 'it does not answer', fix: null },
    ]);
  });

  test('that a control plane is none of is a problem, with the way out', () => {
    const seen = statusOf([member('node101')], ['node101', 'node102']);
    expect(seen?.filter(({ state }) => state === 'absent')).toMatchObject([
      { name: 'node102', role: null, fix: 'labwright machine rebuild node102' },
      { name: 'node103', role: null, fix: 'labwright up' },
    ]);
  });

  test('are all silent when none says who is one, and told of while the API is silent', () => {
    for (const status of [statusOf(undefined, ['node101']), whileSilent([])]) {
      expect(status).toMatchObject(
        ['node101', 'node102', 'node103'].map((name) => ({ name, state: 'silent', role: null, fix: null })),
      );
    }
    const names = whileSilent([member('node101')])?.map(({ name, state }) => `${name} ${state}`);
    expect(names).toEqual(['node101 well', 'node102 absent', 'node103 absent']);
    expect(whileSilent(undefined)).toBeUndefined();
  });
});
