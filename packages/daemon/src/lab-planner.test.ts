import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { planCluster } from '@labwright/cluster/formation/cluster-plan';
import { findJoinObstacles } from '@labwright/cluster/formation/join-version';
import { planDepartures } from '@labwright/cluster/life/departure';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { makeBlueprint, makeHypervisors, makeMachine, makeVm } from '@labwright/machines/sample-lab.test-data';
import { describe, expect, test } from 'vitest';
import type { ClusterView, PlannedMachines } from './cluster/cluster-area.ts';
import { planAreas, type LabPlannerOptions } from './lab-planner.ts';

const signal = new AbortController().signal;
const machines = [makeMachine(101, { role: 'control-plane' }), makeMachine(102, { role: 'worker' })];
// Of the cluster only the version is looked at.
const blueprint: Blueprint = {
  ...makeBlueprint(machines),
  cluster: { version: kubernetesVersion('1.20.3') } as ClusterBlueprint,
};

function answers(members: readonly MachineBlueprint[], version: string): ClusterFacts {
  return {
    kind: 'answers',
    version: kubernetesVersion(version),
    nodes: members.map(({ name, role = 'worker' }) => ({
      name,
      role,
      ready: 'ready',
      kubelet: kubernetesVersion(version),
      schedulable: true,
      ours: true,
      bootId: '',
    })),
    members: members
      .filter(({ role }) => role === 'control-plane')
      .map(({ name }) => ({ id: name, name, learner: false, healthy: true })),
    disks: [],
    asOf: 0,
  };
}

/** Nobody is asked anything over a network: what is not here is not called. */
function plannerOf(facts: ClusterFacts): LabPlannerOptions {
  return {
    blueprint,
    connection: {} as ProxmoxConnection,
    services: { plan: async () => [] },
    currentReports: () => [],
    cluster: {
      area: {
        observe: async () => ({ facts, keys: { kind: 'usable' } }),
        plan: (view: ClusterView, planned: PlannedMachines, effective: Blueprint) =>
          planCluster(effective, { ...view, ...planned }),
        assertImages: async () => undefined,
      },
      life: {
        openDepartures: async () =>
          planDepartures({
            cluster: facts,
            drainObstacles: new Map(),
            blueprint,
            joinObstacles: findJoinObstacles(kubernetesVersion('1.20.3'), blueprint.machines, facts),
          }),
        findUpgradeNote: async () => undefined,
      },
    } as unknown as NonNullable<LabPlannerOptions['cluster']>,
  };
}

test('the only control plane is drained when somebody asks for it', async () => {
  const hypervisors = makeHypervisors(blueprint, [makeVm(101), makeVm(102)]);
  const planner = plannerOf(answers(machines, '1.20.3'));
  const plans = await planAreas({ kind: 'drain', machine: 'node101' }, hypervisors, planner, signal);
  expect(plans.flatMap(({ steps }) => steps.map(({ id }) => id))).toEqual(['node.drain node101']);
});

test('version and count raised in one edit: the new machine is neither made nor joined, told of once, and the rest is planned', async () => {
  const facts = answers(machines.slice(0, 1), '1.20.2');
  const hypervisors = makeHypervisors(blueprint, [makeVm(101, { status: 'stopped' })]);
  const plans = await planAreas({ kind: 'up' }, hypervisors, plannerOf(facts), signal);
  const targets = plans.flatMap(({ steps }) => steps.map(({ kind, target }) => `${kind} ${target}`));
  expect(targets).toEqual(expect.arrayContaining(['vm.start node101', 'cluster.ready node101']));
  expect(targets.filter((each) => each.endsWith('node102'))).toEqual([]);
  const problems = plans.flatMap((each) => each.problems);
  expect(problems).toMatchObject([{ code: 'LW6035', where: { machine: 'node102' } }]);
});

test('a machine of the cluster is not rebuilt with a version that could not join', async () => {
  const hypervisors = makeHypervisors(blueprint, [makeVm(101), makeVm(102)]);
  const planner = plannerOf(answers(machines, '1.20.2'));
  await expect(planAreas({ kind: 'rebuild', machine: 'node102' }, hypervisors, planner, signal)).rejects.toMatchObject({
    code: 'LW6035',
  });
});

describe('a version that no source has', () => {
  const noSource = new LabwrightError('LW4003', { what: 'no source has Kubernetes 1.20.3', fix: ['name a mirror'] });
  const asked: string[] = [];
  const images: LabPlannerOptions['images'] = {
    findObstacle: async ({ role }) => {
      asked.push(role ?? 'none');
      return noSource;
    },
  };
  const silent: ClusterFacts = {
    kind: 'silent',
    why: 'this lab never had a cluster',
    hasKeys: false,
    disks: [],
    asOf: 0,
  };

  test('is a problem of every machine that would be made with it, and nothing of the cluster is begun', async () => {
    const plans = await planAreas(
      { kind: 'up' },
      makeHypervisors(blueprint, []),
      { ...plannerOf(silent), images },
      signal,
    );
    expect(plans.flatMap(({ steps }) => steps)).toEqual([]);
    expect(plans.flatMap(({ problems }) => problems)).toMatchObject([
      {
        code: 'LW4003',
        where: { machine: 'node101' },
        what: 'node101 is left as it is: no source has Kubernetes 1.20.3',
      },
      { code: 'LW4003', where: { machine: 'node102' }, fix: ['name a mirror'] },
    ]);
  });

  test('is of no concern to machines that are there, and not asked for', async () => {
    asked.length = 0;
    const hypervisors = makeHypervisors(blueprint, [makeVm(101, { status: 'stopped' }), makeVm(102)]);
    const planner = { ...plannerOf(answers(machines, '1.20.3')), images };
    const plans = await planAreas({ kind: 'up' }, hypervisors, planner, signal);
    expect(plans.flatMap(({ steps }) => steps.map(({ id }) => id))).toContain('vm.start node101');
    expect(plans.flatMap(({ problems }) => problems)).toEqual([]);
    expect(asked).toEqual([]);
  });

  test('ends a rebuild before the machine is drained', async () => {
    const hypervisors = makeHypervisors(blueprint, [makeVm(101), makeVm(102)]);
    const planner = { ...plannerOf(answers(machines, '1.20.3')), images };
    const rebuild = planAreas({ kind: 'rebuild', machine: 'node102' }, hypervisors, planner, signal);
    await expect(rebuild).rejects.toMatchObject({ code: 'LW4003' });
  });
});
