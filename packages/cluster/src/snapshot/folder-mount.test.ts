import { mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { assertFolderMounted, findMount } from './folder-mount.ts';

const { signal } = new AbortController();
let top = '';
beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), 'mount-')));
  await mkdir(join(top, 'nas'));
});
afterEach(async () => await rm(top, { recursive: true, force: true }));

const root = '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw';
const line = (point: string, type = 'nfs4', source = '10.1.0.20:/volume1/etcd') =>
  `90 22 0:51 / ${point} rw,relatime shared:9 - ${type} ${source} rw,vers=4.2`;
const snapshots = { nas: 'nas1', address: '10.1.0.20', path: '/volume1/etcd' };

const check = async (lines: readonly string[], overrides: { readonly exports?: readonly (typeof snapshots)[] } = {}) =>
  await assertFolderMounted({
    folder: join(top, 'nas/etcd'),
    exports: [],
    memory: join(top, 'memory.json'),
    signal,
    readMounts: async () => [root, ...lines, ''].join('\n'),
    ...overrides,
  });

describe('a folder of snapshots', () => {
  test('on the local disk from the beginning is as good as any', async () => {
    await check([]);
    await expect(check([])).resolves.toBeUndefined();
  });

  test('that was on a mount is refused while that is gone, and taken again when it is back', async () => {
    await check([line(join(top, 'nas'))]);
    for (const lines of [[], [line(join(top, 'nas'), 'autofs', 'systemd-1')], [line(top, 'ext4', '/dev/sdb1')]]) {
      await expect(check(lines)).rejects.toMatchObject({
        code: 'LW0005',
        why: expect.stringContaining(`the mount ${join(top, 'nas')}, which is not there`),
        fix: [`sudo mount ${join(top, 'nas')}`, expect.anything(), expect.stringContaining('memory.json')],
      });
    }
    await check([line(join(top, 'nas'))]);
    // Not made while nothing is mounted, and not by looking either.
    await expect(readFile(join(top, 'nas/etcd'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('may be turned to local disk: the way out that the refusal names', async () => {
    await check([line(join(top, 'nas'))]);
    await rm(join(top, 'memory.json'));
    await expect(check([])).resolves.toBeUndefined();
  });

  test('another folder has no past, and a mount of its own below the former is one', async () => {
    await check([line(join(top, 'nas'))]);
    await assertFolderMounted({
      folder: join(top, 'elsewhere'),
      exports: [],
      memory: join(top, 'memory.json'),
      signal,
      readMounts: async () => root,
    });
    await mkdir(join(top, 'nas/etcd'));
    await expect(check([line(join(top, 'nas/etcd'))])).resolves.toBeUndefined();
  });

  test('is looked for behind links', async () => {
    await symlink(join(top, 'nas'), join(top, 'link'));
    const look = async (lines: readonly string[]) =>
      await assertFolderMounted({
        folder: join(top, 'link/etcd'),
        exports: [],
        memory: join(top, 'memory.json'),
        signal,
        readMounts: async () => [root, ...lines].join('\n'),
      });
    await look([line(join(top, 'nas'))]);
    await expect(look([])).rejects.toMatchObject({ code: 'LW0005' });
  });

  test('with an export for snapshots has to be on a network mount, from the first one on', async () => {
    const exports = [snapshots];
    await expect(check([], { exports })).rejects.toMatchObject({
      code: 'LW0005',
      why: expect.stringMatching(/nas1 exports \/volume1\/etcd for snapshots, and the folder is on \/ \(ext4/),
      fix: expect.arrayContaining([expect.stringContaining('mount -t nfs 10.1.0.20:/volume1/etcd')]),
    });
    await check([line(join(top, 'nas'))], { exports });
  });
});

test('the table of mounts is read as the system writes it', async () => {
  expect(findMount(await readFile('/proc/self/mountinfo', 'utf8'), '/proc/self')).toMatchObject({
    point: '/proc',
    type: 'proc',
  });
  const table = [root, line(String.raw`/mnt/my\040nas`), line('/mnt/my', 'ext4', '/dev/sdb')].join('\n');
  expect(findMount(table, '/mnt/my nas/etcd')).toMatchObject({ point: '/mnt/my nas', type: 'nfs4' });
  expect(findMount(table, '/mnt/mine')).toMatchObject({ point: '/' });
  expect(findMount('', '/mnt')).toBeUndefined();
});
