// The client of etcd and the quorum rule against real members of etcd 3.4 with TLS.
import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  addMember,
  checkDecides,
  fetchMembers,
  fetchStatus,
  promoteMember,
  removeMember,
  writeSnapshot,
} from '@labwright/cluster/etcd/etcd-client';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { ensureMemberRemoved, ensureVoterAdded, fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { issueCertificate, makeAuthority, readKeyPair } from '../kubernetes/authority.ts';
import { findPrograms } from '../kubernetes/binaries.ts';
import { startEtcd, type EtcdProcesses } from './etcd-processes.ts';

const found = await findPrograms();

/** etcd trusts a connection after 5 s only, and may elect in between. */
const slow = { timeout: 90_000 };
const limits = () => ({ signal: AbortSignal.timeout(60_000), timeoutMs: 5000, clock: systemClock });

describe.skipIf(found.kind === 'missing')('one member', () => {
  let etcd: EtcdProcesses;
  beforeAll(async () => {
    if (found.kind === 'there') etcd = await startEtcd(found.programs, ['node101']);
  });
  afterAll(async () => await etcd?.close());

  test('members and status, ids as etcdctl writes them', async () => {
    const peer = etcd.peer('node101');
    const [member] = await fetchMembers(peer, limits());
    const listed = await etcd.etcdctl(['member', 'list']);
    expect(listed).toContain(`${member?.id}, started, node101, `);
    const status = await fetchStatus(peer, limits());
    expect(status).toMatchObject({ member: member?.id, leader: member?.id, version: '3.4.23', problems: [] });
  });

  test('the last voter is never removed', async () => {
    await expect(ensureMemberRemoved(etcd.group(), 'node101', limits())).rejects.toMatchObject({
      code: 'LW6033',
      why: 'node101 is the last voter, and all data with it',
    });
    expect(await fetchMembers(etcd.peer('node101'), limits())).toHaveLength(1);
  });

  test('a learner is added, cannot be promoted while it is absent, and is removed again', async () => {
    const peer = etcd.peer('node101');
    const learner = await addMember(peer, { peerUrl: 'https://127.0.0.1:1', as: 'learner' }, limits());
    expect((await fetchMembers(peer, limits())).find(({ id }) => id === learner.id)).toMatchObject({
      learner: true,
      name: '',
    });
    await expect(promoteMember(peer, learner.id, limits())).rejects.toMatchObject({
      code: 'LW6032',
      why: expect.stringContaining('learner'),
    });
    await removeMember(peer, learner.id, limits());
    expect(await fetchMembers(peer, limits())).toHaveLength(1);
  });

  test('a snapshot is the file that etcdctl reads, whole and private', async () => {
    for (let at = 0; at < 50; at += 1) await etcd.etcdctl(['put', `/registry/test/${at}`, 'x'.repeat(10_000)]);
    const file = join(etcd.folder, 'snapshot.db');
    const written = await writeSnapshot(etcd.peer('node101'), file, limits());
    const bytes = await readFile(file);
    expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await etcd.etcdctl(['snapshot', 'status', file, '-w', 'json']))).toMatchObject({
      totalSize: bytes.length - 32,
    });
    expect((await readdir(etcd.folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  test('who shows no certificate of its authority, or another authority’s, is not served; nor is a stranger believed', async () => {
    const stranger = await makeAuthority(etcd.folder, 'stranger');
    const files = await issueCertificate(etcd.folder, 'stranger-client', stranger, {
      kind: 'client',
      user: 'stranger',
    });
    const { certificate, key } = await readKeyPair(files);
    const { address } = etcd.peer('node101');
    const right = etcd.login;
    for (const login of [
      { ...right, certificate, privateKey: new Secret(key) },
      { ...right, ca: stranger.certificate },
    ])
      await expect(fetchStatus({ address, login }, limits())).rejects.toMatchObject({ code: 'LW6031' });
    await expect(fetchStatus({ address }, limits())).rejects.toMatchObject({ code: 'LW6031' });
  });

  test('a silent port ends in time, an aborted call at once', async () => {
    const [quiet] = [{ name: 'quiet', host: '127.0.0.1', port: 1 }];
    await expect(fetchStatus({ address: quiet, login: etcd.login }, limits())).rejects.toMatchObject({
      code: 'LW6031',
    });
    const stop = new AbortController();
    const call = fetchStatus(etcd.peer('node101'), { signal: stop.signal, timeoutMs: 5000 });
    stop.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });
});

describe.skipIf(found.kind === 'missing')('three members', () => {
  let etcd: EtcdProcesses;
  beforeAll(async () => {
    if (found.kind === 'there') etcd = await startEtcd(found.programs, ['node101', 'node102', 'node103']);
  });
  afterAll(async () => await etcd?.close());

  test(
    'a dead member is unhealthy; it is removed, a new one takes its place, and the old data is there',
    slow,
    async () => {
      await etcd.etcdctl(['put', '/registry/kept', 'yes']);
      await etcd.kill('node103');
      const facts = await fetchEtcdGroup(etcd.group(), limits());
      expect(facts.members.map(({ name, healthy }) => `${name} ${healthy}`).toSorted()).toEqual([
        'node101 true',
        'node102 true',
        'node103 false',
      ]);
      // One is down: nobody else may go.
      await expect(ensureMemberRemoved(etcd.group(), 'node102', limits())).rejects.toMatchObject({ code: 'LW6033' });
      expect(await ensureMemberRemoved(etcd.group(), 'node103', limits())).toBe('removed');
      expect(await ensureMemberRemoved(etcd.group(), 'node103', limits())).toBe('absent');
      etcd.forget('node103');

      await etcd.prepare('node104');
      const joining = { name: 'node104', peerUrl: etcd.peerUrl('node104') };
      expect(await ensureVoterAdded(etcd.group(), joining, limits())).toBe('added');
      // Killed in between and run again: it is there, and has not started yet.
      expect(await ensureVoterAdded(etcd.group(), joining, limits())).toBe('present');
      await etcd.start('node104');
      const after = await fetchEtcdGroup(etcd.group(), limits());
      expect(after.members.map(({ name, healthy }) => `${name} ${healthy}`).toSorted()).toEqual([
        'node101 true',
        'node102 true',
        'node104 true',
      ]);
      expect(await etcd.etcdctl(['get', '--print-value-only', '/registry/kept'], 'node104')).toBe('yes\n');
    },
  );

  test('the leader goes only after it has handed over, and back to one the data is there', slow, async () => {
    const before = await fetchEtcdGroup(etcd.group(), limits());
    const leading = before.members.find(({ id }) => id === before.leader)?.name ?? '';
    expect(await ensureMemberRemoved(etcd.group(), leading, limits())).toBe('removed');
    etcd.forget(leading);
    const [one = '', other = ''] = etcd.names();
    expect(await ensureMemberRemoved(etcd.group(), other, limits())).toBe('removed');
    await etcd.kill(other);
    etcd.forget(other);
    await checkDecides(etcd.peer(one), limits());
    expect(await etcd.etcdctl(['get', '--print-value-only', '/registry/kept'])).toBe('yes\n');
    await expect(ensureMemberRemoved(etcd.group(), one, limits())).rejects.toMatchObject({ code: 'LW6033' });
  });

  test('nobody answers: every address and its reason', async () => {
    for (const name of etcd.names()) await etcd.kill(name);
    await expect(fetchEtcdGroup(etcd.group(), limits())).rejects.toMatchObject({
      code: 'LW6031',
      why: expect.stringContaining('127.0.0.1:'),
    });
  });
});
