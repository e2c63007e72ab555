// Secrets of a lab on hardware, as those who need them get them.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptAge, makeAgeIdentity } from '@labwright/core/lab/age';
import { readLab } from '@labwright/core/lab/read-lab';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRouterLogin, serveOptionsOnHardware } from './hardware.ts';
import type { Program } from './program.ts';
import { makeScreen } from './render/screen.test-data.ts';

let folder: string;
let identity: Secret;
const never = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hardware-'));
  identity = await makeAgeIdentity(systemClock.now());
  await writeFile(join(folder, 'identity'), identity.reveal(), { mode: 0o600 });
  const lab = {
    version: 1,
    lab: 'home',
    networks: { lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28' } },
    hosts: { pve1: { address: '10.1.0.11', cores: 12, memory: '24GiB' } },
    proxmox: { token: { env: 'PROXMOX_TOKEN' } },
    netboot: { address: '10.1.0.9' },
    pools: { control: { role: 'control-plane' } },
    secrets: { identityFile: 'identity' },
    kubernetes: {
      version: '1.35.4',
      endpoint: { address: '10.1.0.10' },
      secrets: { db: { data: { password: { age: 'db' } } } },
    },
  };
  await writeFile(join(folder, 'lab.yaml'), JSON.stringify(lab));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function makeProgram(environment: Program['environment']): Program {
  return {
    terminal: makeScreen({ columns: 80, rows: 24, isInteractive: false }),
    environment,
    folders: { cache: join(folder, 'cache'), state: join(folder, 'state') },
    directory: folder,
    clock: systemClock,
    random: systemRandom,
    options: { json: false, yes: false, real: false, debug: false, withoutServe: false },
    interrupt: never,
    signal: never,
  };
}

async function readSecret(reference: { readonly age: string }): Promise<string> {
  const program = makeProgram({ PROXMOX_TOKEN: 'labwright@pve!cli=11111111-2222-3333-4444-555555555555' });
  const labFile = await readLab(join(folder, 'lab.yaml'), 'lab.yaml');
  const options = await serveOptionsOnHardware(program, labFile, { boot: false, log: silentLog });
  const secret = await options.serviceSources?.readSecret(reference, 'kubernetes.secrets.db.data.password');
  return secret?.reveal() ?? '';
}

test('a Secret of the cluster comes from the encrypted file, though the login for Proxmox does not', async () => {
  const write = async (text: string): Promise<void> =>
    await writeFile(join(folder, 'secrets.age'), await encryptAge(new Secret(text), identity));
  await expect(readSecret({ age: 'db' })).rejects.toMatchObject({ code: 'LW1003' });
  await write('db: battery-staple');
  expect(await readSecret({ age: 'db' })).toBe('battery-staple');
  await expect(readSecret({ age: 'other' })).rejects.toThrow('kubernetes.secrets.db.data.password');
});

test('a router of which nothing is managed is logged in to when its secret is at hand, and asked for by nobody else', async () => {
  const file = join(folder, 'router.yaml');
  const read = async (manage: string, environment: Program['environment']) => {
    const text = await readFile(join(folder, 'lab.yaml'), 'utf8');
    const router = { kind: 'pfsense', address: '10.1.0.1', password: { env: 'P' }, manage: manage.split(' ').slice(1) };
    await writeFile(file, JSON.stringify({ ...(JSON.parse(text) as object), router }));
    return await readRouterLogin(makeProgram(environment), await readLab(file, 'router.yaml'), silentLog);
  };
  expect((await read('', { P: 'secret' })).routerLogin?.password.reveal()).toBe('secret');
  expect(await read('', {})).toEqual({});
  await expect(read(' dns', {})).rejects.toMatchObject({ code: 'LW1003' });
});
