import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { describe, expect, test } from 'vitest';
import { makeClusterBlueprint, makeClusterFacts, makeNode } from '../life/sample-cluster.test-data.ts';
import { findJoinObstacle } from './join-version.ts';

const blueprint = makeClusterBlueprint(3, 1);
const [first, second, third, worker] = blueprint.machines;
const wanted = kubernetesVersion('1.20.3');

/** Kubelets of node101, node102, node103 and node111, in that order. */
function facts(version: string, kubelets: readonly string[]) {
  const nodes = blueprint.machines.flatMap((machine, at) => {
    const kubelet = kubelets[at];
    return kubelet === undefined ? [] : [makeNode(machine, { kubelet: kubernetesVersion(kubelet) })];
  });
  return makeClusterFacts(blueprint, { version: kubernetesVersion(version), nodes });
}

describe('a machine joins', () => {
  test('a cluster of the file’s version, also while workers are behind', () => {
    const upgraded = facts('1.20.3', ['1.20.3', '1.20.3', '1.20.3', '1.20.2']);
    expect(findJoinObstacle(wanted, worker!, upgraded)).toBeUndefined();
    expect(findJoinObstacle(wanted, second!, upgraded)).toBeUndefined();
  });

  test('as a control plane in the middle of an upgrade, which etcd may need to go on: what it was itself does not count', () => {
    const middle = facts('1.20.2', ['1.20.3', '1.20.2', '1.20.2']);
    expect(findJoinObstacle(wanted, third!, middle)).toBeUndefined();
    expect(findJoinObstacle(wanted, first!, middle)).toMatchObject({ code: 'LW6035' });
  });

  test('that is not of the cluster, or while nobody says what runs', () => {
    const { role: _, ...plain } = worker!;
    expect(findJoinObstacle(wanted, plain, facts('1.19.1', ['1.19.1']))).toBeUndefined();
    const silent = { kind: 'silent', why: 'no answer', hasKeys: true, disks: [], asOf: 0 } as const;
    expect(findJoinObstacle(wanted, worker!, silent)).toBeUndefined();
  });
});

describe('a machine does not join', () => {
  test.each([
    ['a patch', '1.20.2'],
    ['a skipped minor', '1.18.0'],
  ])('control planes that are behind by %s', (_, version) => {
    for (const machine of [worker!, third!]) {
      expect(findJoinObstacle(wanted, machine, facts(version, [version, version]))?.toJSON()).toMatchObject({
        code: 'LW6035',
        where: { machine: machine.name },
        what: `${machine.name} would join with Kubernetes 1.20.3 of the lab file, and the control planes run ${version}`,
        fix: [expect.stringContaining(`kubernetes.version: ${version}`), expect.stringContaining('count')],
      });
    }
  });

  test('control planes that are newer', () => {
    for (const machine of [worker!, third!]) {
      expect(findJoinObstacle(wanted, machine, facts('1.20.3', ['1.20.3', '1.20.4']))).toMatchObject({
        message: `${machine.name} would join with Kubernetes 1.20.3 of the lab file, and the cluster runs 1.20.4`,
        fix: ['kubernetes.version: 1.20.4'],
      });
    }
  });

  test('as a worker before the last control plane is upgraded, or with an API server that is', () => {
    const middle = facts('1.20.3', ['1.20.3', '1.20.2', '1.20.3']);
    expect(findJoinObstacle(wanted, worker!, middle)?.fix[0]).toContain('labwright cluster upgrade');
    // Killed between the API server and the kubelet of the only control plane.
    expect(findJoinObstacle(wanted, worker!, facts('1.20.3', ['1.20.2']))?.fix[0]).toContain(
      'labwright cluster upgrade',
    );
    expect(findJoinObstacle(wanted, worker!, facts('1.20.2', ['1.20.3']))).toMatchObject({ code: 'LW6035' });
  });
});
