// Snapshots of a real etcd, verified by our own reader and by etcdctl.
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSnapshot } from '@labwright/cluster/etcd/etcd-client';
import { verifySnapshot } from '@labwright/cluster/snapshot/verify-snapshot';
import { LabwrightError } from '@labwright/core/errors/error';
import { findPrograms } from '../kubernetes/binaries.ts';
import { startEtcd, type EtcdProcesses } from './etcd-processes.ts';

const found = await findPrograms();

function codeOf(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    return error instanceof LabwrightError ? error.code : String(error);
  }
}

describe.skipIf(found.kind === 'missing')('a snapshot', () => {
  let etcd: EtcdProcesses;
  let file: string;
  let bytes: Buffer;
  beforeAll(async () => {
    if (found.kind === 'missing') return;
    etcd = await startEtcd(found.programs, ['node101']);
    // Enough for several levels of pages, values longer than a page, and keys that were changed and deleted.
    for (let at = 0; at < 40; at += 1)
      await etcd.etcdctl(['put', `/registry/pods/default/pod-${at}`, 'x'.repeat(at * 1000)]);
    for (let at = 0; at < 10; at += 1) await etcd.etcdctl(['put', `/registry/configmaps/default/map-${at}`, 'y']);
    await etcd.etcdctl(['put', '/registry/pods/default/pod-1', 'again']);
    await etcd.etcdctl(['del', '/registry/pods/default/pod-0']);
    file = join(etcd.folder, 'snapshot.db');
    await writeSnapshot(etcd.peer('node101'), file, { signal: AbortSignal.timeout(10_000), timeoutMs: 5000 });
    bytes = await readFile(file);
  });
  afterAll(async () => await etcd?.close());

  test('is read as etcdctl reads it', async () => {
    const summary = verifySnapshot(bytes);
    const status = JSON.parse(await etcd.etcdctl(['snapshot', 'status', file, '-w', 'json'])) as Record<string, number>;
    expect(Number(summary.revision)).toBe(status['revision']);
    expect(summary.entries).toBe(status['totalKey']);
    expect(summary.objects).toBe(49);
    expect(summary.kinds).toEqual(
      new Map([
        ['configmaps', 10],
        ['pods', 39],
      ]),
    );
  });

  test('with one bit turned anywhere does not verify', () => {
    for (const at of [0, 20, 5000, bytes.length >> 1, bytes.length - 1]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(() => verifySnapshot(damaged)).toThrow('does not verify');
    }
  });

  test('cut off anywhere does not verify, and a copy of the database file is named as such', () => {
    for (const length of [0, 100, 512, bytes.length - 1, bytes.length - 512]) {
      expect(() => verifySnapshot(bytes.subarray(0, length))).toThrow('does not verify');
    }
    expect(() => verifySnapshot(bytes.subarray(0, -32))).toThrow('does not verify');
  });

  test('damaged within, with a hash that somebody made anew, is told from a whole one or read without harm', () => {
    const database = bytes.subarray(0, -32);
    const codes = new Set<string>();
    for (let seed = 1; seed <= 300; seed += 1) {
      const damaged = Buffer.from(database);
      // Headers of pages are where a mistake could lead anywhere.
      const at = ((seed * 4096) % database.length) + ((seed * 7) % 64);
      damaged[at] = (seed * 37) & 0xff;
      const hash = createHash('sha256').update(damaged).digest();
      codes.add(codeOf(() => verifySnapshot(Buffer.concat([damaged, hash]))));
    }
    expect([...codes].toSorted((one, other) => (one < other ? -1 : 1))).toEqual(['LW6034', 'read']);
  });
});
