// `cluster restore` of what is no file ends before there is a lab: none is in the folder, and with a file that is what is told.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Program } from '../program.ts';
import { makeScreen } from '../render/screen.test-data.ts';
import { clusterRestore } from './cluster-life.ts';

let directory = '';
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'life-'))));
afterAll(async () => await rm(directory, { recursive: true }));

async function restore(file: string): Promise<unknown> {
  const { signal } = new AbortController();
  const program: Program = {
    terminal: {
      ...makeScreen({ columns: 80, rows: 24, isInteractive: false }),
      ask: async () => await Promise.resolve(undefined),
    },
    environment: {},
    folders: { cache: directory, state: directory },
    directory,
    clock: systemClock,
    random: systemRandom,
    options: { json: false, yes: false, real: false, debug: false, withoutServe: false },
    interrupt: signal,
    signal,
  };
  return await clusterRestore(program, { words: [file], flags: {} }).catch((error: unknown) => error);
}

test('a file that is not there, or is a folder, is told of before the lab is looked for', async () => {
  const file = join(directory, 'none.age');
  expect(await restore('none.age')).toMatchObject({ code: 'LW0005', where: { file } });
  expect(await restore('.')).toMatchObject({ code: 'LW0005', why: 'it is no file' });
  await writeFile(join(directory, 'there.age'), '');
  expect(await restore('there.age')).toMatchObject({ code: 'LW1001' });
});
