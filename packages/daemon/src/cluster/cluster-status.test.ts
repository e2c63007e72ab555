import { expect, test } from 'vitest';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { hostName } from '@labwright/core/addresses/names';
import type { ClusterFacts, NodeFacts } from '@labwright/core/facts/cluster';
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
