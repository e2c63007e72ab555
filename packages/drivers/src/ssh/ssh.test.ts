import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Secret } from '@labwright/core/ports/secret';
import fc from 'fast-check';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatCommandLine } from './command-line.ts';
import { formatFingerprint, isPinnedHostKey } from './host-key.ts';
import { generateSshKey, parseSshIdentity, readOrCreateSshIdentity } from './identity.ts';
import { type SshTarget, runOverSsh } from './run.ts';

const run = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ssh-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('a command line', () => {
  it('is split by a real shell into the very same words', () => {
    const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
        // The NUL after each word keeps empty ones and newlines apart.
        const line = formatCommandLine(['printf', String.raw`%s\0`, ...words]);
        const { stdout } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
        expect(stdout.split('\0').slice(0, -1)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a key', () => {
  it('is one that OpenSSH reads, with the same public half', async () => {
    for (let count = 0; count < 8; count += 1) {
      const { privateKey, publicKey } = generateSshKey();
      const file = join(folder, `key-${count}`);
      await writeFile(file, privateKey.reveal(), { mode: 0o600 });
      const { stdout } = await run('ssh-keygen', ['-y', '-f', file]);
      expect(stdout.trim().split(' ').slice(0, 2)).toEqual(publicKey.split(' ').slice(0, 2));
    }
  });

  it('is always readable by ourselves', () => {
    for (let count = 0; count < 300; count += 1) {
      const made = generateSshKey();
      expect(parseSshIdentity(made.privateKey.reveal())?.publicKey).toBe(made.publicKey);
    }
  });

  it('has the fingerprint that ssh-keygen prints', async () => {
    const { publicKey } = generateSshKey();
    const file = join(folder, 'fingerprint.pub');
    await writeFile(file, `${publicKey}\n`);
    const { stdout } = await run('ssh-keygen', ['-lf', file]);
    const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
    expect(stdout.split(' ')[1]).toBe(formatFingerprint(blob));
    expect([isPinnedHostKey(publicKey, blob), isPinnedHostKey(formatFingerprint(blob), blob)]).toEqual([true, true]);
    expect(isPinnedHostKey(generateSshKey().publicKey, blob)).toBe(false);
    expect([isPinnedHostKey('', new Uint8Array()), isPinnedHostKey('ssh-ed25519', new Uint8Array())]).toEqual([
      false,
      false,
    ]);
  });

  it('is made once, by the first of several, for its owner only', async () => {
    const path = join(folder, 'new', 'id_ed25519');
    const identities = await Promise.all(Array.from({ length: 5 }, async () => await readOrCreateSshIdentity(path)));
    expect(new Set(identities.map((identity) => identity.publicKey)).size).toBe(1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'new'))).toEqual(['id_ed25519']);
    expect((await readOrCreateSshIdentity(path)).privateKey.reveal()).toBe(await readFile(path, 'utf8'));
  });

  it('that others may read, or that is none, is refused with the fix', async () => {
    const path = join(folder, 'open');
    await readOrCreateSshIdentity(path);
    await chmod(path, 0o644);
    await expect(readOrCreateSshIdentity(path)).rejects.toMatchObject({
      code: 'LW0005',
      fix: [`chmod 600 ${path}`, expect.any(String)],
    });
    await writeFile(path, 'not a key');
    await chmod(path, 0o600);
    await expect(readOrCreateSshIdentity(path)).rejects.toMatchObject({ code: 'LW0005' });
  });
});

const login = generateSshKey();
const hostKey = generateSshKey();

interface Peer {
  readonly port: number;
  readonly seen: string[];
  /** That it was asked to run. */
  readonly commands: string[];
  close(): Promise<void>;
}

/** ssh2's own server: runs what it is asked in a real shell; "seen" has every authentication request that reached it. */
async function openServer(): Promise<Peer> {
  const seen: string[] = [];
  const commands: string[] = [];
  const clients = new Set<{ end(): unknown }>();
  const known = ssh2.utils.parseKey(login.publicKey);
  if (known instanceof Error) throw known;
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey.reveal()] }, (client) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.on('authentication', (request) => {
      seen.push(`${request.method} ${request.username}`);
      if (request.method === 'publickey' && request.key.data.equals(known.getPublicSSH())) request.accept();
      else request.reject(['publickey']);
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        commands.push(command);
        if (command.startsWith('hang')) return;
        const child = execFile('sh', ['-c', command], (error, stdout, stderr) => {
          channel.stderr.write(stderr);
          channel.write(stdout);
          channel.exit(typeof error?.code === 'number' ? error.code : 0);
          channel.end();
        });
        if (child.stdin !== null) channel.pipe(child.stdin);
      });
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    commands,
    async close() {
      for (const client of clients) client.end();
      await promisify(server.close.bind(server))();
    },
  };
}

/** A way to a server that swallows everything from some moment on, as a machine that has lost its power does. */
async function openWay(to: number): Promise<{ readonly port: number; cut(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const way = createServer((from) => {
    const onwards = connect(to, '127.0.0.1');
    for (const socket of [from, onwards]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    from.pipe(onwards).pipe(from);
  });
  const listening = Promise.withResolvers<void>();
  way.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    port: (way.address() as AddressInfo).port,
    cut: () => {
      for (const socket of sockets) socket.unpipe();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await promisify(way.close.bind(way))();
    },
  };
}

// Against OpenSSH's server in the testbed, which brings one: ssh/openssh.net.test.ts.
describe('a command over SSH', () => {
  let peer: Peer | undefined;
  afterEach(async () => {
    await peer?.close();
    peer = undefined;
  });

  async function target(changes: Partial<SshTarget> = {}): Promise<SshTarget> {
    peer = await openServer();
    return {
      host: '127.0.0.1',
      port: peer.port,
      user: process.env['USER'] ?? 'root',
      privateKey: login.privateKey,
      hostKey: hostKey.publicKey,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
      ...changes,
    };
  }

  it('gives output, errors and exit code, and passes odd words and input on', async () => {
    const words = [
      'sh',
      '-c',
      'printf "%s|" "$@"; cat; echo "no" >&2; exit 7',
      'sh',
      "it's",
      '',
      'two words',
      '$HOME',
      'new\nline',
    ];
    const result = await runOverSsh(await target(), words, { stdin: 'from stdin' });
    expect(result).toEqual({ exitCode: 7, stdout: "it's||two words|$HOME|new\nline|from stdin", stderr: 'no\n' });
  });

  it('accepts the host key by its fingerprint', async () => {
    const fingerprint = formatFingerprint(Buffer.from(hostKey.publicKey.split(' ')[1] ?? '', 'base64'));
    expect((await runOverSsh(await target({ hostKey: fingerprint }), ['echo', 'ok'])).stdout).toBe('ok\n');
  });

  it('is not tried, nor the login, on a host with another key', async () => {
    await expect(runOverSsh(await target({ hostKey: generateSshKey().publicKey }), ['true'])).rejects.toMatchObject({
      code: 'LW3004',
      where: { shown: expect.stringMatching(/^SHA256:/) },
    });
    expect(peer?.seen).toEqual([]);
  });

  it('with a key the host does not know is a refused login', async () => {
    await expect(runOverSsh(await target({ privateKey: generateSshKey().privateKey }), ['true'])).rejects.toMatchObject(
      {
        code: 'LW3004',
        message: expect.stringMatching(/refused the login/),
      },
    );
  });
});

describe('a machine that does not answer', () => {
  const unreached = {
    host: '127.0.0.1',
    user: 'core',
    privateKey: login.privateKey,
    hostKey: hostKey.publicKey,
  } as const;

  it('is an error that says so', async () => {
    const gone = await openServer();
    await gone.close();
    const { port } = gone;
    const signal = new AbortController().signal;
    await expect(runOverSsh({ ...unreached, port, timeoutMs: 5_000, signal }, ['true'])).rejects.toMatchObject({
      code: 'LW3003',
      why: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  it('in the middle of a command is an error after the timeout, and earlier when aborted', async () => {
    const peer = await openServer();
    try {
      const signal = new AbortController().signal;
      await expect(
        runOverSsh({ ...unreached, port: peer.port, timeoutMs: 3_000, signal }, ['hang']),
      ).rejects.toMatchObject({
        code: 'LW3003',
        why: 'nothing came within 3000 ms of running hang',
      });
      const aborted = AbortSignal.timeout(2_000);
      await expect(
        runOverSsh({ ...unreached, port: peer.port, timeoutMs: 9_000, signal: aborted }, ['hang']),
      ).rejects.toMatchObject({ name: 'TimeoutError' });
    } finally {
      await peer.close();
    }
  });

  it('without closing the connection is noticed long before the time is over, and one that is only slow is not', async () => {
    const peer = await openServer();
    const way = await openWay(peer.port);
    try {
      const signal = new AbortController().signal;
      const call = { ...unreached, port: way.port, signal, askEveryMs: 50 };
      const slow = await runOverSsh({ ...call, timeoutMs: 20_000 }, ['sh', '-c', 'sleep 1; echo there']);
      expect(slow.stdout).toBe('there\n');
      const hanging = Promise.allSettled([runOverSsh({ ...call, timeoutMs: 20_000 }, ['hang'])]);
      await expect.poll(() => peer.commands).toContain('hang');
      way.cut();
      expect(await hanging).toMatchObject([
        { reason: { code: 'LW3003', why: 'nothing comes from it any more while running hang' } },
      ]);
    } finally {
      await way.close();
      await peer.close();
    }
  });

  it('never has its private key in what is printed', () => {
    expect(JSON.stringify({ ...unreached, key: new Secret(login.privateKey.reveal()) })).not.toContain(
      'OPENSSH PRIVATE KEY',
    );
  });
});
