// Names and numbers of snapshots; what is in them, and that they can be restored, is packages/testbed's.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { labId } from '@labwright/core/addresses/names';
import { pruneSnapshots, readSnapshot, type SnapshotFolder } from './snapshot-folder.ts';

const { signal } = new AbortController();
let folder: SnapshotFolder;
beforeEach(async () => {
  const never = async () => await Promise.reject(new Error('nothing is opened'));
  const path = await mkdtemp(join(tmpdir(), 'snapshots-'));
  folder = { path, lab: labId('home'), cipher: { seal: never, open: never } };
});
afterEach(async () => await rm(folder.path, { recursive: true, force: true }));

/** From the first of November on, one a day. */
async function write(reason: string, count: number): Promise<void> {
  for (let day = 1; day <= count; day += 1) {
    const date = `202611${String(day).padStart(2, '0')}`;
    await writeFile(join(folder.path, `home-${date}T120000Z-r${day}-${reason}.etcd.age`), '');
  }
}

async function days(reason: string): Promise<readonly number[]> {
  const names = (await readdir(folder.path)).filter((name) => name.endsWith(`-${reason}.etcd.age`));
  return names.map((name) => Number(/-r(\d+)-/.exec(name)?.[1])).toSorted((one, other) => one - other);
}

describe('snapshots that are removed', () => {
  beforeEach(async () => {
    for (const reason of ['scheduled', 'asked', 'before-upgrade', 'of-another-version']) await write(reason, 12);
  });

  test('by the schedule are its own only, also when they are the newest', async () => {
    expect(await pruneSnapshots(folder, 'scheduled', 2, signal)).toHaveLength(10);
    expect(await days('scheduled')).toEqual([11, 12]);
    for (const reason of ['asked', 'before-upgrade', 'of-another-version']) expect(await days(reason)).toHaveLength(12);
  });

  test.each(['asked', 'before-upgrade'] as const)(
    'of those %s the newest 10 stay, whatever the schedule keeps',
    async (reason) => {
      expect(await pruneSnapshots(folder, reason, 1, signal)).toHaveLength(2);
      expect(await days(reason)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(await days('scheduled')).toHaveLength(12);
    },
  );
});

test('reading one that hangs ends when it is aborted', async () => {
  const pipe = join(folder.path, 'pipe.etcd.age');
  // Nobody writes into it, so whoever opens it is blocked.
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const closing = new AbortController();
  const reading = readSnapshot(pipe, folder.cipher, closing.signal);
  setTimeout(() => closing.abort(new Error('closing')), 200);
  try {
    await expect(reading).rejects.toThrow('closing');
  } finally {
    await writeFile(pipe, '');
  }
});
