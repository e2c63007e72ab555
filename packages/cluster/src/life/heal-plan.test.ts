import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { hostName, vmId, type HostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { MachineCondition } from '@labwright/core/facts/machines';
import { quorumOf } from '../etcd/quorum.ts';
import { planHealing, planReplacement, type HealDecision, type HealFacts } from './heal-plan.ts';
import { makeClusterBlueprint, makeClusterFacts, makeEtcdMember, makeNode } from './sample-cluster.test-data.ts';
import { makeMember } from '../sample-lab.test-data.ts';

const runs: MachineCondition = { kind: 'running', disk: 'there' };
const died: MachineCondition = { kind: 'stopped', by: 'itself', disk: 'there' };
const lostDisk: MachineCondition = { kind: 'stopped', by: 'itself', disk: 'gone' };
const silent: MachineCondition = { kind: 'unreachable', host: hostName('pve2'), power: 'unknown' };
const off: MachineCondition = { kind: 'unreachable', host: hostName('pve2'), power: 'off' };

function makeFacts(
  blueprint: Blueprint,
  conditions: Readonly<Record<string, MachineCondition>>,
  overrides: Partial<HealFacts> = {},
): HealFacts {
  const isUp = (machine: MachineBlueprint): boolean => (conditions[machine.name] ?? runs).kind === 'running';
  const facts = makeClusterFacts(blueprint);
  return {
    conditions: new Map(blueprint.machines.map((machine) => [machine.vmId, conditions[machine.name] ?? runs])),
    cluster: {
      ...facts,
      nodes: blueprint.machines.map((machine) => makeNode(machine, isUp(machine) ? {} : { ready: 'unknown' })),
      members: blueprint.machines
        .filter(({ role }) => role === 'control-plane')
        .map((machine) => makeEtcdMember(machine, { healthy: isUp(machine) })),
    },
    spares: new Map<HostName, MachineBlueprint>(
      blueprint.machines.map((machine) => [machine.name, makeMember(121, 'worker', { replaces: machine.vmId })]),
    ),
    ...overrides,
  };
}

const blueprint = makeClusterBlueprint(3, 2);
const brief = (decisions: readonly HealDecision[]): readonly string[] =>
  decisions.map((each) => `${each.kind} ${each.machine.name}`);
const withHeal = (heal: 'restart' | 'replace'): Blueprint => ({
  ...blueprint,
  machines: blueprint.machines.map((machine) => ({ ...machine, heal })),
});

describe('a machine', () => {
  test('that runs needs nothing', () => {
    expect(planHealing(blueprint, makeFacts(blueprint, {}))).toEqual([]);
  });

  test('that stopped by itself is started with its disk; several at once', () => {
    const decisions = planHealing(blueprint, makeFacts(blueprint, { node101: died, node102: died, node111: died }));
    expect(brief(decisions)).toEqual(['start node101', 'start node102', 'start node111']);
  });

  test('that somebody stopped stays stopped', () => {
    const stopped: MachineCondition = { kind: 'stopped', by: 'somebody', disk: 'there' };
    const [decision] = planHealing(blueprint, makeFacts(blueprint, { node111: stopped }));
    expect(decision).toMatchObject({ kind: 'wait', why: 'somebody stopped node111' });
  });

  test('whose disk is gone gets a new one under the same VM ID, running or not', () => {
    expect(planHealing(blueprint, makeFacts(blueprint, { node111: lostDisk }))).toMatchObject([
      { kind: 'new-disk', isRunning: false },
    ]);
    const running: MachineCondition = { kind: 'running', disk: 'gone' };
    expect(planHealing(blueprint, makeFacts(blueprint, { node111: running }))).toMatchObject([
      { kind: 'new-disk', isRunning: true },
    ]);
  });

  test('on a silent host waits, because it may still run there; on one that is off it is replaced', () => {
    const [waits] = planHealing(blueprint, makeFacts(blueprint, { node111: silent }));
    expect(waits).toMatchObject({
      kind: 'wait',
      why: 'node111 is on pve2, which does not answer, and nothing says that it is off: node111 may still run there',
      fix: [
        'bring pve2 back',
        'or make sure that it is switched off, then: labwright machine replace node111 --host-is-off',
      ],
    });
    expect(planHealing(blueprint, makeFacts(blueprint, { node111: off }))).toMatchObject([
      { kind: 'replace', by: { name: 'node121', replaces: 111 } },
    ]);
  });

  test('whose pool has no VM ID left waits', () => {
    const facts = makeFacts(blueprint, { node111: off }, { spares: new Map() });
    expect(planHealing(blueprint, facts)).toMatchObject([
      { kind: 'wait', why: expect.stringContaining('no VM ID left') },
    ]);
  });

  test('of a pool that only restarts is never made anew by itself', () => {
    const lab = withHeal('restart');
    const decisions = planHealing(lab, makeFacts(lab, { node102: off, node111: lostDisk, node112: silent }));
    expect(decisions.every(({ kind }) => kind === 'wait')).toBe(true);
    expect(decisions[1]).toMatchObject({
      fix: ['labwright machine replace node111', expect.stringContaining('pools.workers.heal')],
    });
  });

  test('that a person gave up is replaced, on the word that its host is off', () => {
    const lab = withHeal('restart');
    const [, node102] = lab.machines;
    const facts = makeFacts(lab, { node102: silent });
    expect(planReplacement(node102!, facts, { hostIsOff: false })).toMatchObject({ kind: 'wait' });
    expect(planReplacement(node102!, facts, { hostIsOff: true })).toMatchObject({ kind: 'replace' });
  });

  test('the API being silent, nothing of the cluster is made anew, and starting goes on', () => {
    const facts = makeFacts(blueprint, { node101: died, node111: lostDisk });
    const cluster = { kind: 'silent', why: 'no answer', hasKeys: true, disks: [], asOf: 0 } as const;
    expect(brief(planHealing(blueprint, { ...facts, cluster }))).toEqual(['start node101', 'wait node111']);
  });

  test('nothing is made anew that could not join with the version of the file, and starting goes on', () => {
    const version = kubernetesVersion('1.20.3');
    const facts = makeFacts(blueprint, { node102: died, node111: lostDisk }, { version });
    const decisions = planHealing(blueprint, facts);
    expect(brief(decisions)).toEqual(['start node102', 'wait node111']);
    expect(decisions[1]).toMatchObject({
      why: 'the disk of node111 is gone, and node111 would join with Kubernetes 1.20.3 of the lab file, and the control planes run 1.20.2',
      fix: expect.arrayContaining([expect.stringContaining('kubernetes.version: 1.20.2')]),
    });
    const [, node102] = blueprint.machines;
    expect(
      planReplacement(node102!, makeFacts(blueprint, { node102: off }, { version }), { hostIsOff: true }),
    ).toMatchObject({
      kind: 'wait',
    });
  });

  test('the last voter is never made anew', () => {
    const single = makeClusterBlueprint(1, 1);
    expect(planHealing(single, makeFacts(single, { node101: lostDisk }))).toMatchObject([
      { kind: 'wait', why: expect.stringContaining('last voter') },
    ]);
  });
});

const condition = fc.constantFrom(runs, died, lostDisk, silent, off, { kind: 'absent' } as const);

test('whatever happens: at most one is made anew, never while another is on its way, and etcd decides without it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(condition, { minLength: 8, maxLength: 8 }),
      fc.nat(7),
      (size, states, joining) => {
        const lab = makeClusterBlueprint(size, 3);
        const conditions = Object.fromEntries(lab.machines.map((machine, at) => [machine.name, states[at] ?? runs]));
        const facts = makeFacts(lab, conditions);
        if (facts.cluster?.kind !== 'answers') throw new Error('the facts are of a cluster that answers');
        const late = lab.machines[joining]?.name;
        const cluster = { ...facts.cluster, nodes: facts.cluster.nodes.filter(({ name }) => name !== late) };
        const remade = planHealing(lab, { ...facts, cluster }).filter(
          ({ kind }) => kind === 'replace' || kind === 'new-disk',
        );
        expect(remade.length).toBeLessThanOrEqual(1);
        const [made] = remade;
        const isOnItsWay = late !== undefined && conditions[late]?.kind === 'running';
        expect(made === undefined || !isOnItsWay || made.machine.name === late).toBe(true);
        const rest = (cluster.members ?? []).filter(({ name }) => name !== made?.machine.name);
        const decides = rest.filter(({ healthy }) => healthy).length >= quorumOf(rest.length) && rest.length > 0;
        expect(made?.machine.role !== 'control-plane' || decides).toBe(true);
      },
    ),
  );
});

test('a machine outside of the cluster is healed without it', () => {
  const { role: _, ...plain } = makeMember(130, 'worker');
  const lab = { ...blueprint, machines: [plain] };
  const facts = { conditions: new Map([[vmId(130), lostDisk]]), spares: new Map() };
  expect(brief(planHealing(lab, facts))).toEqual(['new-disk node130']);
});
