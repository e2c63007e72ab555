// Secrets of a lab on hardware, as those who need them get them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encryptAge, makeAgeIdentity } from '@labwright/core/lab/age';
import { readLab } from '@labwright/core/lab/read-lab';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveOptionsOnHardware } from './hardware.ts';
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

async function readSecret(reference: { readonly age: string }): Promise<string> {
  const screen = makeScreen({ columns: 80, rows: 24, isInteractive: false });
  const program: Program = {
    terminal: screen,
    environment: { PROXMOX_TOKEN: 'labwright@pve!cli=11111111-2222-3333-4444-555555555555' },
    folders: { cache: join(folder, 'cache'), state: join(folder, 'state') },
    directory: folder,
    clock: systemClock,
    random: systemRandom,
    options: { json: false, yes: false, real: false, debug: false, withoutServe: false },
    interrupt: never,
    signal: never,
  };
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
