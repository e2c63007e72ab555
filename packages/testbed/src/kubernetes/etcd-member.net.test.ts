// The fixture's own parts: several members, a lost one, a grown cluster, and nothing left of a killed test.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from './authority.ts';
import { findPrograms } from './binaries.ts';
import { type EtcdMember, startEtcdMember } from './etcd-member.ts';
import { freePorts } from './process.ts';

const found = await findPrograms();

describe.skipIf(found.kind === 'missing')('etcd as plain processes', () => {
  let directory: string;
  const members: EtcdMember[] = [];

  beforeAll(async () => {
    directory = await mkdtemp('/run/etcd-');
  });
  afterAll(async () => {
    await Promise.all(members.map(async (member) => await member.process.end()));
    await rm(directory, { recursive: true, force: true });
  });

  test('grows by a member that was announced, and one of three may be lost', async () => {
    if (found.kind === 'missing') return;
    const { programs } = found;
    const authority = await makeAuthority(directory, 'etcd-ca');
    const start = async (name: string, ports?: { client: number; peer: number }): Promise<EtcdMember> => {
      const member = await startEtcdMember({
        programs,
        directory: join(directory, name),
        name,
        authority,
        others: members,
        state: members.length === 0 ? 'new' : 'existing',
        ...(ports === undefined ? {} : { ports }),
      });
      members.push(member);
      return member;
    };
    const first = await start('one');
    const etcdctl = async (...argv: readonly string[]): Promise<string> => {
      const own = join(directory, 'one');
      const trust = [`--cacert=${own}/etcd-ca.crt`, `--cert=${own}/client.crt`, `--key=${own}/client.key`];
      const endpoints = `--endpoints=${members.map(({ clientUrl }) => clientUrl).join(',')}`;
      return (await promisify(execFile)(programs.etcdctl, [endpoints, ...trust, ...argv])).stdout;
    };
    await etcdctl('put', 'key', 'value');
    for (const name of ['two', 'three']) {
      const [client = 0, peer = 0] = await freePorts(2);
      // Each addition is refused until the members have been connected for five seconds.
      const add = async (): Promise<string> =>
        await etcdctl('member', 'add', name, `--peer-urls=https://127.0.0.1:${peer}`).catch(
          (error: Error) => error.message,
        );
      await expect.poll(add, { timeout: 15_000, interval: 500 }).toMatch(/^Member .* added/);
      await start(name, { client, peer });
    }
    expect((await etcdctl('member', 'list')).trim().split('\n')).toHaveLength(3);
    await first.process.end();
    expect(await first.fetchUnhealth()).toContain('ECONNREFUSED');
    await members[2]?.waitUntilHealthy();
    expect(await etcdctl('get', 'key')).toBe('key\nvalue\n');
  });

  test('ends with a test that is killed', async () => {
    const program = join(directory, 'starter.ts');
    const source = join(import.meta.dirname, 'process.ts');
    await writeFile(
      program,
      `import { startProcess } from '${source}';\nconsole.log((await startProcess('x', ['sleep', '60'])).pid);\n`,
    );
    const starter = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
    const isThere = (): boolean => {
      try {
        return process.kill(Number(line), 0);
      } catch {
        return false;
      }
    };
    expect(isThere()).toBe(true);
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    await expect.poll(isThere).toBe(false);
  });
});
