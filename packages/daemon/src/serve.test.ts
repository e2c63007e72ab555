// The service as a command meets it: over the real socket, with hosts that do not answer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { makeBlueprint, makeHost, makeMachine } from '@labwright/machines/sample-lab.test-data';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeLabClient } from './api/client.ts';
import { isServed } from './api/socket.ts';
import { serveLab, type ServingLab } from './serve.ts';
import type { ServeOptions } from './serve-options.ts';

const never = new AbortController().signal;
/** Its pauses between tries take no time. */
const hastyClock: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) };

let folder: string;
let socket: string;
let options: ServeOptions;
const served: ServingLab[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'));
  socket = join(folder, 'serve.sock');
  const blueprint = makeBlueprint([makeMachine(101)], [makeHost('pve1', { address: ipv4('127.0.0.1') })]);
  options = {
    blueprint: { ...blueprint, proxmox: { ...blueprint.proxmox, port: await findClosedPort() } },
    credentials: { kind: 'token', id: 'labwright@pve!test', secret: new Secret('secret') },
    expect: 'hardware',
    stateDirectory: join(folder, 'state'),
    cacheDirectory: join(folder, 'cache'),
    socket,
    waitsForHosts: false,
    boot: false,
    clock: hastyClock,
    random: systemRandom,
    log: silentLog,
  };
});
afterEach(async () => {
  for (const lab of served.splice(0)) await lab.close();
  await rm(folder, { recursive: true });
});

async function serve(changes: Partial<ServeOptions> = {}): Promise<ServingLab> {
  const lab = await serveLab({ ...options, ...changes }, never);
  served.push(lab);
  return lab;
}

async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('the socket', () => {
  test('is for its owner only, and gone with the service', async () => {
    const lab = await serve();
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(options.stateDirectory)).mode & 0o777).toBe(0o700);
    await lab.close();
    await expect(access(socket)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(makeLabClient(socket).status(never)).rejects.toMatchObject({ code: 'LW0009', where: { socket } });
  });

  test('is held by one at a time, and the second leaves the first alone', async () => {
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'LW5003', where: { socket } });
    await expect(makeLabClient(socket).status(never)).rejects.toMatchObject({ code: 'LW2001' });
  });

  test('of a process that was killed is taken over', async () => {
    const script = `require('node:net').createServer().listen(process.argv[1], () => console.log('listening'))`;
    const killed = spawn(process.execPath, ['--eval', script, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(killed.stdout, 'data');
    await expect(serve()).rejects.toMatchObject({ code: 'LW5003' });
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await access(socket);
    await serve();
    await expect(makeLabClient(socket).status(never)).rejects.toMatchObject({ code: 'LW2001' });
  });
});

describe('two that begin in one moment', () => {
  /** A service with a port of its own, as boot servers have: that of the name server. */
  async function takePort(): Promise<Partial<ServeOptions>> {
    const { blueprint } = options;
    return {
      blueprint: {
        ...blueprint,
        cluster: makeSampleCluster('1.35.4'),
        netboot: { ...blueprint.netboot, address: ipv4('127.0.0.1') },
        exposures: { ...blueprint.exposures, nameServer: { port: await findClosedPort() } },
      },
      clusterKeys: { file: join(folder, 'keys.age'), identity: { kind: 'none' }, alsoOpened: [] },
      serviceSources: { directory: folder, environment: {}, readSecret: async () => new Secret('') },
      waitsForHosts: true,
      clock: systemClock,
    };
  }

  test('are one that serves, and one that says so', async () => {
    const changes = await takePort();
    const ended = await Promise.allSettled([serve(changes), serve(changes), serve(changes)]);
    const refused = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(refused).toEqual([
      expect.objectContaining({ code: 'LW5003', where: { socket } }),
      expect.objectContaining({ code: 'LW5003', where: { socket } }),
    ]);
    expect(await isServed(socket)).toBe(true);
  });

  test('a port that another program has is told as that, when nobody has come to serve after ten seconds', async () => {
    const { blueprint, ...changes } = { ...options, ...(await takePort()) };
    const holder = createServer().listen(blueprint.exposures.nameServer?.port, '127.0.0.1');
    await once(holder, 'listening');
    let passedMs = 0;
    const clock: Clock = {
      ...systemClock,
      monotonic: () => passedMs,
      sleep: async (ms) => void (passedMs += ms),
    };
    await expect(serve({ ...changes, blueprint, clock })).rejects.toMatchObject({ code: 'LW0008' });
    expect(passedMs).toBeGreaterThanOrEqual(10_000);
    holder.close();
    await once(holder, 'close');
  });
});

describe('an error comes over the socket as it was', () => {
  test('when no host answers', async () => {
    await serve();
    const refused = { code: 'LW2001', kind: 'network' as const, fix: expect.arrayContaining([expect.any(String)]) };
    const { kind: _kind, ...expected } = refused;
    await expect(makeLabClient(socket).plan({ kind: 'up' }, never)).rejects.toMatchObject(expected);
  });

  test('when the plan is unknown', async () => {
    await serve();
    const run = { planId: 'ffffff', ticket: 't', emit: () => undefined, interrupt: never, signal: never };
    await expect(makeLabClient(socket).run(run)).rejects.toMatchObject({ code: 'LW0002', fix: ['labwright plan'] });
    // It holds the lab no longer than it lasts.
    await expect(makeLabClient(socket).run(run)).rejects.toMatchObject({ code: 'LW0002' });
  });

  test.each([
    ['POST', '/v1/plan', '{"kind":"everything"}'],
    ['POST', '/v1/plan', 'up'],
    ['GET', '/v1/plan/ffffff', ''],
    ['POST', '/v1/runs/t', '{}'],
  ])('when %s %s is sent %s', async (method, path, body) => {
    await serve();
    expect(await ask(method, path, body)).toMatchObject({ status: 400, json: { code: 'LW0002' } });
  });
});

test('an edited lab file is what a command is answered by, over the same socket', async () => {
  const { blueprint } = options;
  const two = { ...blueprint, hosts: [makeHost('pve2', { address: ipv4('127.0.0.1') })] };
  await serve({ labDigest: 'one', reread: async () => ({ ...options, blueprint: two, labDigest: 'two' }) });
  const plan = async (digest?: string) => await makeLabClient(socket, digest).plan({ kind: 'up' }, never);
  // No host answers: which of them was asked tells by which file.
  const asked = (host: string) => ({ code: 'LW2001', message: expect.stringContaining(host) });
  await expect(plan('one')).rejects.toMatchObject(asked('pve1'));
  await expect(plan('three')).rejects.toMatchObject({ code: 'LW5004', kind: 'conflict' });
  await expect(plan()).rejects.toMatchObject(asked('pve1'));
  await expect(plan('two')).rejects.toMatchObject(asked('pve2'));
  await expect(plan()).rejects.toMatchObject(asked('pve2'));
});

test('machines are not booted before it is known what they should be: without an answer of the hosts it does not serve', async () => {
  await expect(serve({ boot: true })).rejects.toMatchObject({ code: 'LW2001' });
  await expect(access(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  // Whatever it had opened is closed again.
  await serve();
});

async function ask(
  method: string,
  path: string,
  body: string,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const outgoing = request({ socketPath: socket, method, path, headers: { 'content-type': 'application/json' } });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [AsyncIterable<Buffer> & { readonly statusCode?: number }];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return { status: answer.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
}
