// The command against a stand-in of the Labwright that serves: in which order it looks, asks, keeps and restores.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { paths, type RouterRestoreAnswer } from '@labwright/core/contract/contract';
import { readLab } from '@labwright/core/lab/read-lab';
import { systemRandom } from '@labwright/core/ports/system';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hardwareSocket } from '../folders.ts';
import { exitCodes, type ExitCode, type GlobalOptions, type Program } from '../program.ts';
import { makeScreen } from '../render/screen.test-data.ts';
import { readBackupFile, routerRestore } from './router-restore.ts';

const labText = `version: 1
lab: home
networks:
  lan: { cidr: 10.77.51.0/24, gateway: 10.77.51.1, machines: 10.77.51.16/28 }
hosts: { pve1: { address: 10.77.51.2, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: 10.77.51.1, password: { env: P }, manage: [dns] }
netboot: { mode: serve, address: 10.77.51.50 }
pools:
  workers: { firstVmId: 102, count: 2 }
`;
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
  let server: Server;
  let asked: string[] = [];
  /** What the stand-in has by the time of the backup. */
  let presentHash = hash;
  let answer = seen;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'restore-'));
    [asked, presentHash, answer] = [[], hash, seen];
    await writeFile(join(directory, 'lab.yaml'), labText);
    await mkdir(join(directory, 'kept'));
    await writeFile(join(directory, 'kept/old.xml'), '<pfsense>old</pfsense>');
    const socket = hardwareSocket({ cache: directory, state: directory }, await readLab(join(directory, 'lab.yaml')));
    await mkdir(dirname(socket), { recursive: true });
    server = createServer((incoming, outgoing) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () => {
        const { text, agreedTo } = JSON.parse(body) as { readonly text?: string; readonly agreedTo?: string };
        const isBackup = incoming.url === paths.routerBackup;
        asked.push(
          isBackup ? 'backup' : `${agreedTo === undefined ? 'look' : `restore ${agreedTo.slice(0, 3)}`} ${text}`,
        );
        const backup = { router: 'fw1', version: seen.version, hash: presentHash, text: '<pfsense>now</pfsense>' };
        outgoing.end(JSON.stringify(isBackup ? backup : agreedTo === undefined ? answer : { ...answer, done }));
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });

  const run = async (options: Partial<GlobalOptions>, typed?: string): Promise<{ code: ExitCode; text: string }> => {
    const screen = makeScreen({ columns: 80, rows: 24, isInteractive: false });
    const { signal } = new AbortController();
    const program: Program = {
      terminal: {
        ...screen,
        ask: async (question) => {
          screen.err(`${question}\n`);
          return await Promise.resolve(typed);
        },
      },
      environment: {},
      folders: { cache: directory, state: directory },
      directory,
      clock: { now: () => Date.UTC(2026, 10, 22, 17), monotonic: () => 0, sleep: async () => await Promise.resolve() },
      random: systemRandom,
      options: { json: false, yes: false, real: false, debug: false, withoutServe: false, ...options },
      interrupt: signal,
      signal,
    };
    const code = await routerRestore(program, { words: ['kept/old.xml'], flags: {} });
    return { code, text: screen.lines().join('\n') };
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
