// The step that takes a snapshot, with the folder where the lab file says; etcd is asked for nothing before that is in order.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId, rehearsalOf } from '@labwright/core/addresses/names';
import type { Blueprint, NasBlueprint } from '@labwright/core/blueprint/blueprint';
import { systemClock } from '@labwright/core/ports/system';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import type { ClusterReach } from './cluster-area.ts';
import { makeLifeArea } from './life-area.ts';

const { signal } = new AbortController();
const cluster = makeSampleCluster('1.20.2');
const nas: NasBlueprint = {
  name: 'nas1',
  kind: 'synology',
  address: ipv4('10.1.0.20'),
  exports: [
    { path: '/volume1/pods', use: 'volumes' },
    { path: '/volume1/etcd', use: 'snapshots' },
  ],
};
const blueprint: Blueprint = { ...makeSampleBlueprint(cluster, [makeMember(101, 'control-plane')]), nas: [nas] };

let folder = '';
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'life-'))));
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** Nobody has keys, which is what the step comes to after the folder. */
async function takeSnapshot(lab: Blueprint): Promise<unknown> {
  const reach = { vault: { read: async () => undefined } } as unknown as ClusterReach;
  const area = makeLifeArea({
    blueprint: lab,
    currentBlueprint: () => lab,
    cluster,
    reach,
    keys: { file: join(folder, 'keys.age'), identity: { kind: 'none' }, alsoOpened: [] },
    labFolder: folder,
    stateDirectory: folder,
    prepareRelease: async () => await Promise.reject(new Error('nothing is upgraded')),
    clock: systemClock,
  });
  const context = { signal, progress: () => undefined };
  return await area.executors
    .get('cluster.snapshot')
    ?.run({ reason: 'asked' }, context)
    .catch((error: unknown) => error);
}

test('an export for snapshots that is not mounted is told of, with the mount', async () => {
  expect(await takeSnapshot(blueprint)).toMatchObject({
    code: 'LW0005',
    why: expect.stringContaining('nas1 exports /volume1/etcd for snapshots'),
  });
});

test('without such an export, and in a rehearsal, any folder will do', async () => {
  const [volumes] = nas.exports;
  const without = { ...blueprint, nas: [{ ...nas, exports: volumes === undefined ? [] : [volumes] }] };
  expect(await takeSnapshot(without)).toMatchObject({ code: 'LW6014' });
  expect(await takeSnapshot({ ...blueprint, lab: rehearsalOf(labId('home')) })).toMatchObject({ code: 'LW6014' });
});
