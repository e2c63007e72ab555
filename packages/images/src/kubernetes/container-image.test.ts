import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packImage, type ImageSpec } from './container-image.ts';
import { ImageStore } from './image-store.ts';

const never = new AbortController().signal;
let folder: string;
let store: ImageStore;
let spec: ImageSpec;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-oci-'));
  store = await ImageStore.open(folder);
  await writeFile(join(folder, 'program'), 'a program');
  spec = {
    names: ['labwright.local/tool:1', 'labwright.local/tool:latest'],
    entries: [
      { kind: 'copy', path: 'usr/local/bin/tool', mode: 0o755, from: join(folder, 'program') },
      { kind: 'file', path: 'etc/tool', mode: 0o644, content: new TextEncoder().encode('x=1\n') },
      { kind: 'link', path: 'bin/tool', target: '/usr/local/bin/tool' },
      { kind: 'directory', path: 'tmp', mode: 0o1777 },
    ],
    entrypoint: ['/bin/tool'],
    labels: { made: 'here' },
  };
});

afterEach(async () => await rm(folder, { recursive: true, force: true }));

test('an image is the same bytes whenever it is packed, and is found by each of its names', async () => {
  const manifest = await packImage(store, spec, never);
  for (const name of spec.names) expect((await store.findManifest(name))?.digest).toBe(manifest.digest);
  const again = await packImage(
    await ImageStore.open(join(folder, 'other')),
    { ...spec, entries: spec.entries.toReversed() },
    never,
  );
  expect(again.digest).toBe(manifest.digest);
  expect(await store.readLabels(manifest)).toEqual({ made: 'here' });
});

test('tar reads the layer, and every blob has the digest of its name', async () => {
  const blobs = await store.listBlobs(await packImage(store, spec, never));
  expect(blobs).toHaveLength(3);
  for (const { digest, size } of blobs) {
    const content = await readFile(store.blobPath(digest));
    expect(content.length).toBe(size);
    expect(`sha256:${createHash('sha256').update(content).digest('hex')}`).toBe(digest);
  }
  const layer = blobs[2];
  if (layer === undefined) throw new Error('no layer');
  const { stdout } = await promisify(execFile)('tar', ['-tvf', store.blobPath(layer.digest), '--numeric-owner']);
  const listed = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').replace(/ 1970-01-01 00:00/, ''));
  expect(listed).toEqual([
    'drwxr-xr-x 0/0 0 bin',
    'lrwxrwxrwx 0/0 0 bin/tool -> /usr/local/bin/tool',
    'drwxr-xr-x 0/0 0 etc',
    '-rw-r--r-- 0/0 4 etc/tool',
    'drwxrwxrwt 0/0 0 tmp',
    'drwxr-xr-x 0/0 0 usr',
    'drwxr-xr-x 0/0 0 usr/local',
    'drwxr-xr-x 0/0 0 usr/local/bin',
    '-rwxr-xr-x 0/0 9 usr/local/bin/tool',
  ]);
});

test('a name can move on to another image', async () => {
  const first = await packImage(store, spec, never);
  const second = await packImage(store, { ...spec, names: ['labwright.local/tool:1'], entrypoint: ['/other'] }, never);
  expect((await store.findManifest('labwright.local/tool:1'))?.digest).toBe(second.digest);
  expect((await store.findManifest('labwright.local/tool:latest'))?.digest).toBe(first.digest);
});
