// When a plan asks whether container images are to be had; what asking is, is packages/images' own test.
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { stepId, type Step } from '@labwright/core/plan/step';
import { planCluster } from '@labwright/cluster/formation/cluster-plan';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { nobodyElse } from '@labwright/machines/machine-plan';
import { makeHost } from '@labwright/machines/sample-lab.test-data';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterArea } from './cluster/cluster-area.ts';
import type { LifeArea } from './cluster/life-area.ts';
import { planAreas, type LabPlannerOptions } from './lab-planner.ts';

const { signal } = new AbortController();
const hosts = ['pve1', 'pve2', 'pve3'].map((name) => makeHost(name));
const blueprint = {
  ...makeSampleBlueprint(makeSampleCluster('1.35.4'), [makeMember(101, 'control-plane')]),
  hosts,
};
const hypervisors = {
  asOf: 0,
  hosts: hosts.map(({ name, cores, memoryMiB }) => ({
    ...{ name, cores, memoryMiB },
    ...{ online: true, version: '8.4.1', memoryUsedMiB: 0 },
  })),
  vms: [],
};
const facts: ClusterFacts = { kind: 'silent', why: 'nobody answers', hasKeys: true, disks: [], asOf: 0 };
const noPlan = { steps: [], problems: [], notes: [] };
const missing = new LabwrightError('LW4004', { what: 'no source has the container image etcd' });

let upgrade: readonly Step[];
let asked: number;

beforeEach(() => {
  upgrade = [];
  asked = 0;
});

describe('a plan asks for container images', () => {
  test('before it forms a cluster, and is none when one is nowhere', async () => {
    await expect(plan({ kind: 'up' })).rejects.toBe(missing);
  });

  test('before it upgrades one', async () => {
    upgrade = [makeStep('cluster.upgrade', 'change')];
    await expect(plan({ kind: 'upgrade' })).rejects.toBe(missing);
  });

  test('not where nothing is put onto a machine', async () => {
    upgrade = [makeStep('node.uncordon', 'change')];
    await plan({ kind: 'upgrade' });
    expect(asked).toBe(0);
  });
});

async function plan(intent: Parameters<typeof planAreas>[0]): Promise<void> {
  // Of the areas only what these plans ask of them.
  const area: Pick<ClusterArea, 'observe' | 'plan' | 'assertImages'> = {
    observe: async () => ({ facts, keys: { kind: 'usable' } }),
    plan: (view, planned, effective) => planCluster(effective, { ...view, ...planned }),
    assertImages: async () => {
      asked += 1;
      throw missing;
    },
  };
  const life: Pick<LifeArea, 'openDepartures' | 'findUpgradeNote' | 'planUpgrade'> = {
    openDepartures: async () => ({ ...nobodyElse, planDrain: () => [] }),
    findUpgradeNote: async () => undefined,
    planUpgrade: async () => ({ ...noPlan, steps: upgrade }),
  };
  const options = {
    blueprint,
    cluster: { area, life },
    services: { plan: async () => [] },
    currentReports: () => [],
  };
  await planAreas(intent, hypervisors, options as unknown as LabPlannerOptions, signal);
}

function makeStep(kind: string, change: Step['change']): Step {
  const target = 'node101';
  return {
    ...{ id: stepId(kind, target), kind, target, title: kind, change, reason: 'a test', needs: [] },
    ...{ risk: { level: 'none' }, estimateMs: 0, relies: [], queues: [], input: {} },
  };
}
