import { describe, expect, test } from 'vitest';
import { LabwrightError } from '@labwright/core/errors/error';
import { planDepartures } from './departure.ts';
import { makeClusterBlueprint, makeClusterFacts, makeEtcdMember, makeNode } from './sample-cluster.test-data.ts';

const blueprint = makeClusterBlueprint(3, 2);
const facts = makeClusterFacts(blueprint);
const none: ReadonlyMap<string, LabwrightError> = new Map();
const [first, second, third, worker] = blueprint.machines.map((machine) => ({ ...machine, runs: true }));
const leaving = (cluster = facts, drainObstacles = none) =>
  planDepartures({ cluster, drainObstacles, joinObstacles: none, blueprint });

describe('a machine leaves', () => {
  test('drained, then out of the cluster; the next one after the VM before it is gone', () => {
    const departures = leaving();
    const steps = [...departures.planDeparture(worker!, 'removed'), ...departures.planDeparture(third!, 'removed')];
    expect(steps.map(({ id, needs }) => [id, needs])).toEqual([
      ['node.drain node111', []],
      ['node.remove node111', ['node.drain node111']],
      ['node.drain node103', ['vm.destroy node111']],
      ['node.remove node103', ['node.drain node103']],
    ]);
    expect(steps.at(-1)?.title).toBe('take node103 out of etcd and the cluster');
  });

  test('without a drain when nobody on it answers', () => {
    const cluster = {
      ...facts,
      nodes: facts.nodes.map((node) => (node.name === 'node111' ? { ...node, ready: 'unknown' as const } : node)),
    };
    expect(
      leaving(cluster)
        .planDeparture(worker!, 'made-anew')
        .map(({ id }) => id),
    ).toEqual(['node.remove node111']);
  });

  test('without a drain when it is off, though its node looks ready for a minute more', () => {
    const obstacle = new LabwrightError('LW6007', { what: 'a budget blocks' });
    const departures = leaving(facts, new Map([['node111', obstacle]]));
    const steps = departures.planDeparture({ ...worker!, runs: false }, 'made-anew');
    expect(steps.map(({ id }) => id)).toEqual(['node.remove node111']);
  });

  test('the cluster does not know it: nothing to do', () => {
    expect(leaving({ ...facts, nodes: [], members: [] }).planDeparture(worker!, 'removed')).toEqual([]);
    const silent = {
      kind: 'silent',
      why: 'no answer',
      hasKeys: true,
      disks: [{ name: worker!.name, state: 'blank' }],
      asOf: 0,
    } as const;
    expect(
      planDepartures({ cluster: silent, drainObstacles: none, joinObstacles: none, blueprint }).planDeparture(
        worker!,
        'removed',
      ),
    ).toEqual([]);
  });
});

describe('while the API is silent', () => {
  type Told = Extract<Parameters<typeof planDepartures>[0]['cluster'], { readonly kind: 'silent' }>['disks'];
  const silent = (disks: Told, hasKeys = true) =>
    planDepartures({
      cluster: { kind: 'silent', why: 'no answer', hasKeys, disks, asOf: 0 },
      ...{ drainObstacles: none, joinObstacles: none, blueprint },
    });
  const refused = (code: string) => expect.objectContaining({ code });

  test('a control plane whose disk could not be asked stays: it may be half of what decides', () => {
    expect(() => silent([]).planDeparture(second!, 'removed')).toThrow(refused('LW6001'));
    expect(() => silent([{ name: second!.name, state: 'busy' }]).planDeparture(second!, 'made-anew')).toThrow(
      refused('LW6001'),
    );
    // Also one that the lab file does not have any more.
    expect(() => silent([]).planDeparture({ ...second!, name: 'node104' }, 'removed')).toThrow(refused('LW6001'));
  });

  test('one that is half joined stays, unless the cluster was never formed', () => {
    const begun = { name: second!.name, state: 'begun' } as const;
    expect(() => silent([begun]).planDeparture(second!, 'removed')).toThrow(refused('LW6001'));
    const all = [begun, { name: first!.name, state: 'begun' }, { name: third!.name, state: 'blank' }] as const;
    expect(silent(all).planDeparture(second!, 'removed')).toEqual([]);
  });

  test('nothing is lost with what has no disk, where there never was a cluster, and with a worker', () => {
    expect(silent([]).planDeparture({ ...second!, isGone: true }, 'made-anew')).toEqual([]);
    expect(silent([], false).planDeparture(second!, 'removed')).toEqual([]);
    expect(silent([]).planDeparture(worker!, 'removed')).toEqual([]);
  });
});

describe('a drain that somebody asked for', () => {
  test('takes nobody out of etcd: also the only control plane can be drained, and one while another is down', () => {
    const lab = makeClusterBlueprint(1, 1);
    const departures = planDepartures({
      cluster: makeClusterFacts(lab),
      drainObstacles: none,
      joinObstacles: none,
      blueprint,
    });
    expect(departures.planDrain({ ...first!, runs: true })).toMatchObject([
      { id: 'node.drain node101', reason: 'you asked for it', needs: [] },
    ]);
    const members = blueprint.machines
      .slice(0, 3)
      .map((machine) => makeEtcdMember(machine, { healthy: machine.name !== second?.name }));
    expect(leaving({ ...facts, members }).planDrain(third!)).toHaveLength(1);
    const { members: _, ...unknown } = facts;
    expect(leaving(unknown).planDrain(first!)).toHaveLength(1);
  });

  test('does nothing to a machine that is off or not in the cluster', () => {
    expect(leaving().planDrain({ ...worker!, runs: false })).toEqual([]);
    expect(leaving({ ...facts, nodes: [] }).planDrain(worker!)).toEqual([]);
  });

  test('is refused where evictions are, and for a node that is somebody else’s', () => {
    const obstacle = new LabwrightError('LW6007', { what: 'a budget blocks' });
    expect(() => leaving(facts, new Map([['node101', obstacle]])).planDrain(first!)).toThrow(obstacle);
    const foreign = { ...facts, nodes: facts.nodes.map((node) => ({ ...node, ours: false })) };
    expect(() => leaving(foreign).planDrain(worker!)).toThrow(expect.objectContaining({ code: 'LW6004' }));
  });
});

describe('it is refused before anything changes', () => {
  test('three control planes to one: the third and second go, the last never', () => {
    const departures = leaving();
    departures.planDeparture(third!, 'removed');
    departures.planDeparture(second!, 'removed');
    expect(() => departures.planDeparture(first!, 'removed')).toThrow(expect.objectContaining({ code: 'LW6033' }));
  });

  test('one that is made anew counts as not answering: no second beside it', () => {
    const departures = leaving();
    departures.planDeparture(third!, 'made-anew');
    expect(() => departures.planDeparture(second!, 'made-anew')).toThrow(expect.objectContaining({ code: 'LW6033' }));
  });

  test('while another member is down', () => {
    const members = blueprint.machines
      .slice(0, 3)
      .map((machine) => makeEtcdMember(machine, { healthy: machine.name !== second?.name }));
    expect(() => leaving({ ...facts, members }).planDeparture(third!, 'removed')).toThrow(
      expect.objectContaining({ code: 'LW6033' }),
    );
  });

  test('when it cannot be drained', () => {
    const obstacle = new LabwrightError('LW6007', { what: 'a budget blocks' });
    const departures = leaving(facts, new Map([['node111', obstacle]]));
    expect(() => departures.planDeparture(worker!, 'removed')).toThrow(obstacle);
  });

  test('when it could not join again; for good it may go, and one that the cluster never knew is not made either', () => {
    const obstacle = new LabwrightError('LW6035', { what: 'the file has another version' });
    const joinObstacles = new Map([['node111', obstacle]]);
    const departures = planDepartures({ cluster: facts, drainObstacles: none, joinObstacles, blueprint });
    expect(() => departures.planDeparture(worker!, 'made-anew')).toThrow(obstacle);
    expect(departures.planDeparture(worker!, 'removed')).toHaveLength(2);
    const unknown = planDepartures({
      cluster: { ...facts, nodes: [] },
      drainObstacles: none,
      joinObstacles,
      blueprint,
    });
    expect(() => unknown.planDeparture({ ...worker!, runs: false }, 'made-anew')).toThrow(obstacle);
  });

  test('when the node is somebody else’s, or nobody can say what it is', () => {
    const foreign = { ...facts, nodes: facts.nodes.map((node) => makeNode(worker!, { name: node.name, ours: false })) };
    expect(() => leaving(foreign).planDeparture(worker!, 'removed')).toThrow(
      expect.objectContaining({ code: 'LW6004' }),
    );
    const { members: _, ...rest } = facts;
    expect(() => leaving(rest).planDeparture(first!, 'removed')).toThrow(expect.objectContaining({ code: 'LW6031' }));
    const silent = {
      kind: 'silent',
      why: 'no answer',
      hasKeys: true,
      disks: [{ name: worker!.name, state: 'member' }],
      asOf: 0,
    } as const;
    expect(() =>
      planDepartures({ cluster: silent, drainObstacles: none, joinObstacles: none, blueprint }).planDeparture(
        worker!,
        'removed',
      ),
    ).toThrow(expect.objectContaining({ code: 'LW6001' }));
  });
});
