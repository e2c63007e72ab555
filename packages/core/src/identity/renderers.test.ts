import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { cidr } from '../addresses/ipv4.ts';
import { listBackEnds } from './back-ends.ts';
import { attemptIdentities, completeIdentity } from './identity.ts';
import { formatInventory } from './inventory.ts';
import { formatSshConfig } from './ssh-config.ts';

const pool = { firstVmId: 101, count: 1, nameTemplate: 'node{vmId}', overrides: {} };
const identities = [
  ...attemptIdentities({ block: cidr('10.1.1.0/28'), macPrefix: '02:1a:b0', baseVmId: 101 }, [
    { ...pool, name: 'control' },
    { ...pool, name: 'big-workers', firstVmId: 102, count: 2, overrides: { 103: { name: 'gitlab' } } },
  ]),
].flatMap((attempt) => completeIdentity(attempt) ?? []);
const options = { user: 'admin', knownHostsFile: '/var/lib/my lab/known_hosts', domain: 'home.arpa' };

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ssh-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe('ssh-config', () => {
  const config = formatSshConfig(identities, { ...options, identityFile: '~/.ssh/id_ed25519' });

  test('is one entry a machine and one for all', () => {
    expect(config).toBe(`Host node101 node101.home.arpa
  HostName 10.1.1.1
  HostKeyAlias node101

Host node102 node102.home.arpa
  HostName 10.1.1.2
  HostKeyAlias node102

Host gitlab gitlab.home.arpa
  HostName 10.1.1.3
  HostKeyAlias gitlab

Host node101 node101.home.arpa node102 node102.home.arpa gitlab gitlab.home.arpa
  User admin
  IdentityFile ~/.ssh/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile "/var/lib/my lab/known_hosts"
  StrictHostKeyChecking yes
`);
  });

  test.each(['node102', 'node102.home.arpa'])('ssh itself reads it for %s', async (name) => {
    const file = join(directory, 'config');
    await writeFile(file, config, { mode: 0o600 });
    const { stdout } = await promisify(execFile)('ssh', ['-G', '-F', file, name]);
    const settings = stdout.split('\n');
    expect(settings).toEqual(
      expect.arrayContaining([
        'user admin',
        'hostname 10.1.1.2',
        'hostkeyalias node102',
        'identityfile ~/.ssh/id_ed25519',
        'stricthostkeychecking true',
      ]),
    );
    expect(stdout).toMatch(/^userknownhostsfile .*\/var\/lib\/my lab\/known_hosts/m);
  });
});

describe('inventory', () => {
  test('groups machines by pool', () => {
    const inventory = parseYaml(formatInventory(identities, options)) as unknown;
    expect(inventory).toEqual({
      all: {
        children: {
          control: {
            hosts: { node101: { ansible_host: '10.1.1.1', labwright_vm_id: 101, labwright_mac: '02:1a:b0:00:01:01' } },
          },
          big_workers: {
            hosts: {
              node102: { ansible_host: '10.1.1.2', labwright_vm_id: 102, labwright_mac: '02:1a:b0:00:01:02' },
              gitlab: { ansible_host: '10.1.1.3', labwright_vm_id: 103, labwright_mac: '02:1a:b0:00:01:03' },
            },
          },
        },
        vars: {
          ansible_user: 'admin',
          ansible_ssh_common_args: "-o UserKnownHostsFile='/var/lib/my lab/known_hosts' -o StrictHostKeyChecking=yes",
        },
      },
    });
  });

  test('a pool cannot take the name of a group of Ansible', () => {
    const text = formatInventory(
      identities.map((identity) => ({ ...identity, pool: 'all' })),
      options,
    );
    expect(Object.keys((parseYaml(text) as { all: { children: object } }).all.children)).toEqual(['pool_all']);
  });
});

test('back ends are known by pool before a machine exists', () => {
  expect(listBackEnds(identities, ['control'])).toEqual([{ name: 'node101', address: '10.1.1.1', pool: 'control' }]);
  expect(listBackEnds(identities)).toHaveLength(3);
});
