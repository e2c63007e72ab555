import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureFolder } from './folder.ts';

let top: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'folder-'));
});
afterEach(async () => {
  await rm(top, { recursive: true });
});

describe('a folder', () => {
  test('is made with those above it, all of its mode, and may be there', async () => {
    await ensureFolder(join(top, 'a/b'), { mode: 0o700 });
    await ensureFolder(join(top, 'a/b'), { mode: 0o755 });
    for (const part of ['a', 'a/b']) expect((await stat(join(top, part))).mode & 0o777).toBe(0o700);
  });

  test('is made once, however many ask', async () => {
    const asked = Array.from({ length: 20 }, async (_, at) => await ensureFolder(join(top, 'x/y/z', String(at % 2))));
    await expect(Promise.all(asked)).resolves.toHaveLength(20);
  });

  test('is refused where a file is, or is above it', async () => {
    await writeFile(join(top, 'file'), '');
    await expect(ensureFolder(join(top, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(ensureFolder(join(top, 'file/a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test.each(['/proc/labwright', '/proc/labwright/labs/home'])(
    'is refused at once where none can be: %s',
    async (path) => {
      await expect(ensureFolder(path)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );
});
