// The cluster's endpoint on the gateway and the loopback port that leads to it from outside, with the real HAProxy and unbound,
// and servers that answer as an API does.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { writeGateway } from '@labwright/rehearsal/gateway/gateway-device';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { writeLaptop } from '@labwright/rehearsal/laptop/laptop-device';
import { openLoopbackSocket } from '@labwright/rehearsal/laptop/loopback';
import { ensureCertificates } from '@labwright/rehearsal/proxmox/tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { peersRoot, toolsRoot } from '../roots.ts';
import { runOutside, startTopology, waitFor, type CommandResult, type RunningTopology } from './running-topology.ts';

const run = promisify(execFile);
const standIn = fileURLToPath(new URL('./api-stand-in.ts', import.meta.url));
const endpoint = { address: '10.77.40.10', port: 6443 };
const gateway = '10.77.40.1';
const controlPlanes = [
  { name: 'node101', address: '10.77.40.101' },
  { name: 'node102', address: '10.77.40.102' },
];
/** Nothing has this address: a machine that is gone, or not there yet. */
const absent = { name: 'node103', address: '10.77.40.103' };

let lab: RunningTopology;
let port: number;
let peers: string;
let tools: string;
let linksBefore: string;
let ready: (name: string) => string;

beforeAll(async () => {
  [peers, tools] = await Promise.all([peersRoot(), toolsRoot()]);
  linksBefore = await listLinks();
  const loopback = await openLoopbackSocket('cluster-endpoint');
  ({ port } = loopback);
  lab = await startTopology({ makeDevices, descriptors: [loopback.descriptor] });
  await loopback.close();
  ready = (name) => join(lab.stateDirectory, `${name}.ready`);
}, 60_000);
afterAll(async () => {
  await lab?.stop();
});

async function makeDevices(directory: string): Promise<readonly DeviceInput[]> {
  const certificates = await ensureCertificates(join(directory, 'tls'), controlPlanes);
  const gatewayDevice = await writeGateway({
    directory,
    tree: tools,
    resolver: {
      address: gateway,
      network: '10.77.40.0/24',
      domain: 'home.arpa',
      names: [{ name: 'kube', address: endpoint.address }],
    },
    balancer: { ...endpoint, serverName: 'kube.home.arpa', controlPlanes: [...controlPlanes, absent] },
  });
  const apis = controlPlanes.map(({ name, address }) => {
    const { keyFile, certificateFile } = certificates.host(name);
    const argv = [standIn, name, address, keyFile, certificateFile, join(directory, `${name}.ready`)];
    return {
      name,
      address,
      processes: [{ name: 'api', command: [process.execPath, ...argv], readyPort: 6443 }],
    };
  });
  const laptop = {
    address: '10.77.40.50',
    gateway,
    resolver: gateway,
    domain: 'home.arpa',
    directory,
    tree: tools,
    loopback: endpoint,
  };
  return [gatewayDevice, ...apis, await writeLaptop(laptop)];
}

const curl = (...argv: string[]): string[] => ['curl', '-sSk', '--max-time', '5', ...argv];
const askInside = (): Promise<CommandResult> =>
  lab.runOn('laptop', peers, curl(`https://${endpoint.address}:${endpoint.port}/`));
const askOutside = (path = '/'): Promise<CommandResult> => runOutside(peers, curl(`https://127.0.0.1:${port}${path}`));

async function listLinks(): Promise<string> {
  return (await run('ip', ['-o', 'addr'])).stdout;
}

it('has a configuration that HAProxy takes without a warning', async () => {
  const program = ['-c', '-V', '-f', '/etc/haproxy/haproxy.cfg'];
  const script = 'mount --bind "$1" "$2/etc/haproxy/haproxy.cfg"; tree=$2; shift 2; exec chroot "$tree" haproxy "$@"';
  const argv = ['--mount', 'sh', '-euc', script, 'sh', join(lab.stateDirectory, 'haproxy.cfg'), tools, ...program];
  const { stdout, stderr } = await run('unshare', argv);
  expect(stdout).toContain('Configuration file is valid');
  expect(stderr).not.toMatch(/WARNING|ALERT/);
});

it.each([gateway, '127.0.0.53'])('is known by its name at %s', async (resolver) => {
  const { output } = await lab.runOn('laptop', peers, ['dig', '+short', `@${resolver}`, 'kube.home.arpa', 'A']);
  expect(output.trim()).toBe(endpoint.address);
});

it('answers at once while no control plane is ready, inside and outside', async () => {
  // HAProxy takes every machine for one that is up until it has looked.
  await waitFor('it has looked', 5000, async () => {
    const startedAt = performance.now();
    await askInside();
    return performance.now() - startedAt < 1000;
  });
  for (const ask of [askInside, askOutside]) {
    const startedAt = performance.now();
    const { exitCode } = await ask();
    // 7 refused, 35 and 56 reset while or before TLS was agreed on; 28 would be the time that is up.
    expect([7, 35, 56]).toContain(exitCode);
    expect(performance.now() - startedAt).toBeLessThan(1500);
  }
});

it('follows the API within seconds, up and over', async () => {
  await writeFile(ready('node101'), '');
  const answers = (name: string) => async (): Promise<boolean> => (await askInside()).output === name;
  expect(await waitFor('node101 answers', 5000, answers('node101'))).toBeLessThan(3500);
  expect((await askOutside()).output).toBe('node101');
  await writeFile(ready('node102'), '');
  await waitFor('node102 answers too', 5000, answers('node102'));
  await rm(ready('node101'));
  const overMs = await waitFor('node101 is out of the round', 6000, async () => {
    const names = [await askInside(), await askInside()].map(({ output }) => output);
    return names.every((name) => name === 'node102');
  });
  expect(overMs).toBeLessThan(4500);
});

it('loses no request when an API dies', async () => {
  await writeFile(ready('node101'), '');
  await waitFor('node101 answers', 5000, async () => (await askInside()).output === 'node101');
  process.kill(await lab.findPid('node101', /api-stand-in/), 'SIGKILL');
  const answers = await Promise.all(Array.from({ length: 12 }, async () => (await askOutside()).exitCode));
  expect(answers).toEqual(Array.from({ length: 12 }, () => 0));
});

it('takes from the API only what is read outside', async () => {
  await rm(ready('node101'), { force: true });
  await waitFor('only node102 answers', 6000, async () => {
    const names = [await askInside(), await askInside()].map(({ output }) => output);
    return names.every((name) => name === 'node102');
  });
  const asked = get({ host: '127.0.0.1', port, path: '/endless', rejectUnauthorized: false });
  const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { destroy(): void }];
  answer.pause();
  const read = async (): Promise<number> => Number((await askOutside('/written')).output);
  let last = -1;
  await waitFor('the API is held back', 10_000, async () => {
    const now = await read();
    const isHeld = now === last && now > 0;
    last = now;
    return isHeld;
  });
  // What fits into sockets and HAProxy's buffers on the way.
  expect(last).toBeLessThan(64 * 1024 * 1024);
  let received = 0;
  answer.on('data', (part: Buffer) => (received += part.length)).resume();
  await waitFor('it flows on', 10_000, async () => received > last);
  answer.destroy();
});

it('holds 256 connections, lets more wait, and serves again when they are gone', { timeout: 40_000 }, async () => {
  const sockets: Socket[] = [];
  for (let count = 0; count < 300; count += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined); // It is ended below, however far it came.
    await once(socket, 'connect');
    sockets.push(socket);
  }
  const { exitCode } = await runOutside(peers, ['curl', '-sk', '--max-time', '1', `https://127.0.0.1:${port}/`]);
  expect(exitCode).toBe(28);
  for (const socket of sockets) socket.destroy();
  await waitFor('it serves again', 10_000, async () => (await askOutside()).output === 'node102');
});

it('starts its forwarder again with the same port', async () => {
  process.kill(await lab.findPid('laptop', /haproxy/), 'SIGKILL');
  await expect.poll(async () => (await askOutside()).output, { timeout: 10_000 }).toBe('node102');
});

it('gives the descriptor to nobody but the forwarder', async () => {
  const pid = await lab.findPid('gateway', /haproxy/);
  const inode = (await readFile('/proc/net/tcp', 'utf8'))
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => state === '0A' && local?.endsWith(`:${port.toString(16).toUpperCase()}`))?.[9];
  expect(inode).toBeDefined();
  const { stdout } = await run('sh', ['-c', `ls -l /proc/${pid}/fd`]);
  expect(stdout).not.toContain(`socket:[${inode}]`);
});

it('leaves nothing when it ends', async () => {
  await lab.stop();
  const { exitCode } = await askOutside();
  expect(exitCode).toBe(7);
  expect(await listLinks()).toBe(linksBefore);
});
