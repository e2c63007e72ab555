import { describe, expect, test } from 'vitest';
import { decideDrain, defaultDrainPolicy, planDrain } from './drain-preflight.ts';
import { type Node, nodeKind, type Pod, podDisruptionBudgetKind, podKind } from './kind.ts';

const meta = (name: string, more: object = {}) => ({
  name,
  namespace: 'default',
  uid: `uid-${name}`,
  resourceVersion: '1',
  ...more,
});
const ready = { type: 'Ready', status: 'True' };

const makeNode = (name: string, spec: object = {}, labels: Record<string, string> = {}): Node =>
  nodeKind.parse({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...meta(name, { labels: { 'kubernetes.io/hostname': name, ...labels } }), namespace: undefined },
    spec,
    status: { conditions: [ready], allocatable: { cpu: '2', memory: '4Gi', pods: '10' } },
  });

const makePod = (
  name: string,
  node: string,
  changes: { readonly spec?: object; readonly status?: object; readonly metadata?: object } = {},
): Pod =>
  podKind.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(name, {
      labels: { app: 'web' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs', controller: true }],
      ...changes.metadata,
    }),
    spec: { nodeName: node, ...changes.spec },
    status: { phase: 'Running', conditions: [ready], ...changes.status },
  });

const makeBudget = (
  status: object,
  changes: { readonly apiVersion?: string; readonly spec?: object; readonly name?: string } = {},
) =>
  podDisruptionBudgetKind.parse({
    apiVersion: changes.apiVersion ?? 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: meta(changes.name ?? 'web'),
    spec: { selector: { matchLabels: { app: 'web' } }, ...changes.spec },
    status,
  });

const two = [makeNode('node101'), makeNode('node102')];
const unready = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };

describe('what happens to a pod', () => {
  const decide = (pod: Pod, policy = defaultDrainPolicy) => decideDrain(pod, policy).kind;

  test.each([
    ['one of a ReplicaSet', makePod('a', 'node101'), 'evict'],
    [
      'one of a DaemonSet',
      makePod('a', 'node101', {
        metadata: {
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', uid: 'u', controller: true }],
        },
      }),
      'skip',
    ],
    [
      'a mirror of a static pod',
      makePod('a', 'node101', {
        metadata: { ownerReferences: undefined, annotations: { 'kubernetes.io/config.mirror': 'x' } },
      }),
      'skip',
    ],
    ['a bare one', makePod('a', 'node101', { metadata: { ownerReferences: undefined } }), 'refuse'],
    [
      'one whose owner is not its controller',
      makePod('a', 'node101', {
        metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }] },
      }),
      'refuse',
    ],
    [
      'a bare one that has ended',
      makePod('a', 'node101', { metadata: { ownerReferences: undefined }, status: { phase: 'Succeeded' } }),
      'evict',
    ],
    [
      'one with a scratch folder',
      makePod('a', 'node101', { spec: { volumes: [{ name: 'tmp', emptyDir: {} }] } }),
      'evict',
    ],
  ])('%s', (_, pod, kind) => {
    expect(decide(pod)).toBe(kind);
  });

  test('follows the policy', () => {
    const scratch = makePod('a', 'node101', { spec: { volumes: [{ name: 'tmp', emptyDir: {} }] } });
    const bare = makePod('a', 'node101', { metadata: { ownerReferences: undefined } });
    expect([
      decide(scratch, { barePods: 'evict', localData: 'refuse' }),
      decide(bare, { barePods: 'evict', localData: 'refuse' }),
    ]).toEqual(['refuse', 'evict']);
  });
});

describe('budgets', () => {
  const status = (allowed: number, healthy: number, desired: number, expected: number) => ({
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
  });
  const pods = [makePod('web-1', 'node101'), makePod('web-2', 'node101')];
  const plan = (budget: ReturnType<typeof makeBudget>, own: readonly Pod[] = pods, nodes = two) =>
    planDrain('node101', { nodes, pods: own, budgets: [budget] }, defaultDrainPolicy).blockers.map(
      ({ until }) => until,
    );

  test.each([
    ['one is free, and both move', status(1, 2, 1, 2), []],
    ['none is ever free', status(0, 2, 2, 2), ['never']],
    ['none is free until another pod is healthy', status(0, 2, 2, 3), ['now']],
    ['it was never counted', {}, ['never']],
  ])('%s', (_, given, expected) => {
    expect(plan(makeBudget(given))).toEqual(expected);
  });

  test('a pod that has nowhere to go keeps the disruption that the others need', () => {
    const pinned = makePod('web-2', 'node101', { spec: { nodeSelector: { disk: 'local' } } });
    expect(plan(makeBudget(status(1, 2, 1, 2)), [makePod('web-1', 'node101'), pinned])).toEqual(['never']);
    expect(
      plan(makeBudget(status(2, 3, 1, 3)), [makePod('web-1', 'node101'), pinned, makePod('web-3', 'node102')]),
    ).toEqual([]);
    expect(plan(makeBudget(status(1, 2, 1, 2)), [pinned, makePod('web-3', 'node102')])).toEqual([]);
  });

  test('pods that are not ready go while enough others are, and their return makes room', () => {
    const own = [makePod('web-1', 'node101'), makePod('web-2', 'node101', unready)];
    const planned = planDrain(
      'node101',
      { nodes: two, pods: own, budgets: [makeBudget(status(0, 1, 1, 2))] },
      defaultDrainPolicy,
    );
    expect([planned.blockers, planned.later.map(({ metadata }) => metadata.name)]).toEqual([[], ['web-1']]);
    expect(plan(makeBudget(status(0, 1, 2, 3)), own)).toEqual(['now']);
    const always = makeBudget(status(0, 1, 2, 3), {
      spec: { selector: { matchLabels: { app: 'web' } }, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    });
    expect(plan(always, [makePod('web-2', 'node101', unready)])).toEqual([]);
  });

  test('what has not started, and what is on its way already, is not held', () => {
    const pending = makePod('web-1', 'node101', { status: { phase: 'Pending' } });
    const ending = makePod('web-2', 'node101', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(plan(makeBudget(status(0, 2, 2, 2)), [pending, ending])).toEqual([]);
  });

  test('two of them over one pod hold it for good', () => {
    const budgets = [makeBudget(status(1, 2, 1, 2)), makeBudget(status(1, 2, 1, 2), { name: 'other' })];
    const { blockers } = planDrain('node101', { nodes: two, pods, budgets }, defaultDrainPolicy);
    expect(blockers.map(({ pods: held, until }) => [held, until])).toEqual([
      [['default/web-1'], 'never'],
      [['default/web-2'], 'never'],
    ]);
  });

  test('with an empty selector cover nothing in policy/v1beta1 and the whole namespace in policy/v1', () => {
    const none = status(0, 2, 2, 2);
    expect(plan(makeBudget(none, { apiVersion: 'policy/v1beta1', spec: { selector: {} } }))).toEqual([]);
    expect(plan(makeBudget(none, { apiVersion: 'policy/v1', spec: { selector: {} } }))).toEqual(['never']);
  });
});

describe('room elsewhere', () => {
  const homeless = (pod: Pod, nodes: readonly Node[], others: readonly Pod[] = []): boolean =>
    planDrain(
      'node101',
      { nodes: [makeNode('node101'), ...nodes], pods: [pod, ...others], budgets: [] },
      defaultDrainPolicy,
    ).homeless.length === 1;
  const requests = (cpu: string) => ({ containers: [{ resources: { requests: { cpu } } }] });
  const away = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } },
        ],
      },
    },
  };
  const taint = { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] };
  const near = (key: string, operator: string, values: string[]) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
        },
      },
    },
  });

  test.each<[string, boolean, object, object, Record<string, string>]>([
    ['on a node like this', false, {}, {}, {}],
    ['not on a cordoned one', true, {}, { unschedulable: true }, {}],
    ['not on a tainted one', true, {}, taint, {}],
    ['on a tainted one that it tolerates', false, { tolerations: [{ key: 'gpu', operator: 'Exists' }] }, taint, {}],
    ['not with another value', true, { tolerations: [{ key: 'gpu', value: 'no' }] }, taint, {}],
    ['not without the label it selects', true, { nodeSelector: { zone: 'a' } }, {}, {}],
    ['with the label it selects', false, { nodeSelector: { zone: 'a' } }, {}, { zone: 'a' }],
    ['not outside its affinity', true, near('zone', 'In', ['a']), {}, { zone: 'b' }],
    ['within its affinity', false, near('zone', 'NotIn', ['a']), {}, { zone: 'b' }],
    ['with as much as is free', false, requests('2'), {}, {}],
    ['not with more than is free', true, requests('2001m'), {}, {}],
  ])('%s', (_, expected, podSpec, nodeSpec, labels) => {
    expect(homeless(makePod('a', 'node101', { spec: podSpec }), [makeNode('node102', nodeSpec, labels)])).toBe(
      expected,
    );
  });

  test('counts what runs there, and what moved there before', () => {
    const there = makePod('b', 'node102', { spec: requests('1500m') });
    expect(homeless(makePod('a', 'node101', { spec: requests('1') }), [makeNode('node102')], [there])).toBe(true);
    const pods = ['a', 'b', 'c'].map((name) => makePod(name, 'node101', { spec: requests('1') }));
    expect(planDrain('node101', { nodes: two, pods, budgets: [] }, defaultDrainPolicy).homeless).toEqual(['default/c']);
  });

  test('keeps apart what must not be together', () => {
    const pod = makePod('a', 'node101', { spec: away });
    expect(homeless(pod, [makeNode('node102')])).toBe(false);
    expect(homeless(pod, [makeNode('node102')], [makePod('b', 'node102')])).toBe(true);
    expect(homeless(makePod('a', 'node101'), [makeNode('node102')], [makePod('b', 'node102', { spec: away })])).toBe(
      true,
    );
  });

  test('is none for a pod that nothing makes again', () => {
    const bare = makePod('a', 'node101', { metadata: { ownerReferences: undefined } });
    const planned = planDrain(
      'node101',
      { nodes: two, pods: [bare], budgets: [] },
      { barePods: 'evict', localData: 'evict' },
    );
    expect(planned.homeless).toEqual(['default/a']);
  });
});
