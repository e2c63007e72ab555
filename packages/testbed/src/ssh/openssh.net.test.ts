// Our SSH client against OpenSSH's server, as every machine of a lab runs it: Debian's package, on a peer of the LAN.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { formatFingerprint } from '@labwright/drivers/ssh/host-key';
import { generateSshKey } from '@labwright/drivers/ssh/identity';
import { runOverSsh, type SshTarget } from '@labwright/drivers/ssh/run';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';

const login = generateSshKey();
const hostKey = generateSshKey();
const address = '10.77.30.2';
let folder: string;
/** What sshd logged, a line each. */
const log: string[] = [];
let stop: () => Promise<void>;

beforeAll(async () => {
  const lan = await makeLan('ssh-lan', '10.77.30.9/24');
  const peer = await lan.addPeer('sshd', '02:00:00:00:1e:02', `${address}/24`);
  folder = await mkdtemp(join(tmpdir(), 'sshd-'));
  await writeFile(join(folder, 'host_key'), hostKey.privateKey.reveal(), { mode: 0o600 });
  await writeFile(join(folder, 'authorized'), `${login.publicKey}\n`, { mode: 0o600 });
  const options = [
    `HostKey=${join(folder, 'host_key')}`,
    `AuthorizedKeysFile=${join(folder, 'authorized')}`,
    `ListenAddress=${address}`,
    'PidFile=none',
    'UsePAM=no',
    // The folder lies in /tmp, which others may write to.
    'StrictModes=no',
    'PermitRootLogin=prohibit-password',
    'PasswordAuthentication=no',
    'LogLevel=VERBOSE',
  ].flatMap((option) => ['-o', option]);
  // Its privilege separation wants a folder in /run, which is empty here.
  const command = ['sh', '-ec', 'mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e -f /dev/null "$@"', 'sh', ...options];
  const child = peer.spawn(command, { root: await peersRoot(), binds: [folder] });
  const exited = once(child, 'exit');
  stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  if (child.stderr === null) throw new Error('sshd has no log');
  const listening = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (line.startsWith('Server listening')) listening.resolve();
  });
  child.once('exit', () => listening.reject(new Error(`sshd ended:\n${log.join('\n')}`)));
  await listening.promise;
});

afterAll(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

function target(changes: Partial<SshTarget> = {}): SshTarget {
  return {
    host: address,
    port: 22,
    user: 'root',
    privateKey: login.privateKey,
    hostKey: hostKey.publicKey,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...changes,
  };
}

test('a command gives output, errors and exit code, and odd words and input are passed on', async () => {
  const script = 'printf "%s|" "$@"; cat; echo "no" >&2; exit 7';
  const words = ['sh', '-c', script, 'sh', "it's", '', 'two words', '$HOME', 'new\nline'];
  const result = await runOverSsh(target(), words, { stdin: 'from stdin' });
  expect(result).toEqual({ exitCode: 7, stdout: "it's||two words|$HOME|new\nline|from stdin", stderr: 'no\n' });
});

test('a large output arrives whole', async () => {
  const { stdout } = await runOverSsh(target(), ['head', '-c', '3000000', '/dev/zero']);
  expect(stdout).toHaveLength(3_000_000);
});

test('the host key is accepted by its fingerprint', async () => {
  const fingerprint = formatFingerprint(Buffer.from(hostKey.publicKey.split(' ')[1] ?? '', 'base64'));
  expect((await runOverSsh(target({ hostKey: fingerprint }), ['echo', 'ok'])).stdout).toBe('ok\n');
});

test('on a host with another key not even the login is tried', async () => {
  const from = log.length;
  const other = target({ hostKey: generateSshKey().publicKey, user: 'somebody' });
  await expect(runOverSsh(other, ['true'])).rejects.toMatchObject({
    code: 'LW3004',
    where: { shown: expect.stringMatching(/^SHA256:/) },
  });
  await expect.poll(() => log.slice(from).join('\n')).toMatch(/Connection (?:closed|reset)|Received disconnect/);
  expect(log.slice(from).filter((line) => line.includes('somebody'))).toEqual([]);
});

test('a key the host does not know is a refused login', async () => {
  await expect(runOverSsh(target({ privateKey: generateSshKey().privateKey }), ['true'])).rejects.toMatchObject({
    code: 'LW3004',
    message: expect.stringMatching(/refused the login/),
  });
});

test('a server that stops answering in the middle of a command is noticed before the time is over', async () => {
  // The session's process is stopped as if the machine were gone; it goes on afterwards, so that nothing of it is left.
  const script = 'kill -STOP "$PPID"; sleep 5; kill -CONT "$PPID"';
  const startedAt = performance.now();
  await expect(
    runOverSsh(target({ askEveryMs: 200, timeoutMs: 60_000 }), ['exec', 'sh', '-c', script]),
  ).rejects.toMatchObject({ code: 'LW3003', why: expect.stringMatching(/^nothing comes from it any more/) });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test('a command that says nothing for a while is waited for', async () => {
  const { stdout } = await runOverSsh(target({ askEveryMs: 100 }), ['sh', '-c', 'sleep 2; echo there']);
  expect(stdout).toBe('there\n');
});
