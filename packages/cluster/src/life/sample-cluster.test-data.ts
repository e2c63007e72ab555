// Blueprints and facts of a cluster for tests.
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterFacts, EtcdMemberFacts, NodeFacts } from '@labwright/core/facts/cluster';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '../sample-lab.test-data.ts';

export const sampleCluster = makeSampleCluster('1.20.3');

/** Control planes node101 …, workers node111 …. */
export function makeClusterBlueprint(controlPlanes: number, workers: number): Blueprint {
  const numbers = (count: number, first: number): number[] => Array.from({ length: count }, (_, at) => first + at);
  return makeSampleBlueprint(sampleCluster, [
    ...numbers(controlPlanes, 101).map((number) => makeMember(number, 'control-plane')),
    ...numbers(workers, 111).map((number) => makeMember(number, 'worker')),
  ]);
}

export function makeNode(machine: MachineBlueprint, overrides: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: machine.name,
    role: machine.role ?? 'worker',
    ready: 'ready',
    kubelet: kubernetesVersion('1.20.2'),
    schedulable: true,
    ours: true,
    bootId: 'b',
    ...overrides,
  };
}

export function makeEtcdMember(machine: MachineBlueprint, overrides: Partial<EtcdMemberFacts> = {}): EtcdMemberFacts {
  return { id: String(machine.vmId), name: machine.name, learner: false, healthy: true, ...overrides };
}

export type AnsweringCluster = Extract<ClusterFacts, { kind: 'answers' }>;

/** Everything as the blueprint has it, at the version before its own. */
export function makeClusterFacts(blueprint: Blueprint, overrides: Partial<AnsweringCluster> = {}): AnsweringCluster {
  const cluster = blueprint.machines.filter((machine) => machine.role !== undefined);
  return {
    kind: 'answers',
    version: kubernetesVersion('1.20.2'),
    nodes: cluster.map((machine) => makeNode(machine)),
    disks: [],
    members: cluster.filter(({ role }) => role === 'control-plane').map((machine) => makeEtcdMember(machine)),
    asOf: 0,
    ...overrides,
  };
}
