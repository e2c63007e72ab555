// The command against a stand-in of the Labwright that serves: in which order it looks, asks, keeps and restores.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paths, type RouterRestoreAnswer } from '@labwright/core/contract/contract';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exitCodes, type ExitCode, type GlobalOptions } from '../program.ts';
import { readBackupFile, routerRestore } from './router-restore.ts';
import { serveLab, type ServedLab } from './served-lab.test-data.ts';

const hash = 'a'.repeat(64);
const seen: RouterRestoreAnswer = {
  router: 'fw1',
  version: '2.7.2-RELEASE',
  madeAt: null,
  hash,
  sections: [{ section: 'unbound', added: [], changed: ['hosts photos.home.arpa'], removed: [] }],
  afterReboot: [],
  notes: [],
};
const done = { failed: {}, slipped: [], ownBackup: '/cf/conf/backup/config-1.xml' };

describe('router restore', () => {
  let directory = '';
  let lab: ServedLab;
  let asked: string[] = [];
  /** What the stand-in has by the time of the backup. */
  let presentHash = hash;
  let answer = seen;

  beforeEach(async () => {
    [asked, presentHash, answer] = [[], hash, seen];
    lab = await serveLab((path, body) => {
      const { text, agreedTo } = body as { readonly text?: string; readonly agreedTo?: string };
      if (path === paths.routerBackup) {
        asked.push('backup');
        return { router: 'fw1', version: seen.version, hash: presentHash, text: '<pfsense>now</pfsense>' };
      }
      asked.push(`${agreedTo === undefined ? 'look' : `restore ${agreedTo.slice(0, 3)}`} ${text}`);
      return agreedTo === undefined ? answer : { ...answer, done };
    });
    ({ directory } = lab);
    await mkdir(join(directory, 'kept'));
    await writeFile(join(directory, 'kept/old.xml'), '<pfsense>old</pfsense>');
  });
  afterEach(async () => await lab.close());

  const run = async (options: Partial<GlobalOptions>, typed?: string): Promise<{ code: ExitCode; text: string }> => {
    const { program, lines } = lab.open(options, typed);
    const code = await routerRestore(program, { words: ['kept/old.xml'], flags: {} });
    return { code, text: lines().join('\n') };
  };
  const all = ['look <pfsense>old</pfsense>', 'backup', 'restore aaa <pfsense>old</pfsense>'];

  test('looks, asks for the name of the lab, keeps what is there beside the file, and restores', async () => {
    const { code, text } = await run({}, 'home');
    expect(code).toBe(exitCodes.done);
    expect(asked).toEqual(all);
    expect(text.replaceAll('\n', ' ')).toContain('This loses what was changed on fw1 since that backup');
    expect(text.replaceAll('\n', '')).toContain('/kept/fw1-20261122T170000Z.xml');
    const kept = join(directory, 'kept/fw1-20261122T170000Z.xml');
    expect(await readFile(kept, 'utf8')).toBe('<pfsense>now</pfsense>');
    expect((await stat(kept)).mode & 0o777).toBe(0o600);
  });

  test('is not agreed to by anything else, nor by nobody', async () => {
    await expect(run({}, 'y')).rejects.toMatchObject({ code: 'LW0003' });
    await expect(run({})).rejects.toMatchObject({ code: 'LW0002' });
    expect(asked).toEqual([all[0], all[0]]);
    expect(await readdir(join(directory, 'kept'))).toEqual(['old.xml']);
  });

  test('--yes is enough for scripts, and not with --real', async () => {
    await expect(run({ yes: true, real: true })).rejects.toMatchObject({ code: 'LW0002' });
    expect((await run({ yes: true, json: true })).text).toContain('"ownBackup"');
    expect(asked).toEqual([all[0], ...all]);
  });

  test('a router that was changed meanwhile is not touched, and nothing is kept', async () => {
    presentHash = 'b'.repeat(64);
    await expect(run({}, 'home')).rejects.toMatchObject({ code: 'LW8007' });
    expect(asked).toEqual(all.slice(0, 2));
    expect(await readdir(join(directory, 'kept'))).toEqual(['old.xml']);
  });

  test('with nothing to restore nobody is asked', async () => {
    answer = { ...seen, sections: [] };
    expect((await run({})).text).toContain('there is nothing to restore');
    expect(asked).toEqual([all[0]]);
  });

  test('a file that is not there, too large or no text is told', async () => {
    await expect(readBackupFile(join(directory, 'none.xml'))).rejects.toMatchObject({ code: 'LW0005' });
    await expect(readBackupFile(directory)).rejects.toMatchObject({ code: 'LW0005' });
    await writeFile(join(directory, 'latin1.xml'), Buffer.from('<pfsense>\xe9</pfsense>', 'latin1'));
    await expect(readBackupFile(join(directory, 'latin1.xml'))).rejects.toMatchObject({ code: 'LW8012' });
    await writeFile(join(directory, 'large.xml'), Buffer.alloc(32 * 1024 * 1024 + 1));
    await expect(readBackupFile(join(directory, 'large.xml'))).rejects.toMatchObject({
      code: 'LW8012',
      why: 'it is larger than 32 MiB',
    });
  });
});
