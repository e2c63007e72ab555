import { mkdtemp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ensureDebianRoot, mmdebstrapArguments, rootKey } from './debian-root.ts';
import { buildFailure } from './program.ts';

test('the key follows packages, suite and kind, not their order or the name', () => {
  const key = rootKey({ name: 'a', packages: ['curl', 'zstd'] });
  expect(rootKey({ name: 'b', packages: ['zstd', 'curl', 'zstd'], suite: 'bookworm' })).toBe(key);
  expect(rootKey({ name: 'a', packages: ['curl'] })).not.toBe(key);
  expect(rootKey({ name: 'a', packages: ['curl', 'zstd'], suite: 'trixie' })).not.toBe(key);
  expect(rootKey({ name: 'a', packages: ['curl', 'zstd'], kind: 'files' })).not.toBe(key);
});

test('a root that is there is not built again', async () => {
  const cacheDir = await mkdtemp(join(tmpdir(), 'labwright-cache-'));
  onTestFinished(async () => await rm(cacheDir, { recursive: true }));
  const spec = { name: 'tools', packages: ['curl'] };
  const directory = join(cacheDir, 'debian-roots', `tools-${rootKey(spec)}`);
  await mkdir(directory, { recursive: true });
  const context = { cacheDir, signal: new AbortController().signal, onProgress: () => expect.unreachable() };
  expect(await ensureDebianRoot(spec, context)).toEqual({ directory, key: rootKey(spec) });
});

// Building needs root, and says so otherwise.
test.runIf(process.getuid?.() === 0)(
  'a build that fails leaves nothing and tells the last lines',
  { timeout: 60_000 },
  async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), 'labwright-cache-'));
    onTestFinished(async () => await rm(cacheDir, { recursive: true }));
    const spec = { name: 'broken', packages: ['no-such-package-anywhere'], kind: 'files' as const };
    await mkdir(join(cacheDir, 'debian-roots', `broken-${rootKey(spec)}.building-1`), { recursive: true });
    await writeFile(join(cacheDir, 'debian-roots', `broken-${rootKey(spec)}.lock`), '{"pid":1,"startTime":"no"}');
    const building = ensureDebianRoot(spec, {
      cacheDir,
      signal: AbortSignal.timeout(50_000),
      onProgress: () => undefined,
    });
    await expect(building).rejects.toMatchObject({ code: 'LW4002' });
    await expect(building).rejects.toSatisfy((error: { log: string[] }) =>
      error.log.some((line) => line.includes('no-such-package-anywhere')),
    );
    expect((await readdir(join(cacheDir, 'debian-roots'))).filter((name) => !name.endsWith('.lock'))).toEqual([]);
  },
);

test('sources are given to mmdebstrap as they are', () => {
  const args = mmdebstrapArguments({ name: 'x', packages: ['b', 'a'] }, '/cache/x', [
    'deb http://mirror.example/debian bookworm main',
  ]);
  expect(args.slice(-4)).toEqual([
    '--include=a,b',
    'bookworm',
    '/cache/x',
    'deb http://mirror.example/debian bookworm main',
  ]);
});

test('a full disk is called so', () => {
  expect(buildFailure('it failed', 'exit code 1', ['tar: write error: No space left on device']).why).toMatch(
    /is full/,
  );
});
