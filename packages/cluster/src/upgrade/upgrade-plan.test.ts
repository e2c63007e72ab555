import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import {
  makeClusterBlueprint,
  makeClusterFacts,
  makeEtcdMember,
  makeNode,
  sampleCluster,
} from '../life/sample-cluster.test-data.ts';
import { findUpgradeNeed, formatUpgradeNote, planUpgrade, type UpgradeFacts } from './upgrade-plan.ts';

const old = kubernetesVersion('1.20.2');
const wanted = kubernetesVersion('1.20.3');
const blueprint = makeClusterBlueprint(3, 2);
const controlNames = ['node101', 'node102', 'node103'];

function makeFacts(overrides: Partial<UpgradeFacts> = {}): UpgradeFacts {
  return {
    cluster: makeClusterFacts(blueprint),
    controlPlanes: new Map(controlNames.map((name) => [name, old])),
    shared: old,
    begun: new Set(),
    drainObstacles: new Map(),
    ...overrides,
  };
}

const to = (version: string): Blueprint => ({
  ...blueprint,
  cluster: { ...sampleCluster, version: kubernetesVersion(version) },
});
const upgradesOf = (facts: UpgradeFacts) =>
  planUpgrade(blueprint, facts)
    .steps.filter(({ kind }) => kind === 'cluster.upgrade')
    .map(({ target, input }) => `${target} ${(input as { role: string }).role}`);

describe('the order', () => {
  test('everything is fetched first, then a snapshot, control planes one by one, then workers', () => {
    const { steps } = planUpgrade(blueprint, makeFacts());
    const ids = steps.map(({ id }) => id);
    expect(ids.slice(0, 7)).toEqual([
      'upgrade.prepare cluster',
      ...blueprint.machines.map(({ name }) => `upgrade.fetch ${name}`),
      'cluster.snapshot cluster',
    ]);
    const upgrades = steps.filter(({ kind }) => kind === 'cluster.upgrade');
    expect(upgrades.map(({ target }) => target)).toEqual(['node101', 'node102', 'node103', 'node111', 'node112']);
    for (const [at, step] of upgrades.entries()) {
      expect(step.needs).toEqual([at === 0 ? 'cluster.snapshot cluster' : upgrades[at - 1]?.id]);
    }
    expect(steps.find(({ kind }) => kind === 'cluster.snapshot')?.needs).toEqual(ids.slice(1, 6));
  });

  test('apply runs once, again when it did not come to its end, and never after', () => {
    expect(upgradesOf(makeFacts())[0]).toBe('node101 first');
    const applied = {
      controlPlanes: new Map([
        ['node101', wanted],
        ['node102', old],
        ['node103', old],
      ]),
    };
    // All its pods are new, and the part that all share is not: apply was killed.
    expect(upgradesOf(makeFacts(applied))[0]).toBe('node101 first');
    expect(upgradesOf(makeFacts({ ...applied, shared: wanted }))[0]).toBe('node101 control-plane');
  });

  test('goes on from where it is: what has the version is left alone', () => {
    const nodes = blueprint.machines.map((machine) =>
      makeNode(machine, machine.name === 'node112' ? {} : { kubelet: wanted }),
    );
    const facts = makeFacts({
      cluster: makeClusterFacts(blueprint, { nodes, version: wanted }),
      controlPlanes: new Map(controlNames.map((name) => [name, wanted])),
      shared: wanted,
    });
    expect(upgradesOf(facts)).toEqual(['node112 worker']);
    expect(planUpgrade(blueprint, facts).steps.some(({ kind }) => kind === 'cluster.snapshot')).toBe(false);
    // One that was upgraded and never given back to the scheduler.
    expect(upgradesOf({ ...facts, begun: new Set(['node111']) })).toEqual(['node111 worker', 'node112 worker']);
  });

  test('nothing to do when all have it', () => {
    const nodes = blueprint.machines.map((machine) => makeNode(machine, { kubelet: wanted }));
    const cluster = makeClusterFacts(blueprint, { nodes, version: wanted });
    const facts = makeFacts({
      cluster,
      controlPlanes: new Map(controlNames.map((name) => [name, wanted])),
      shared: wanted,
    });
    expect(planUpgrade(blueprint, facts)).toEqual({
      steps: [],
      problems: [],
      notes: ['every machine runs Kubernetes 1.20.3'],
    });
  });
});

describe('refused before anything changes', () => {
  const refusal = (lab: Blueprint, facts: UpgradeFacts): LabwrightError => {
    try {
      planUpgrade(lab, facts);
    } catch (error) {
      if (error instanceof LabwrightError) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };

  test.each([
    ['1.20.1', 'the file says Kubernetes 1.20.1, and the cluster runs 1.20.2'],
    ['1.19.9', 'the file says Kubernetes 1.19.9, and the cluster runs 1.20.2'],
    ['1.22.0', 'from 1.20.2 to 1.22.0 skips 1.21'],
    ['1.30.0', 'from 1.20.2 to 1.30.0 skips 1.21 to 1.29'],
  ])('%s: %s', (version, what) => {
    expect(refusal(to(version), makeFacts())).toMatchObject({
      code: 'LW6035',
      message: what,
      fix: expect.arrayContaining([expect.stringContaining('kubernetes.version')]),
    });
  });

  test('one minor version up is allowed, with every node at most as old as the skew lets it', () => {
    expect(planUpgrade(to('1.21.5'), makeFacts()).steps.length).toBeGreaterThan(0);
    const nodes = blueprint.machines.map((machine) =>
      makeNode(machine, machine.name === 'node112' ? { kubelet: kubernetesVersion('1.18.0') } : {}),
    );
    expect(refusal(to('1.21.5'), makeFacts({ cluster: makeClusterFacts(blueprint, { nodes }) }))).toMatchObject({
      message: 'the kubelet of node112 is 1.18.0',
      why: 'with API servers 1.21.5 it may not be older than 1.19',
    });
  });

  test('a kubelet newer than the wanted version', () => {
    const nodes = blueprint.machines.map((machine) =>
      makeNode(machine, machine.name === 'node112' ? { kubelet: kubernetesVersion('1.20.9') } : {}),
    );
    expect(refusal(blueprint, makeFacts({ cluster: makeClusterFacts(blueprint, { nodes }) }))).toMatchObject({
      code: 'LW6035',
    });
  });

  test('a node that is not Ready or missing, a drain that would not end, an etcd that would not decide, a silent cluster', () => {
    const [first, second] = blueprint.machines;
    const unready = [makeNode(first!), makeNode(second!, { ready: 'not-ready', why: 'disk pressure' })];
    expect(refusal(blueprint, makeFacts({ cluster: makeClusterFacts(blueprint, { nodes: unready }) })).why).toBe(
      'node103 is not in it; node111 is not in it; node112 is not in it; node102 is not Ready: disk pressure',
    );
    expect(refusal(blueprint, makeFacts({ cluster: makeClusterFacts(blueprint, { nodes: unready }) })).fix).toEqual([
      'kubernetes.version: 1.20.2, then labwright up, which brings in and mends what it can; raise it again after that',
      'or take what is new out of the file again (pools.control.count, pools.workers.count)',
      'labwright cluster status',
    ]);
    const obstacle = new LabwrightError('LW6007', { what: 'a budget blocks' });
    expect(refusal(blueprint, makeFacts({ drainObstacles: new Map([['node112', obstacle]]) }))).toBe(obstacle);
    const members = blueprint.machines.slice(0, 3).map((machine, at) => makeEtcdMember(machine, { healthy: at !== 2 }));
    expect(refusal(blueprint, makeFacts({ cluster: makeClusterFacts(blueprint, { members }) })).code).toBe('LW6033');
    expect(
      refusal(
        blueprint,
        makeFacts({ cluster: { kind: 'silent', why: 'no answer', hasKeys: true, disks: [], asOf: 0 } }),
      ).code,
    ).toBe('LW6001');
  });
});

test('an upgrade under way goes on without a machine that can only join after it, and not with one that is not well', () => {
  const begun = { controlPlanes: new Map(controlNames.map((name, at) => [name, at === 0 ? wanted : old])) };
  const nodes = blueprint.machines.slice(0, 4).map((machine) => makeNode(machine));
  const { steps, notes } = planUpgrade(
    blueprint,
    makeFacts({ ...begun, cluster: makeClusterFacts(blueprint, { nodes }) }),
  );
  expect(steps.filter(({ kind }) => kind === 'cluster.upgrade')).toHaveLength(4);
  expect(notes).toEqual(['node112 is not in the cluster and joins afterwards: labwright up']);
  const unready = [...nodes, makeNode(blueprint.machines[4]!, { ready: 'unknown' })];
  expect(() =>
    planUpgrade(blueprint, makeFacts({ ...begun, cluster: makeClusterFacts(blueprint, { nodes: unready }) })),
  ).toThrow(
    expect.objectContaining({
      code: 'LW6035',
      fix: expect.arrayContaining([expect.stringContaining('destroy node112')]),
    }),
  );
});

test('a model of the upgrade, killed after any machine and planned again, ends with every machine at the version and apply run once', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 6, maxLength: 6 }), (stops) => {
      const kubelets = new Map(blueprint.machines.map(({ name }) => [String(name), old]));
      const controlPlanes = new Map(controlNames.map((name) => [name, old]));
      let shared = old;
      let applied = 0;
      const tooEarly: string[] = [];
      for (const stop of stops) {
        const nodes = blueprint.machines.map((machine) =>
          makeNode(machine, { kubelet: kubelets.get(machine.name) ?? old }),
        );
        const cluster = makeClusterFacts(blueprint, { nodes });
        const { steps } = planUpgrade(blueprint, {
          cluster,
          controlPlanes,
          shared,
          begun: new Set(),
          drainObstacles: new Map(),
        });
        const upgrades = steps.filter(({ kind }) => kind === 'cluster.upgrade');
        for (const { target, input } of upgrades.slice(0, stop)) {
          const { role } = input as { role: string };
          if (role === 'first') [shared, applied] = [wanted, applied + 1];
          if (role !== 'worker') controlPlanes.set(target, wanted);
          if (role === 'worker' && [...controlPlanes.values()].some((version) => version !== wanted))
            tooEarly.push(target);
          kubelets.set(target, wanted);
        }
      }
      expect(new Set(kubelets.values())).toEqual(new Set([wanted]));
      expect(applied).toBe(1);
      // No kubelet before all control planes: none is ever newer than an API server.
      expect(tooEarly).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('the note of up', () => {
  const need = findUpgradeNeed(blueprint, makeFacts());
  expect(formatUpgradeNote(need!)).toBe(
    'the file says Kubernetes 1.20.3 and 5 machines run 1.20.2: labwright cluster upgrade',
  );
});
