// The command against a stand-in of the Labwright that serves: what is agreed to is what was shown.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RouterAdoptAnswer } from '@labwright/core/contract/contract';
import { readLab } from '@labwright/core/lab/read-lab';
import { systemRandom } from '@labwright/core/ports/system';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hardwareSocket } from '../folders.ts';
import { exitCodes, type ExitCode, type GlobalOptions, type Program } from '../program.ts';
import { makeScreen } from '../render/screen.test-data.ts';
import { routerAdopt } from './router.ts';

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
const seen: RouterAdoptAnswer = {
  router: 'fw1',
  place: 'unbound/hosts',
  before: 'host=web, domain=svc, ip=10.77.51.9',
  after: 'host=web, domain=svc, ip=10.77.51.100',
  hash: 'a'.repeat(64),
  isDone: false,
};

describe('router adopt', () => {
  let directory = '';
  let server: Server;
  let asked: unknown[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'adopt-'));
    asked = [];
    await writeFile(join(directory, 'lab.yaml'), labText);
    const socket = hardwareSocket({ cache: directory, state: directory }, await readLab(join(directory, 'lab.yaml')));
    await mkdir(dirname(socket), { recursive: true });
    server = createServer((incoming, outgoing) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () => {
        const request = JSON.parse(body) as { readonly agreedTo?: string };
        asked.push(request);
        outgoing.end(JSON.stringify({ ...seen, isDone: request.agreedTo !== undefined }));
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
      terminal: { ...screen, ask: async () => await Promise.resolve(typed) },
      environment: {},
      folders: { cache: directory, state: directory },
      directory,
      clock: { now: () => 0, monotonic: () => 0, sleep: async () => await Promise.resolve() },
      random: systemRandom,
      options: { json: false, yes: false, real: false, debug: false, withoutServe: false, ...options },
      interrupt: signal,
      signal,
    };
    const code = await routerAdopt(program, { words: ['web.svc'], flags: {} });
    return { code, text: screen.lines().join('\n') };
  };
  const all = [{ name: 'web.svc' }, { name: 'web.svc', agreedTo: seen.hash }];

  test('agrees to the entry that was shown, and to no other', async () => {
    expect(await run({}, 'y')).toMatchObject({ code: exitCodes.done, text: expect.stringContaining('ip=10.77.51.9') });
    expect(asked).toEqual(all);
    const { text } = await run({ yes: true, json: true });
    expect(JSON.parse(text)).toEqual({ ...seen, hash: undefined, isDone: true });
    expect(asked).toEqual([...all, ...all]);
  });

  test('is not agreed to by anything else, nor by nobody', async () => {
    await expect(run({}, 'n')).rejects.toMatchObject({ code: 'LW0003' });
    await expect(run({})).rejects.toMatchObject({ code: 'LW0002' });
    expect(asked).toEqual([all[0], all[0]]);
  });
});
