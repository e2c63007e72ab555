// The NAS of a rehearsal with its real servers, used by clients of other people from another device: files over NFS, a database,
// and SSH, by which a product administers it.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSshKey } from '@labwright/drivers/ssh/identity';
import { writeNas } from '@labwright/rehearsal/nas/nas-device';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nasClientsRoot, nasRoot } from '../roots.ts';
import { startTopology, waitFor, type CommandResult, type RunningTopology } from './running-topology.ts';

const address = '10.77.41.20';
const password = "it's \\ a password";
const login = generateSshKey();
const hostKey = generateSshKey();
const exported = '/volume1/home';

let lab: RunningTopology;
let clients: string;
let tree: string;

beforeAll(async () => {
  [clients, tree] = await Promise.all([nasClientsRoot(), nasRoot()]);
  const startedAt = performance.now();
  lab = await startTopology({ makeDevices });
  console.log(`the NAS serves after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}, 60_000);
afterAll(async () => {
  await lab?.stop();
});

async function makeDevices(stateDirectory: string): Promise<readonly DeviceInput[]> {
  const nas = await writeNas({
    name: 'nas1',
    address,
    gateway: '10.77.41.1',
    resolver: '10.77.41.1',
    domain: 'home.arpa',
    tree: await nasRoot(),
    directory: join(stateDirectory, 'nas', 'nas1'),
    exports: [{ path: exported, clients: '10.77.41.0/24' }],
    folders: ['/srv/more', '/backup/etcd'],
    database: { port: 3307, databases: [{ name: 'home', user: 'home', password }] },
    ssh: { user: 'admin', port: 2222, authorizedKeys: [login.publicKey], hostKey: hostKey.privateKey.reveal() },
  });
  const gateway = { name: 'gateway', address: '10.77.41.1' };
  return [gateway, nas, { name: 'laptop', address: '10.77.41.50' }, { name: 'elsewhere', address: '10.77.42.50' }];
}

const use = (...command: string[]): Promise<CommandResult> => lab.runOn('laptop', clients, command);
const url = (path: string): string => `nfs://${address}${path}?version=4`;
const query = (statement: string, secret = password): Promise<CommandResult> =>
  use(
    'mariadb',
    `--host=${address}`,
    '--port=3307',
    '--user=home',
    `--password=${secret}`,
    '--batch',
    '-e',
    statement,
    'home',
  );
const knowsHost = `KnownHostsCommand=/bin/echo [${address}]:2222 ${hostKey.publicKey}`;
const ssh = ['ssh', '-p', '2222', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-o', knowsHost];
// The client sees its own tree only: the key is written there for the length of the command.
const withKey =
  'umask 077; file=/tmp/login-$$; printf "%s\\n" "$1" >$file; shift; "$@" -i $file "admin@$host" "$command"; code=$?; ' +
  'rm $file; exit $code';
const onNas = (command: string): Promise<CommandResult> =>
  use(
    'env',
    `host=${address}`,
    `command=${command}`,
    'sh',
    '-c',
    withKey,
    'sh',
    login.privateKey.reveal().trimEnd(),
    ...ssh,
  );

describe('files', () => {
  it('are written and read over NFS, as the user who wrote them', async () => {
    expect(await use('nfs-cp', '/etc/debian_version', url(`${exported}/version`))).toMatchObject({ exitCode: 0 });
    const there = join(lab.stateDirectory, 'nas', 'nas1', 'files', exported, 'version');
    expect(await readFile(there, 'utf8')).toBe(await readFile(join(clients, 'etc/debian_version'), 'utf8'));
    expect(await stat(there)).toMatchObject({ uid: 0, gid: 0 });
    expect((await use('nfs-cat', url(`${exported}/version`))).output).toMatch(/^12\./);
  });

  it('are not given to a network that is not named', async () => {
    expect((await lab.runOn('elsewhere', clients, ['nfs-ls', url(exported)])).exitCode).not.toBe(0);
  });

  it('are there after the server was killed', async () => {
    process.kill(await lab.findPid('nas1', /ganesha/), 'SIGKILL');
    await expect
      .poll(async () => (await use('nfs-cat', url(`${exported}/version`))).exitCode, { timeout: 15_000 })
      .toBe(0);
  });
});

describe('the database', () => {
  it('takes its user with the password of the state, and nobody without', async () => {
    expect(await query('CREATE TABLE t (n INT); INSERT INTO t VALUES (7); SELECT n FROM t')).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining('7'),
    });
    expect((await query('SELECT 1', 'wrong')).output).toContain('Access denied');
    expect(
      (await use('mariadb', `--host=${address}`, '--port=3307', '--user=root', '-e', 'SELECT 1')).exitCode,
    ).not.toBe(0);
  });

  it('has its rows after it was killed', async () => {
    process.kill(await lab.findPid('nas1', /^mariadbd/), 'SIGKILL');
    await expect
      .poll(() => query('SELECT n FROM t'), { timeout: 20_000 })
      .toMatchObject({ exitCode: 0, output: expect.stringContaining('7') });
  });

  it('is small', async () => {
    const status = await readFile(`/proc/${await lab.findPid('nas1', /^mariadbd/)}/status`, 'utf8');
    const mebibytes = Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    console.log(`MariaDB has ${mebibytes.toFixed(0)} MiB`);
    expect(mebibytes).toBeLessThan(150);
  });
});

describe('over SSH', () => {
  it('another folder is exported and taken back, by what a Linux NAS understands', async () => {
    const line = '/srv/more 10.77.41.0/24(rw,no_root_squash) 10.77.41.60(ro)';
    const add = `sudo mkdir -p /srv/more && echo '${line}' | sudo tee /etc/exports.d/more.exports && sudo exportfs -ra`;
    expect(await onNas(add)).toMatchObject({ exitCode: 0 });
    expect((await onNas('sudo exportfs -v')).output).toBe(
      '/srv/more\t10.77.41.0/24(rw,no_root_squash)\n/srv/more\t10.77.41.60(ro)\n' +
        `${exported}\t10.77.41.0/24(rw,sync,no_root_squash,no_subtree_check)\n`,
    );
    const isExported = async (): Promise<boolean> => (await use('nfs-ls', url('/srv/more'))).exitCode === 0;
    await waitFor('it is exported', 5000, isExported);
    // What was exported before stays so.
    expect((await use('nfs-cat', url(`${exported}/version`))).exitCode).toBe(0);
    await onNas("echo '/backup/etcd *(rw)' | sudo tee /etc/exports.d/more.exports && sudo exportfs -ra");
    await waitFor(
      'one outside of the volumes too',
      5000,
      async () => (await use('nfs-ls', url('/backup/etcd'))).exitCode === 0,
    );
    await waitFor('it is not any more', 5000, async () => !(await isExported()));
  });

  it('an export of a folder that is not there is refused, and nothing changes', async () => {
    const add = "echo '/srv/nowhere *(rw)' | sudo tee /etc/exports.d/bad.exports >/dev/null; sudo exportfs -ra";
    expect(await onNas(add)).toMatchObject({ exitCode: 1, output: expect.stringContaining('/srv/nowhere') });
    await onNas('sudo rm /etc/exports.d/bad.exports');
    expect((await use('nfs-cat', url(`${exported}/version`))).exitCode).toBe(0);
  });

  it('another key is refused', async () => {
    expect((await use(...ssh, `admin@${address}`, 'id')).output).toContain('Permission denied');
  });
});

it('leaves the root in the cache as it was', async () => {
  expect(await readdir(join(tree, 'etc/exports.d')).catch(() => [])).toEqual([]);
  expect(await readdir(join(tree, 'srv'))).toEqual([]);
  await expect(stat(join(tree, 'usr/sbin/exportfs'))).rejects.toThrow('ENOENT');
});
