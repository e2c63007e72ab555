import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import type { BootEvent, BootRefusedEvent } from '@labwright/core/events/boot';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { decodeDhcp, encodeDhcp } from '@labwright/wire/dhcp4/message';
import { messageType } from '@labwright/wire/dhcp4/options';
import type { BootImage } from './boot-network.ts';
import { makeDirectory, makeMachine, makeNetwork, makeRequest, uefiOptions } from './make-boot.ts';
import { startNetboot, type Netboot, type NetbootOptions } from './netboot.ts';

// On loopback, with ports that need no privilege.
const loopback = ipv4('127.0.0.1');
const machine = makeMachine({ address: loopback });
const ports = { dhcp: 41_067, dhcpClient: 41_068, bootServer: 41_011, tftp: 41_069 };
const httpPort = 41_080;
const size = 20_000_000;
let folder: string;
let image: BootImage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netboot-'));
  const path = join(folder, 'file');
  await writeFile(path, randomBytes(size));
  await writeFile(join(folder, 'snponly.efi'), 'loader');
  image = { kernel: { path, size }, initrd: { path, size: size + 1 }, rootfs: { path: join(folder, 'gone'), size } };
});

afterAll(() => rm(folder, { recursive: true }));

interface Started {
  readonly netboot: Netboot;
  readonly events: readonly (BootEvent | BootRefusedEvent)[];
  readonly stop: AbortController;
}

async function start(changes: Partial<NetbootOptions> = {}): Promise<Started> {
  const events: (BootEvent | BootRefusedEvent)[] = [];
  const stop = new AbortController();
  const netboot = await startNetboot(
    {
      network: makeNetwork({ address: loopback, cidr: cidr('127.0.0.0/8'), httpPort }),
      directory: makeDirectory([machine]),
      images: { get: () => Promise.resolve(image) },
      loaders: { 'snponly.efi': join(folder, 'snponly.efi') },
      renderIgnition: () => ({ status: 200, contentType: 'application/json', body: '{}' }),
      phoneHome: () => Promise.resolve({ status: 403, reason: 'nobody' }),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      emit: (event) => events.push(event),
      ports,
      ...changes,
    },
    stop.signal,
  );
  onTestFinished(() => netboot.close());
  return { netboot, events, stop };
}

/** Asks the boot server as firmware that has its address; the answer names the token. */
async function beginBoot(): Promise<string> {
  const socket = createSocket('udp4');
  const request = makeRequest({ ...uefiOptions, messageType: messageType.request }, { ciaddr: loopback });
  socket.send(encodeDhcp(request), ports.bootServer, loopback);
  const [bytes] = (await once(socket, 'message')) as [Uint8Array];
  socket.close();
  return decodeDhcp(bytes).file.split('/')[1] ?? '';
}

async function get(path: string, options: { readonly method?: string } = {}): Promise<IncomingMessage> {
  const request = httpRequest({ host: loopback, port: httpPort, path, ...options }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function sizeOf(response: IncomingMessage): Promise<number> {
  let total = 0;
  for await (const chunk of response) total += (chunk as Uint8Array).length;
  return total;
}

test('an image that is not there yet, or not as it should be, is a 503 and never a 404', async () => {
  await start({ images: { get: (name) => Promise.resolve(name === 'debian' ? undefined : image) } });
  const token = await beginBoot();
  const response = await get(`/b/${token}/kernel`);
  expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
});

test('a file of another length than promised and a file that is gone are a 503', async () => {
  await start();
  const token = await beginBoot();
  expect((await get(`/b/${token}/initrd`)).statusCode).toBe(503);
  expect((await get(`/b/${token}/rootfs`)).statusCode).toBe(503);
});

test('an Ignition config that cannot be rendered is a 503', async () => {
  await start({ renderIgnition: () => Promise.reject(new Error('broken')) });
  expect((await get(`/b/${await beginBoot()}/ignition.json`)).statusCode).toBe(503);
});

test('closing lets a running download end and takes no new one', async () => {
  const { netboot } = await start();
  const token = await beginBoot();
  const response = await get(`/b/${token}/kernel`);
  await once(response, 'readable');
  const closing = netboot.close();
  await expect(get(`/b/${token}/kernel`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(await sizeOf(response)).toBe(size);
  await closing;
});

test('a reader that stands still is cut off when the time to close is over', { timeout: 15_000 }, async () => {
  const { netboot } = await start();
  const response = await get(`/b/${await beginBoot()}/kernel`);
  response.on('error', () => undefined);
  await once(response, 'readable');
  await netboot.close();
  expect(await sizeOf(response).catch((error: NodeJS.ErrnoException) => error.code)).toBe('ECONNRESET');
});

test('an abort closes everything, and the ports are free again', async () => {
  const { netboot, stop } = await start();
  stop.abort();
  await netboot.close();
  const again = await start();
  expect(again.netboot.counters.received).toBe(0);
});

test('an HTTP port in use is an error that names who has it, and the other ports are let go', async () => {
  const holder = createServer().listen(httpPort, loopback);
  await once(holder, 'listening');
  await expect(start()).rejects.toMatchObject({
    code: 'LW0008',
    message: `the HTTP boot server cannot listen on TCP port ${httpPort}: it is in use`,
    why: expect.stringContaining(`process ${process.pid}`),
  });
  holder.close();
  await once(holder, 'close');
  await start();
});

test('an address of another computer and a loader that is missing are errors with a fix', async () => {
  await expect(start({ network: makeNetwork({ address: ipv4('192.0.2.1') }) })).rejects.toMatchObject({
    code: 'LW3005',
    message: 'the HTTP boot server cannot answer from 192.0.2.1: this computer does not have that address',
  });
  await expect(start({ loaders: { 'snponly.efi': join(folder, 'none') } })).rejects.toMatchObject({
    code: 'LW0005',
    message: 'the boot loader snponly.efi could not be read',
  });
});

test('datagrams of rubbish on every port are counted, and the servers go on', async () => {
  const { netboot } = await start();
  const socket = createSocket('udp4');
  for (const port of [ports.dhcp, ports.bootServer, ports.tftp])
    socket.send(new Uint8Array(300).fill(255), port, loopback);
  await expect.poll(() => netboot.counters.malformed).toBe(3);
  socket.close();
  expect(await beginBoot()).toMatch(/^[0-9a-f]{32}$/);
});
