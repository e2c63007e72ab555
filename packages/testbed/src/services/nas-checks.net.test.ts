// Our questions to a NAS against real servers: nfs-ganesha, MariaDB and OpenSSH on the NAS of a rehearsal, asked from a laptop.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { ServiceKind } from '@labwright/core/lab/service-schema';
import { generateSshKey } from '@labwright/drivers/ssh/identity';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { writeNas } from '@labwright/rehearsal/nas/nas-device';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTopology, waitFor, type RunningTopology } from '../rehearsal/running-topology.ts';
import { nasClientsRoot, nasRoot } from '../roots.ts';
import type { NasQuestion } from './nas-client.ts';

const address = '10.77.43.20';
const key = generateSshKey();
const hostKey = generateSshKey();
const program = fileURLToPath(new URL('./nas-client.ts', import.meta.url));
const clients = '10.77.43.0/24';

let lab: RunningTopology;
let tools: string;

beforeAll(async () => {
  tools = await nasClientsRoot();
  lab = await startTopology({ makeDevices });
}, 60_000);
afterAll(async () => {
  await lab?.stop();
});

async function makeDevices(stateDirectory: string): Promise<readonly DeviceInput[]> {
  const nas = await writeNas({
    name: 'nas1',
    address,
    gateway: '10.77.43.1',
    resolver: '10.77.43.1',
    domain: 'home.arpa',
    tree: await nasRoot(),
    directory: join(stateDirectory, 'nas', 'nas1'),
    exports: [{ path: '/srv/first', clients }],
    folders: ['/srv/volumes', '/srv/snapshots'],
    database: { port: 3306, databases: [{ name: 'home', user: 'home', password: 'a-password' }] },
    ssh: { user: 'admin', port: 22, authorizedKeys: [key.publicKey], hostKey: hostKey.privateKey.reveal() },
  });
  return [{ name: 'gateway', address: '10.77.43.1' }, nas, { name: 'laptop', address: '10.77.43.50' }];
}

async function askAll(questions: readonly NasQuestion[]): Promise<readonly unknown[]> {
  const { output } = await lab.runOn('laptop', '/', [process.execPath, program, JSON.stringify(questions)]);
  return JSON.parse(output) as readonly unknown[];
}
const ask = async (question: NasQuestion): Promise<unknown> => (await askAll([question]))[0];
const login = () => ({ host: address, user: 'admin', hostKey: hostKey.publicKey, privateKey: key.privateKey.reveal() });
const exportsOf = (...paths: string[]) => paths.map((path) => ({ path, clients }));
const write = async (...paths: string[]) =>
  await ask({ ask: 'write', lab: 'home', rules: exportsOf(...paths), login: login() });
const read = async () => (await ask({ ask: 'read', lab: 'home', rules: [], login: login() })) as { text?: string };
const onNas = async (command: string) => {
  const script =
    'umask 077; printf "%s\\n" "$1" >/tmp/key-$$; shift; ssh -i /tmp/key-$$ "$@"; c=$?; rm /tmp/key-$$; exit $c';
  const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'];
  const words = ['sh', '-c', script, 'sh', key.privateKey.reveal().trimEnd(), ...options, `admin@${address}`, command];
  return await lab.runOn('laptop', tools, words);
};
const canMount = async (path: string) =>
  (await lab.runOn('laptop', tools, ['nfs-ls', `nfs://${address}${path}?version=4`])).exitCode === 0;

describe('an NFS server', () => {
  test('of version 4 is told', async () => {
    expect(await ask({ ask: 'nfs', address })).toEqual({ kind: 'serves' });
  });

  test.each([
    [22, 'not-nfs'],
    [3306, 'not-nfs'],
    [111, 'unreachable'],
  ])('is not at port %i: %s', async (port, kind) => {
    expect(await ask({ ask: 'nfs', address, port })).toMatchObject({ kind });
  });

  test('of an address that nobody has is unreachable', async () => {
    expect(await ask({ ask: 'nfs', address: '10.77.43.99' })).toMatchObject({ kind: 'unreachable' });
  });
});

describe('a database', () => {
  test('is known by its greeting', async () => {
    expect(await ask({ ask: 'service', kind: 'mariadb', address, port: 3306 })).toMatchObject({
      kind: 'well',
      what: expect.stringMatching(/^10\.11\..*MariaDB/),
    });
  });

  // Where a server resolves names, a hundred that hang up after its greeting make it shut out their host (max_connect_errors).
  test('is left by a login that it refuses, not by hanging up', async () => {
    const refusals = async (): Promise<number> => {
      const query = "SHOW GLOBAL STATUS LIKE 'Access_denied_errors'";
      const login = ['mariadb', `--host=${address}`, '--user=home', '--password=a-password', '-N', '-e', query];
      return Number(/\d+/.exec((await lab.runOn('laptop', tools, login)).output)?.[0]);
    };
    const before = await refusals();
    const answers = await ask({ ask: 'service', kind: 'mariadb', address, port: 3306, times: 120 });
    expect(new Set((answers as readonly { readonly kind: string }[]).map(({ kind }) => kind))).toEqual(
      new Set(['well']),
    );
    expect(await refusals()).toBe(before + 120);
  });

  test('of another kind, or none, is not taken for one', async () => {
    const at = (kind: ServiceKind, port: number) => ({ ask: 'service', kind, address, port }) as const;
    const answers = await askAll([
      ...[at('mariadb', 22), at('postgres', 22), at('redis', 22), at('mariadb', 2049)],
      ...[at('mariadb', 3307), at('other', 22)],
    ]);
    expect(answers).toMatchObject([
      ...Array.from({ length: 4 }, () => ({ kind: 'stranger' })),
      ...[{ kind: 'unreachable' }, { kind: 'well' }],
    ]);
  });
});

describe('exports of a Linux NAS', () => {
  test('are written once, and what was exported before stays', async () => {
    expect(await canMount('/srv/volumes')).toBe(false);
    expect(await write('/srv/volumes', '/srv/snapshots')).toBe('written');
    await waitFor('it can be mounted', 5_000, async () => await canMount('/srv/volumes'));
    expect(await canMount('/srv/first')).toBe(true);
    expect(await write('/srv/volumes', '/srv/snapshots')).toBe('same');
    expect((await read()).text).toMatch(
      /^# Written by Labwright for lab home;.*\n\/srv\/snapshots .*\n\/srv\/volumes .*\n$/,
    );
  });

  test('that go from the lab file are no longer given', async () => {
    expect(await write('/srv/volumes')).toBe('written');
    await waitFor('it cannot be mounted', 5_000, async () => !(await canMount('/srv/snapshots')));
    expect(await canMount('/srv/volumes')).toBe(true);
  });

  test('of a folder that is not there are refused before anything is written', async () => {
    const before = await read();
    expect(await write('/srv/volumes', '/srv/nowhere')).toMatchObject({
      error: { code: 'LW7007', what: expect.stringContaining('has no folder /srv/nowhere') },
    });
    expect(await read()).toEqual(before);
  });

  test('that the server does not take leave those of before', async () => {
    const before = await read();
    // Somebody's own file is broken: exportfs refuses all of them.
    await onNas("echo '/srv/gone *(rw)' | sudo tee /etc/exports.d/theirs.exports");
    expect(await write('/srv/volumes', '/srv/snapshots')).toMatchObject({
      error: { code: 'LW7007', why: expect.stringContaining('/srv/gone') },
    });
    expect(await read()).toEqual(before);
    expect((await onNas('ls /etc/exports.d; cat /etc/exports.d/theirs.exports')).output).toBe(
      'labwright.exports\nrehearsal.exports\ntheirs.exports\n/srv/gone *(rw)\n',
    );
    await onNas('sudo rm /etc/exports.d/theirs.exports; sudo exportfs -ra');
    expect(await canMount('/srv/volumes')).toBe(true);
  });

  test('in a file of another lab are left alone', async () => {
    const other = (await read()).text?.replace('lab home', 'lab work') ?? '';
    await onNas(`echo '${other.trimEnd()}' | sudo tee /etc/exports.d/labwright.exports >/dev/null`);
    expect(await write('/srv/snapshots')).toMatchObject({
      error: { code: 'LW7007', what: expect.stringContaining('is not of this lab') },
    });
    expect((await read()).text).toContain('lab work');
  });

  test('are not written with another host key', async () => {
    const stranger = { ...login(), hostKey: generateSshKey().publicKey };
    expect(await ask({ ask: 'write', lab: 'home', rules: [], login: stranger })).toMatchObject({
      error: { code: 'LW3004' },
    });
  });
});
