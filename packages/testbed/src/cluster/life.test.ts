// Control planes added, lost, fenced, replaced and removed, with real etcd members and API servers.
import { afterEach, describe, expect, test } from 'vitest';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { configMapKind } from '@labwright/drivers/kubernetes/kind';
import { listNodes } from '@labwright/drivers/kubernetes/nodes';
import { findPrograms } from '../kubernetes/binaries.ts';
import { makeStandInCluster, makeStandInFile, type StandInCluster } from './stand-in-cluster.ts';
import { heal, planHeal, planUp, up } from './stand-in-runs.ts';

const found = await findPrograms();
const limitMs = 120_000;

const labFile = (controlPlanes: number): Blueprint => makeStandInFile(controlPlanes, controlPlanes < 3 ? 0 : 2);

describe.skipIf(found.kind === 'missing')('the life of a cluster', () => {
  let cluster: StandInCluster;
  const signal = new AbortController().signal;
  const start = async (file: Blueprint): Promise<void> => {
    if (found.kind === 'missing') return;
    cluster = await makeStandInCluster(found.programs, file);
    const { result } = await up(cluster, file);
    expect(result?.failures).toEqual([]);
    const data = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kept', namespace: 'default' },
      data: { is: 'there' },
    };
    await cluster.connection.apply(data, { signal });
  };
  afterEach(async () => await cluster?.close());

  const members = async () => {
    const facts = await fetchEtcdGroup(cluster.etcd.group(), { signal, timeoutMs: 3000 });
    return facts.members.map(({ name, healthy }) => `${name} ${healthy ? 'well' : 'lost'}`).toSorted();
  };
  const nodes = async () =>
    (await listNodes(cluster.connection, { signal })).map(({ metadata }) => metadata.name).toSorted();
  const kept = async () =>
    (await cluster.connection.get(configMapKind, { name: 'kept', namespace: 'default' }, { signal }))?.data;
  const well = (...names: readonly string[]) => names.map((name) => `${name} well`);

  test('1 control plane to 3 and back to 1, and the plan is empty each time', { timeout: limitMs }, async () => {
    const [one, three] = [
      { ...labFile(1), spares: [] },
      { ...labFile(3), spares: [] },
    ];
    await start(three);
    expect(await members()).toEqual(well('node101', 'node102', 'node103'));
    expect((await planUp(cluster, three)).steps).toEqual([]);
    const down = await up(cluster, one);
    expect(down.result?.failures).toEqual([]);
    // One after the other, each out of etcd before its VM goes.
    expect(down.plan.steps.map(({ id }) => id).filter((id) => !id.startsWith('node.drain'))).toEqual([
      'node.remove node102',
      'vm.destroy node102',
      'node.remove node103',
      'vm.destroy node103',
    ]);
    expect(await members()).toEqual(well('node101'));
    expect(await nodes()).toEqual(['node101']);
    expect(await kept()).toEqual({ is: 'there' });
    expect((await planUp(cluster, one)).steps).toEqual([]);
  });

  test('a control plane that stopped by itself is started with its disk', { timeout: limitMs }, async () => {
    await start(labFile(3));
    await cluster.stopVm('node102');
    const { plan, result } = await heal(cluster);
    expect(plan.steps.map(({ id }) => id).slice(0, 2)).toEqual(['vm.start node102', 'machine.ready node102']);
    expect(result?.outcome).toBe('done');
    expect(await members()).toEqual(well('node101', 'node102', 'node103'));
    expect((await planHeal(cluster)).steps).toEqual([]);
  });

  test(
    'one whose host is off is replaced by the next identity; two lost at once wait',
    { timeout: limitMs },
    async () => {
      await start(labFile(3));
      const [first] = cluster.machines();
      await cluster.stopVm('node103');
      cluster.hostsOff.add(cluster.machine('node103').host);
      // The leader and the other one go on whoever died.
      expect(first?.blueprint.name).toBe('node101');
      const { plan, result } = await heal(cluster);
      expect(plan.steps.map(({ id }) => id)).toEqual([
        'node.remove node103',
        'vm.create node104',
        'vm.start node104',
        'machine.ready node104',
        'cluster.join node104',
        'cluster.ready node104',
      ]);
      expect(result?.failures).toEqual([]);
      expect(await members()).toEqual(well('node101', 'node102', 'node104'));
      expect(await nodes()).toEqual(['node101', 'node102', 'node104']);
      expect(await kept()).toEqual({ is: 'there' });
      expect((await planHeal(cluster)).steps).toEqual([]);
      // Its host comes back: the old VM is told of and left to a person.
      cluster.hostsOff.clear();
      expect((await planUp(cluster, labFile(3))).steps.map(({ id, risk }) => [id, risk.level])).toEqual([
        ['vm.destroy node103', 'data-loss'],
      ]);
      expect((await planHeal(cluster)).steps).toEqual([]);
      await cluster.destroyVm('node103');

      await cluster.stopVm('node102', 'somebody');
      cluster.machine('node104').disk = 'gone';
      const waiting = await planHeal(cluster);
      expect(waiting.steps).toEqual([]);
      expect(waiting.notes.join('\n')).toMatch(/node104 is gone, and it cannot leave etcd/);
    },
  );
});
