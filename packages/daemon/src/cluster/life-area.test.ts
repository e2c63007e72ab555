// The step that takes a snapshot, with the folder where the lab file says; etcd is asked for nothing before that is in order. And the
// plan of renewals, where not every control plane tells its certificates.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId, rehearsalOf } from '@labwright/core/addresses/names';
import type { Blueprint, NasBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { systemClock } from '@labwright/core/ports/system';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { issueLeaf } from '@labwright/cluster/pki/authority';
import { makeClusterPki } from '@labwright/cluster/pki/pki';
import type { PkiVault } from '@labwright/cluster/pki/pki-vault';
import type { ClusterReach } from './cluster-area.ts';
import { makeLifeArea, type LifeArea } from './life-area.ts';

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

const noKeys: PkiVault = {
  file: '',
  read: async () => undefined,
  assertUsable: async () => undefined,
  readOrMake: async () => await Promise.reject(new Error('no key is made')),
};

let folder = '';
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'life-'))));
afterAll(async () => await rm(folder, { recursive: true, force: true }));

function makeArea(lab: Blueprint, reach: Partial<ClusterReach>): LifeArea {
  return makeLifeArea({
    blueprint: lab,
    currentBlueprint: () => lab,
    cluster,
    reach: reach as ClusterReach,
    keys: { file: join(folder, 'keys.age'), identity: { kind: 'none' }, alsoOpened: [] },
    labFolder: folder,
    stateDirectory: folder,
    prepareRelease: async () => await Promise.reject(new Error('nothing is upgraded')),
    clock: systemClock,
  });
}

/** Nobody has keys, which is what the step comes to after the folder. */
async function takeSnapshot(lab: Blueprint): Promise<unknown> {
  const area = makeArea(lab, { vault: noKeys });
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

const silent: ClusterFacts = { kind: 'silent', hasKeys: true, why: 'its certificate has ended', disks: [], asOf: 0 };
const three: Blueprint = {
  ...blueprint,
  machines: [101, 102, 103].map((number) => makeMember(number, 'control-plane')),
};

test('certificates that cannot be read, or whose machine cannot be asked, are told of; the others are renewed', async () => {
  const now = systemClock.now();
  const pki = await makeClusterPki(blueprint.lab, now);
  const spec = { commonName: 'kube-apiserver', usages: ['server'], notAfter: now + 86_400_000 } as const;
  const { certificate } = await issueLeaf(pki.ca, spec, now);
  const area = makeArea(three, {
    vault: { ...noKeys, read: async () => pki },
    openShell: (machine) => async () => {
      const name: string = machine;
      if (name === 'node101') return { exitCode: 1, stdout: '', stderr: 'sudo: a password is required\n' };
      if (name === 'node102') throw new LabwrightError('LW3003', { what: 'silent', why: 'nothing came within 20 s' });
      return { exitCode: 0, stdout: `file /etc/kubernetes/pki/apiserver.crt\n${certificate}`, stderr: '' };
    },
  });
  const { steps, problems, notes } = await area.planRenewals(three, silent, signal);
  expect(steps.map(({ id }) => id)).toEqual(['certs.renew node103']);
  expect(problems).toMatchObject([
    { code: 'LW6036', where: { machine: 'node101' }, why: 'sudo: a password is required' },
  ]);
  expect(notes).toEqual(['node102 could not be asked for its certificates: nothing came within 20 s']);
});

test('before there is a cluster nobody is asked for certificates', async () => {
  const area = makeArea(three, { vault: noKeys });
  expect(await area.planRenewals(three, silent, signal)).toEqual({ steps: [], problems: [], notes: [] });
});

test('what a killed process left of a snapshot is removed, and nothing else', async () => {
  await mkdir(join(folder, 'snapshot-aB3xY9'));
  await writeFile(join(folder, 'snapshot-aB3xY9', 'snapshot.db'), 'every Secret');
  await mkdir(join(folder, 'snapshots'));
  await writeFile(join(folder, 'snapshot-mount.json'), '{}');
  await makeArea(blueprint, { vault: noKeys }).clearLeftovers();
  expect((await readdir(folder)).filter((name) => name.startsWith('snapshot')).toSorted()).toEqual([
    'snapshot-mount.json',
    'snapshots',
  ]);
});
