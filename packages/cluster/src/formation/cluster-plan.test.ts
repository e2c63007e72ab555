import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { hostName } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts, DiskState, NodeFacts } from '@labwright/core/facts/cluster';
import { mergePlans } from '@labwright/core/plan/plan';
import { stepId, type Step } from '@labwright/core/plan/step';
import { describe, expect, test } from 'vitest';
import { makeOwnObjects } from './cluster-objects.ts';
import { planCluster, type ClusterPlanInput } from './cluster-plan.ts';
import { cluster, lab, makeBlueprint } from './sample-cluster.test-data.ts';

const three = makeBlueprint(['control-plane', 'worker', 'worker']);
const ha = makeBlueprint(['control-plane', 'control-plane', 'control-plane', 'worker']);

/** Steps of other areas: what happens to machines before they are ready. */
function machineSteps(
  names: readonly string[],
  kinds: readonly string[] = ['vm.create', 'machine.ready'],
): readonly Step[] {
  return names.flatMap((target) => {
    let before: readonly string[] = [];
    return kinds.map((kind): Step => {
      const id = stepId(kind, target);
      const step: Step = {
        id,
        kind,
        target,
        title: id,
        change: 'add',
        reason: '',
        needs: before,
        risk: { level: 'none' },
        estimateMs: 1,
        relies: [],
        queues: [],
        input: null,
      };
      before = [id];
      return step;
    });
  });
}

function silent(disks: Readonly<Record<string, DiskState>> = {}): ClusterFacts {
  const told = Object.entries(disks).map(([name, state]) => ({ name: hostName(name), state }));
  return { kind: 'silent', why: 'nothing came', hasKeys: true, disks: told, asOf: 0 };
}

function answers(
  nodes: readonly (Omit<Partial<NodeFacts>, 'name'> & { readonly name: string })[],
  extra: Partial<Extract<ClusterFacts, { readonly kind: 'answers' }>> = {},
): ClusterFacts {
  return {
    kind: 'answers',
    version: kubernetesVersion('1.20.2'),
    nodes: nodes.map((node) => ({
      role: 'worker',
      ready: 'ready',
      kubelet: kubernetesVersion('1.20.2'),
      schedulable: true,
      ours: true,
      bootId: '',
      ...node,
      name: hostName(node.name),
    })),
    disks: [],
    settled: makeOwnObjects(lab).digest,
    asOf: 0,
    ...extra,
  };
}

const allReady = [{ name: 'node101', role: 'control-plane' }, { name: 'node102' }, { name: 'node103' }] as const;

function plan(blueprint: Blueprint, input: Partial<ClusterPlanInput> & Pick<ClusterPlanInput, 'facts'>) {
  const others = input.others ?? [];
  const made = planCluster(blueprint, { keys: { kind: 'usable' }, ...input, others });
  // Every need is of a step in the same plan, without circles: this throws otherwise.
  mergePlans(lab, 0, [{ steps: others, problems: [], notes: [] }, made]);
  return made;
}

const needsOf = (steps: readonly Step[], id: string): readonly string[] => {
  const step = steps.find((each) => each.id === id);
  if (step === undefined) throw new Error(`there is a step "${id}" in ${steps.map((each) => each.id).join(', ')}`);
  return step.needs;
};

describe('a new lab', () => {
  const { steps } = plan(three, { facts: silent(), others: machineSteps(['node101', 'node102', 'node103']) });

  test('is formed on its control plane, joined by its workers, and every node is seen ready', () => {
    expect(steps.map(({ id }) => id)).toEqual([
      'cluster.form cluster',
      'cluster.settle cluster',
      'cluster.join node102',
      'cluster.join node103',
      'cluster.ready node101',
      'cluster.ready node102',
      'cluster.ready node103',
    ]);
    expect(steps[0]).toMatchObject({ title: 'form cluster on node101', input: { name: 'node101', unsure: [] } });
  });

  test('waits for each machine on its own, and for nothing that it does not need', () => {
    expect(needsOf(steps, 'cluster.form cluster')).toEqual(['machine.ready node101']);
    expect(needsOf(steps, 'cluster.join node102')).toEqual(['cluster.form cluster', 'machine.ready node102']);
    expect(needsOf(steps, 'cluster.ready node101')).toEqual(['cluster.form cluster']);
    expect(needsOf(steps, 'cluster.ready node103')).toEqual(['cluster.join node103']);
  });

  test('whose first control plane cannot be made is not formed, and one without a worker is formed without it', () => {
    const absent = (name: string) =>
      plan(three, { facts: silent(), absent: new Set([name]) }).steps.map(({ id }) => id);
    expect(absent('node101')).toEqual([]);
    expect(absent('node103')).not.toContain('cluster.join node103');
    expect(absent('node103')).toContain('cluster.join node102');
  });

  test('without usable keys nothing is formed, and the plan says why', () => {
    const error = new LabwrightError('LW1003', { what: 'there is no identity' }).toJSON();
    const made = plan(three, { facts: silent(), keys: { kind: 'unusable', error } });
    expect(made).toMatchObject({ steps: [], problems: [{ code: 'LW1003' }] });
  });
});

test('control planes join one at a time, workers side by side', () => {
  const names = ha.machines.map(({ name }) => name);
  const { steps } = plan(ha, { facts: silent(), others: machineSteps(names) });
  const queues = steps.filter(({ kind }) => kind === 'cluster.join').map(({ target, queues: held }) => [target, held]);
  expect(queues).toEqual([
    ['node102', ['node/node102', 'cluster/voters']],
    ['node103', ['node/node103', 'cluster/voters']],
    ['node104', ['node/node104']],
  ]);
});

test('without KVM workers join after control planes: etcd needs what time there is', () => {
  const others = machineSteps(ha.machines.map(({ name }) => name));
  const needsOfWorker = (slow: boolean) => {
    const blueprint = { ...ha, cluster: { ...cluster, slow } };
    return needsOf(plan(blueprint, { facts: silent(), others }).steps, 'cluster.join node104');
  };
  expect(needsOfWorker(false)).toEqual(['cluster.form cluster', 'machine.ready node104']);
  expect(needsOfWorker(true)).toEqual([...needsOfWorker(false), 'cluster.join node102', 'cluster.join node103']);
});

describe('a cluster that is silent', () => {
  test('is waited for when a disk says it was formed, and never formed again', () => {
    const { steps } = plan(three, { facts: silent({ node101: 'member', node102: 'member', node103: 'blank' }) });
    expect(steps.map(({ id, change }) => [id, change])).toEqual([
      ['cluster.form cluster', 'wait'],
      ['cluster.settle cluster', 'change'],
      ['cluster.ready node102', 'wait'],
      ['cluster.join node103', 'add'],
      ['cluster.ready node101', 'wait'],
      ['cluster.ready node103', 'wait'],
    ]);
    expect(steps[0]?.input).toEqual({ name: 'node101', unsure: ['node101'] });
  });

  test('with machines that were shut down: their disks are asked once they are up', () => {
    const others = machineSteps(['node101', 'node102', 'node103'], ['vm.start', 'machine.ready']);
    const { steps } = plan(ha, { facts: silent(), others });
    expect(steps[0]).toMatchObject({
      title: 'see cluster answer, or form it on node101 if it never was',
      input: { name: 'node101', unsure: ['node101', 'node102', 'node103'] },
      needs: ['machine.ready node101', 'machine.ready node102', 'machine.ready node103'],
    });
  });

  test('whose first control plane is made anew is not formed beside the others', () => {
    const { steps } = plan(ha, {
      facts: silent({ node102: 'member', node103: 'member' }),
      others: machineSteps(['node101']),
    });
    expect(steps[0]).toMatchObject({
      title: 'wait for cluster to answer',
      input: { unsure: ['node102', 'node103'] },
    });
    expect(needsOf(steps, 'cluster.join node101')).toEqual(['cluster.form cluster', 'machine.ready node101']);
  });

  test('with a machine of another cluster: nothing is done, and the plan says which', () => {
    const made = plan(three, { facts: silent({ node101: 'blank', node102: 'foreign' }) });
    expect(made).toMatchObject({ steps: [], problems: [{ code: 'LW6011', where: { machine: 'node102' } }] });
  });

  test('after a formation that was cut off is formed again', () => {
    const { steps } = plan(three, { facts: silent({ node101: 'begun' }) });
    expect(steps[0]).toMatchObject({ title: 'form cluster on node101', input: { unsure: [] } });
  });
});

describe('a cluster that answers', () => {
  test('and has everything needs nothing', () => {
    expect(plan(three, { facts: answers(allReady) })).toEqual({ steps: [], problems: [], notes: [] });
  });

  test('gets a new worker', () => {
    const { steps } = plan(three, { facts: answers(allReady.slice(0, 2)), others: machineSteps(['node103']) });
    expect(steps.map(({ id }) => id)).toEqual(['cluster.join node103', 'cluster.ready node103']);
    expect(needsOf(steps, 'cluster.join node103')).toEqual(['machine.ready node103']);
  });

  test('takes a worker back whose disk is new, though it still has its node', () => {
    const { steps } = plan(three, {
      facts: answers(allReady),
      others: machineSteps(['node103'], ['vm.wipe', 'machine.ready']),
    });
    expect(steps.map(({ id }) => id)).toEqual(['cluster.join node103', 'cluster.ready node103']);
  });

  test('waits for a node that starts again, and does not join it', () => {
    const { steps } = plan(three, {
      facts: answers([...allReady.slice(0, 2), { name: 'node103', ready: 'unknown', why: 'silent' }]),
      others: machineSteps(['node103'], ['vm.start', 'machine.ready']),
    });
    expect(steps).toMatchObject([{ id: 'cluster.ready node103', needs: ['machine.ready node103'], reason: 'silent' }]);
  });

  test('joins after the former member was taken out', () => {
    const removal = machineSteps(['node102'], ['node.remove'])[0];
    const { steps } = plan(ha, {
      facts: answers([
        { name: 'node101', role: 'control-plane' },
        { name: 'node103', role: 'control-plane' },
        { name: 'node104' },
      ]),
      others: [...machineSteps(['node102']), ...(removal === undefined ? [] : [removal])],
    });
    expect(needsOf(steps, 'cluster.join node102')).toEqual(['machine.ready node102', 'node.remove node102']);
  });

  const planes = ['node101', 'node102', 'node103'].map((name) => ({ name, role: 'control-plane' }) as const);
  const member = (name: string) => ({ id: name, name, learner: false, healthy: true });
  const members = planes.map(({ name }) => member(name));
  const disk = (name: string, state: DiskState) => ({ name: hostName(name), state });

  test.each([
    ['its join did not come to its end', { disks: [disk('node102', 'begun')], members }],
    ['its join is under way', { disks: [disk('node102', 'busy')], members }],
    ['etcd does not have it any more', { disks: [disk('node102', 'member')], members: members.toSpliced(1, 1) }],
  ])('joins a control plane whose node is ready: %s', (reason, extra) => {
    const { steps } = plan(ha, { facts: answers([...planes, { name: 'node104' }], extra) });
    expect(steps.map(({ id, reason: why }) => [id, why])).toEqual([
      ['cluster.join node102', reason],
      ['cluster.ready node102', 'it is new in the cluster'],
    ]);
  });

  test('never undoes the only control plane: what was begun there is finished', () => {
    const nodes = [
      { name: 'node101', role: 'control-plane', ready: 'unknown', why: 'silent' },
      ...allReady.slice(1),
    ] as const;
    const { steps } = plan(three, { facts: answers(nodes, { disks: [disk('node101', 'begun')] }) });
    expect(steps.map(({ id, reason }) => [id, reason])).toEqual([
      ['cluster.ready node101', 'silent'],
      ['cluster.settle cluster', 'its formation did not come to its end'],
    ]);
  });

  test('settles again when our objects are older', () => {
    const { steps } = plan(three, { facts: answers(allReady, { settled: 'older' }) });
    expect(steps).toMatchObject([{ id: 'cluster.settle cluster', input: { name: 'node101' }, needs: [] }]);
  });

  test('refuses another role for a node', () => {
    const made = plan(three, {
      facts: answers([
        { name: 'node101', role: 'control-plane' },
        { name: 'node102', role: 'control-plane' },
        { name: 'node103' },
      ]),
    });
    expect(made).toMatchObject({ steps: [], problems: [{ code: 'LW2011', where: { machine: 'node102' } }] });
  });
});

describe('while the file has another version than the control planes', () => {
  const raised = { ...three, cluster: { ...cluster, version: kubernetesVersion('1.20.3') } };

  test('a new machine does not join, and everything else is planned', () => {
    const nodes = [allReady[0], { name: 'node102', ready: 'unknown', why: 'silent' }] as const;
    const made = plan(raised, {
      facts: answers(nodes, { settled: 'older' }),
      others: machineSteps(['node102'], ['vm.start', 'machine.ready']),
    });
    expect(made.steps.map(({ id }) => id)).toEqual(['cluster.ready node102', 'cluster.settle cluster']);
    expect(made.problems).toMatchObject([{ code: 'LW6035', where: { machine: 'node103' } }]);
  });

  test('a machine that is not made either is told of once, by whoever makes machines', () => {
    const made = plan(raised, { facts: answers(allReady.slice(0, 2)), absent: new Set(['node103']) });
    expect(made).toEqual({ steps: [], problems: [], notes: [] });
  });

  test('a new worker joins when only workers are behind', () => {
    const kubelet = kubernetesVersion('1.20.3');
    const facts = answers([{ ...allReady[0], kubelet }, { name: 'node102' }], { version: kubelet });
    const { steps } = plan(raised, { facts, others: machineSteps(['node103']) });
    expect(steps.map(({ id }) => id)).toEqual(['cluster.join node103', 'cluster.ready node103']);
  });
});

test('a lab without a cluster has no such area', () => {
  const { cluster: _cluster, ...bare } = three;
  expect(plan(bare, { facts: silent() })).toEqual({ steps: [], problems: [], notes: [] });
});

test('with flannel a node is ready only after its chart, which is not of this area', () => {
  const { steps } = plan({ ...three, cluster: { ...cluster, podNetwork: 'flannel' } }, { facts: silent() });
  expect(steps.some(({ kind }) => kind === 'cluster.ready')).toBe(false);
});
