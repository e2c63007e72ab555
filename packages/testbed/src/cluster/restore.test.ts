// A snapshot of one cluster restored into a fresh one, with real etcd members and API servers, cut off after every act.
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { makeAgeIdentity, decryptAge, encryptAgeBytes } from '@labwright/core/lab/age';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { writeSnapshot } from '@labwright/cluster/etcd/etcd-client';
import { fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { makeMember } from '@labwright/cluster/sample-lab.test-data';
import { makeRestoreExecutor, planRestore } from '@labwright/cluster/snapshot/restore-step';
import { restoreCluster, type RestoreHost, type RestorePhase } from '@labwright/cluster/snapshot/restore';
import {
  listSnapshots,
  pruneSnapshots,
  readSnapshot,
  writeToFolder,
  type SnapshotFolder,
} from '@labwright/cluster/snapshot/snapshot-folder';
import { connectCluster, type ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { configMapKind, podKind } from '@labwright/drivers/kubernetes/kind';
import { startApiServer, type ApiServer, type ClusterKeys } from '../kubernetes/api-server.ts';
import { issueCertificate, makeAuthority, makeServiceAccountKey, readKeyPair } from '../kubernetes/authority.ts';
import { findPrograms, type ControlPlanePrograms } from '../kubernetes/binaries.ts';
import { startEtcd, type EtcdProcesses } from './etcd-processes.ts';

const found = await findPrograms();
const signal = new AbortController().signal;
const dayMs = 86_400_000;

describe.skipIf(found.kind === 'missing')('a snapshot in its folder', () => {
  let etcd: EtcdProcesses;
  let keys: ClusterKeys;
  let folder: SnapshotFolder;
  let programs: ControlPlanePrograms;
  let snapshotFile = '';
  let startAgain: () => Promise<ApiServer>;

  const connect = async ({ port }: ApiServer): Promise<ClusterConnection> => {
    const files = await issueCertificate(etcd.folder, 'login', keys.authority, {
      kind: 'client',
      user: 'labwright',
      groups: ['system:masters'],
    });
    const { certificate, key } = await readKeyPair(files);
    const endpoint = { address: '127.0.0.1', port, serverName: 'kube.test' };
    const login = { endpoint, ca: keys.authority.certificate, certificate, privateKey: new Secret(key) };
    return connectCluster(login, { clock: systemClock, log: silentLog });
  };
  const startServer = async (of: EtcdProcesses, name: string): Promise<ApiServer> => {
    const member = await of.start(name);
    const directory = join(of.folder, name, 'api-server');
    return await startApiServer({
      programs,
      directory,
      keys,
      etcd: [member],
      names: ['kube.test'],
      serviceNetwork: '10.96.0.0/16',
    });
  };

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    ({ programs } = found);
    etcd = await startEtcd(programs, ['node101']);
    keys = {
      authority: await makeAuthority(etcd.folder, 'kubernetes-ca'),
      etcdAuthority: etcd.authority,
      serviceAccount: await makeServiceAccountKey(etcd.folder),
    };
    const identity = await makeAgeIdentity(0);
    folder = {
      path: await mkdtemp(join(tmpdir(), 'snapshots-')),
      lab: labId('home+rehearsal'),
      cipher: {
        seal: async (plain) => await encryptAgeBytes(plain, identity),
        open: async (sealed) => await decryptAge(sealed, identity),
      },
    };
    await etcd.kill('node101');
    const server = await startServer(etcd, 'node101');
    const connection = await connect(server);
    for (let at = 0; at < 5; at += 1) {
      const data = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `kept-${at}`, namespace: 'default' },
        data: { at: String(at) },
      };
      await connection.apply(data, { signal });
    }
    const plain = join(etcd.folder, 'snapshot.db');
    await writeSnapshot(etcd.peer('node101'), plain, { signal, timeoutMs: 5000 });
    const bytes = await readFile(plain);
    for (const [at, reason] of ['scheduled', 'asked', 'before-upgrade'].entries()) {
      const kept = await writeToFolder(folder, bytes, { takenAt: at * dayMs, reason: reason as 'asked' }, signal);
      snapshotFile = kept.file;
    }
    await connection.close();
    await server.kill();
    startAgain = async () => {
      await etcd.start('node101');
      await server.start();
      return server;
    };
    await etcd.kill('node101');
  }, 180_000);
  afterAll(async () => {
    await etcd?.close();
    if (folder !== undefined) await rm(folder.path, { recursive: true, force: true });
  });

  test('is listed newest first, pruned with its own kind, and other files are left alone', async () => {
    await writeFile(join(folder.path, 'notes.txt'), 'mine');
    expect((await listSnapshots(folder, signal)).map(({ reason, takenAt }) => [reason, takenAt / dayMs])).toEqual([
      ['before-upgrade', 2],
      ['asked', 1],
      ['scheduled', 0],
    ]);
    expect(await listSnapshots({ ...folder, lab: labId('home') }, signal)).toEqual([]);
    expect(await pruneSnapshots(folder, 'scheduled', 0, signal)).toHaveLength(1);
    expect((await listSnapshots(folder, signal)).map(({ reason }) => reason)).toEqual(['before-upgrade', 'asked']);
    expect(await readFile(join(folder.path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('that was changed, or is encrypted for another, is refused', async () => {
    const sealed = await readFile(snapshotFile);
    // A bit of the body, which is authenticated.
    sealed[sealed.length - 100] = (sealed[sealed.length - 100] ?? 0) ^ 1;
    const damaged = join(etcd.folder, 'damaged.age');
    await writeFile(damaged, sealed);
    await expect(readSnapshot(damaged, folder.cipher, signal)).rejects.toMatchObject({ code: 'LW6034' });
    const other = await makeAgeIdentity(1);
    const cipher = { ...folder.cipher, open: async (bytes: Uint8Array) => await decryptAge(bytes, other) };
    await expect(readSnapshot(snapshotFile, cipher, signal)).rejects.toMatchObject({ code: 'LW6034' });
  });

  // The control plane's own acts are played; a silent worker and the pods are the API server's.
  test('ends while a worker is off, says so, and starts again what watched on the others', async () => {
    const server = await startAgain();
    const connection = await connect(server);
    try {
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'kube-proxy', uid: 'u', controller: true };
      const pod = (name: string, ownerReferences: readonly object[]) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'kube-system', ownerReferences },
        spec: { containers: [{ name: 'main', image: 'pause' }] },
      });
      await connection.apply(pod('kube-proxy-1', [owner]), { signal });
      await connection.apply(pod('kube-proxy-2', [owner]), { signal });
      await connection.apply(pod('of-nobody', []), { signal });
      const { summary } = await readSnapshot(snapshotFile, folder.cipher, signal);
      const machines = [makeMember(104, 'control-plane'), makeMember(105, 'worker'), makeMember(106, 'worker')];
      const { input } = planRestore({ machines }, snapshotFile, summary);
      const asked: string[] = [];
      const executor = makeRestoreExecutor({
        connect: async () => connection,
        openShell: (name) => async (command, call) => {
          if (name === 'node106') throw new LabwrightError('LW3003', { what: 'silent', why: 'it is off' });
          // A job says what it is for in its last word, "Labwright: restore b521…, stop".
          asked.push(`${name} ${/restore \w+, (\w+)$/.exec(command.at(-1) ?? '')?.[1] ?? command.slice(1).join(' ')}`);
          call.onStdout?.(Buffer.from('labwright: started\nphase untouched\nlabwright: ended 0\n'));
          return { exitCode: 0, stdout: '', stderr: '' };
        },
        cipher: folder.cipher,
        clock: systemClock,
      });
      const words = await executor.run(input, { signal, progress: () => undefined });
      expect(words).toMatch(/ are back; node106 \(it is off\) did not start the kubelet again: .*labwright up/);
      expect(asked).toEqual([
        ...['look', 'stop', 'restore', 'start'].map((act) => `node104 ${act}`),
        'node105 systemctl restart kubelet.service',
        'node104 finish',
      ]);
      const pods = await connection.list(podKind, { namespace: 'kube-system' }, { signal });
      expect(pods.map(({ metadata }) => metadata.name)).toEqual(['of-nobody']);
    } finally {
      await connection.close();
      await server.kill();
      await etcd.kill('node101');
    }
  });

  // Killed after any act of any machine, and run again: the objects are there, and no machine was restored twice.
  test('is restored into fresh control planes, killed anywhere on the way', { timeout: 600_000 }, async () => {
    const { plain, summary } = await readSnapshot(snapshotFile, folder.cipher, signal);
    // Both stopped, restored, started and finished; killed after the last of them it is over, and would begin anew.
    const acts = 8;
    for (const killAfter of [1, 3, 4, 7, acts + 1]) {
      const fresh = await startEtcd(programs, ['node101', 'node102']);
      const ofFresh: ClusterKeys = { ...keys, etcdAuthority: fresh.authority };
      const servers = new Map<string, ApiServer>();
      const phases = new Map<string, RestorePhase>();
      const restored = new Map<string, number>();
      let count = 0;
      let isDead = false;
      const notReached = async (): Promise<never> => {
        throw new Error('nothing is done to a machine that is in no cluster');
      };
      const anew: RestoreHost = {
        name: 'node103',
        peerUrl: 'https://127.0.0.1:1',
        fetchPhase: async () => 'absent',
        ...{ stop: notReached, restore: notReached, start: notReached, finish: notReached },
      };
      const hosts = fresh.names().map((name): RestoreHost => {
        // Who is dead does nothing more, also on the other machines.
        const alive = (): void => {
          if (isDead) throw new Error('killed');
        };
        const done = (phase: RestorePhase | undefined): void => {
          alive();
          if (phase === undefined) phases.delete(name);
          else phases.set(name, phase);
          count += 1;
          isDead = count === killAfter;
          alive();
        };
        return {
          name,
          peerUrl: fresh.peerUrl(name),
          fetchPhase: async () => phases.get(name) ?? 'untouched',
          stop: async () => {
            await servers.get(name)?.kill();
            await fresh.kill(name);
            done('stopped');
          },
          restore: async ({ initialCluster, token }) => {
            alive();
            restored.set(name, (restored.get(name) ?? 0) + 1);
            const file = join(fresh.folder, `${name}.db`);
            await writeFile(file, plain);
            const made = join(fresh.folder, `${name}-restored`);
            await rm(made, { recursive: true, force: true });
            const place = ['--name', name, '--initial-cluster', initialCluster, '--initial-cluster-token', token];
            const url = ['--initial-advertise-peer-urls', fresh.peerUrl(name)];
            await promisify(execFile)(
              programs.etcdctl,
              ['snapshot', 'restore', file, ...place, ...url, '--data-dir', made],
              { env: { ETCDCTL_API: '3' } },
            );
            await rm(fresh.dataDirectory(name), { recursive: true, force: true });
            await rename(made, fresh.dataDirectory(name));
            done('restored');
          },
          start: async () => {
            const member = await fresh.start(name);
            const known = servers.get(name);
            const directory = join(fresh.folder, name, 'api-server');
            const options = {
              programs,
              directory,
              keys: ofFresh,
              etcd: [member],
              names: ['kube.test'],
              serviceNetwork: '10.96.0.0/16',
            };
            if (known === undefined) servers.set(name, await startApiServer(options));
            else await known.start();
            done('started');
          },
          finish: async () => done(undefined),
        };
      });
      let connection: ClusterConnection | undefined;
      const run = async (): Promise<void> =>
        await restoreCluster({
          hosts: [...hosts, anew],
          snapshot: { sha256: summary.sha256, plain },
          fetchUnreadiness: async () => {
            const [server] = servers.values();
            if (server === undefined) return 'no API server runs';
            connection ??= await connect(server);
            return await connection.fetchUnreadiness({ signal });
          },
          restartOthers: async () => undefined,
          clock: systemClock,
          answerTimeoutMs: 60_000,
          signal,
          progress: () => undefined,
        });
      try {
        const ended = await run().then(
          () => 'done',
          (error: unknown) => (error as Error).message,
        );
        expect(ended).toBe(killAfter < acts ? 'killed' : 'done');
        isDead = false;
        if (killAfter < acts) await run();
        const maps = await connection?.list(configMapKind, { namespace: 'default' }, { signal });
        expect(maps?.flatMap(({ data }) => data?.['at'] ?? [])).toEqual(['0', '1', '2', '3', '4']);
        const { members } = await fetchEtcdGroup(fresh.group(), { signal, timeoutMs: 5000 });
        expect(members.map(({ name, healthy }) => `${name} ${healthy}`).toSorted()).toEqual([
          'node101 true',
          'node102 true',
        ]);
        expect([...restored.values()]).toEqual([1, 1]);
      } finally {
        await connection?.close();
        for (const server of servers.values()) await server.kill();
        await fresh.close();
      }
    }
  });
});
