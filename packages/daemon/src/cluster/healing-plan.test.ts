import { expect, test } from 'vitest';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { planCluster } from '@labwright/cluster/formation/cluster-plan';
import type { HealDecision } from '@labwright/cluster/life/heal-plan';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { holdDecisions, holdMembers, keepHealing, type HealingPlan } from './healing-plan.ts';

const [first, second, worker] = [
  makeMember(101, 'control-plane'),
  makeMember(102, 'control-plane'),
  makeMember(111, 'worker'),
];
// On slow hosts workers join after the control planes.
const blueprint = makeSampleBlueprint({ ...makeSampleCluster('1.20.2'), slow: true }, [first, second, worker]);
const held = new Map([['node102', 'node102 is tried again later']]);
const nothing: HealingPlan = { steps: [], problems: [], notes: [], blueprint };

test('a machine that is held waits, and so does the one that it would replace', () => {
  const start: HealDecision = { kind: 'start', machine: first, reason: 'it stopped by itself' };
  const replace: HealDecision = { kind: 'replace', machine: worker, by: second, reason: 'pve2 is off' };
  expect(holdDecisions([start, replace], held)).toEqual([
    start,
    { kind: 'wait', machine: worker, why: 'node102 is tried again later', fix: [] },
  ]);
  expect(holdDecisions([start, replace], undefined)).toEqual([start, replace]);
});

const facts: ClusterFacts = {
  kind: 'answers',
  version: makeSampleCluster('1.20.2').version,
  nodes: [],
  disks: [],
  asOf: 0,
};
const running = new Set(['node101', 'node102', 'node111']);
const planMembers = (absent: ReadonlySet<string>): AreaPlan =>
  keepHealing(planCluster(blueprint, { facts, keys: { kind: 'usable' }, others: [], absent }), nothing, running);
const joinsOf = ({ steps }: AreaPlan) =>
  steps.filter(({ kind }) => kind === 'cluster.join').map(({ target, needs }) => [target, ...needs].join(' < '));

test('nobody’s join waits for that of one that is held', () => {
  const plan = holdMembers(planMembers, new Set(), { held, healing: nothing });
  expect(joinsOf(plan)).toEqual(['node101', 'node111 < cluster.join node101']);
  expect(plan.notes).toEqual(['node102 is tried again later']);
  expect(joinsOf(holdMembers(planMembers, new Set(), { healing: nothing }))).toEqual([
    'node101',
    'node102',
    'node111 < cluster.join node101 < cluster.join node102',
  ]);
});

test('one that is held and needs nothing any more is not told of, and one whose VM waits only once', () => {
  const absent = new Set(['node102']);
  expect(holdMembers(planMembers, absent, { held, healing: nothing }).notes).toEqual([]);
  const told = { ...nothing, notes: ['node102 is tried again later'] };
  expect(holdMembers(planMembers, new Set(), { held, healing: told }).notes).toEqual([]);
});
