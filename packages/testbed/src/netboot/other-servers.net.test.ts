import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { hexOf } from '@labwright/wire/bytes/reader';
import { decodeDhcp, encodeDhcp, type DhcpMessage } from '@labwright/wire/dhcp4/message';
import { messageType, type DhcpOptions } from '@labwright/wire/dhcp4/options';
import { makeLan, type Peer } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';
import { makeBootLan, type BootLan } from './boot-lan.ts';
import { startUdhcpd, type OtherServer } from './udhcpd.ts';

const endings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function bootLan(options: Parameters<typeof makeBootLan>[0]): Promise<BootLan> {
  const boot = await makeBootLan(options);
  endings.push(() => boot.close());
  return boot;
}

async function otherServer(options: Parameters<typeof startUdhcpd>[0]): Promise<OtherServer> {
  const other = await startUdhcpd(options);
  endings.push(() => other.stop());
  return other;
}

const pxe = ['-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007'];

async function udhcpc(boot: Pick<BootLan, 'folder' | 'leasePrinter'>, peer: Peer, ...more: string[]): Promise<string> {
  const command = [
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-f',
    '-B',
    '-t',
    '2',
    '-T',
    '1',
    '-s',
    boot.leasePrinter,
    ...more,
  ];
  const { stdout, stderr } = await peer.exec(command, { root: await peersRoot(), binds: [boot.folder] });
  return stdout + stderr;
}

/** Sends a message from inside the peer and decodes the answer, if one comes. */
async function ask(
  peer: Peer,
  from: { readonly address: string; readonly port: number },
  to: { readonly address: string; readonly port: number },
  message: DhcpMessage,
): Promise<{ readonly from: string; readonly message: DhcpMessage } | undefined> {
  const program = new URL('ask.ts', import.meta.url).pathname;
  const payload = hexOf(encodeDhcp(message));
  const { stdout } = await peer.exec([
    process.execPath,
    program,
    from.address,
    String(from.port),
    to.address,
    String(to.port),
    payload,
  ]);
  const [source, hex] = stdout.trim().split(' ');
  if (source === undefined || hex === undefined) return undefined;
  return { from: source, message: decodeDhcp(Uint8Array.from(Buffer.from(hex, 'hex'))) };
}

function fromFirmware(type: number, options: DhcpOptions, changes: Partial<DhcpMessage> = {}): DhcpMessage {
  return {
    op: 'request',
    hardwareType: 1,
    hops: 0,
    xid: 0x0102_0304,
    secs: 0,
    flags: 0,
    ciaddr: '0.0.0.0',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    chaddr: Uint8Array.of(2, 0, 0, 3, 1, 1),
    sname: '',
    file: '',
    options: {
      messageType: type,
      vendorClass: 'PXEClient:Arch:00007:UNDI:003000',
      architectures: [7],
      machineId: Uint8Array.of(0, ...Array.from({ length: 16 }, (_, index) => index)),
      ...options,
    },
    ...changes,
  };
}

test('the boot server on port 4011 answers to where it was asked from', async () => {
  const boot = await bootLan({ bridge: 'pxe-lan', subnet: 3 });
  const peer = await boot.lan.addPeer('pxe', '02:00:00:03:01:01', '10.77.3.11/24');
  const request = fromFirmware(messageType.request, {}, { ciaddr: '10.77.3.11' });
  for (const port of [68, 4011]) {
    const answer = await ask(peer, { address: '10.77.3.11', port }, { address: '10.77.3.9', port: 4011 }, request);
    expect(answer?.from).toBe('10.77.3.9:4011');
    expect(answer?.message).toMatchObject({
      yiaddr: '0.0.0.0',
      siaddr: '10.77.3.9',
      file: expect.stringMatching(/^b\/[0-9a-f]{32}\/snponly\.efi$/),
      options: {
        messageType: messageType.ack,
        serverId: '10.77.3.9',
        vendorClass: 'PXEClient',
        vendorSpecific: Uint8Array.of(6, 1, 8, 255),
        machineId: request.options.machineId,
      },
    });
  }
  const stranger = { ...request, chaddr: Uint8Array.of(2, 0, 0, 3, 9, 9) };
  expect(
    await ask(peer, { address: '10.77.3.11', port: 68 }, { address: '10.77.3.9', port: 4011 }, stranger),
  ).toBeUndefined();
  expect(boot.refused.at(-1)).toMatchObject({
    protocol: 'pxe',
    reason: '02:00:00:03:09:09 is not a machine of the lab file',
  });
});

test('in proxy mode firmware is told what to boot and nothing else, and other clients are left alone', async () => {
  const boot = await bootLan({ bridge: 'proxy-lan', subnet: 4, mode: 'proxy' });
  const peer = await boot.lan.addPeer('proxied', '02:00:00:04:01:01', '10.77.4.11/24');
  const chaddr = Uint8Array.of(2, 0, 0, 4, 1, 1);
  const from = { address: '10.77.4.11', port: 68 };
  const to = { address: '10.77.4.9', port: 67 };
  const answer = await ask(peer, from, to, fromFirmware(messageType.discover, {}, { chaddr, ciaddr: '10.77.4.11' }));
  expect(answer?.from).toBe('10.77.4.9:67');
  expect(answer?.message).toMatchObject({
    yiaddr: '0.0.0.0',
    siaddr: '10.77.4.9',
    options: { messageType: messageType.offer, vendorClass: 'PXEClient', vendorSpecific: Uint8Array.of(6, 1, 8, 255) },
  });
  expect(answer?.message.options.leaseSeconds).toBeUndefined();
  expect(answer?.message.options.subnetMask).toBeUndefined();
  expect(await udhcpc(boot, peer)).toContain('no lease');
});

test('a DISCOVER on another interface is not even received', async () => {
  const boot = await bootLan({ bridge: 'own-lan', subnet: 5 });
  const elsewhere = await makeLan('foreign-lan', '10.78.5.9/24');
  const peer = await elsewhere.addPeer('foreign', '02:00:00:05:01:01');
  expect(await udhcpc(boot, peer, ...pxe)).toContain('no lease');
  expect(boot.netboot.counters.received).toBe(0);
  expect(boot.boots).toEqual([]);
  // The very same client on our own interface is.
  const near = await boot.lan.addPeer('near', '02:00:00:05:01:01');
  expect(await udhcpc(boot, near, ...pxe)).toContain('ip=10.77.5.11');
  expect(boot.netboot.counters.received).toBeGreaterThan(0);
});

// Opens the socket as a systemd socket unit with BindToDevice= would, and hands it to the program as descriptor 3.
const launcher =
  'use Socket; $^F = 255; my ($device, @command) = @ARGV;' +
  'socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";' +
  'setsockopt($s, SOL_SOCKET, 25, "$device\\0") or die "setsockopt: $!";' +
  'bind($s, sockaddr_in(67, INADDR_ANY)) or die "bind: $!";' +
  'require POSIX; POSIX::dup2(fileno($s), 3) unless fileno($s) == 3; exec @command;';

test('a socket that was bound to its device by a launcher is served, and only from that device', async () => {
  const own = await makeLan('handed-lan', '10.77.12.9/24');
  const elsewhere = await makeLan('beside-lan', '10.78.12.9/24');
  const folder = await mkdtemp(join(tmpdir(), 'handed-'));
  endings.push(() => rm(folder, { recursive: true }));
  const program = new URL('handed-socket.ts', import.meta.url).pathname;
  const argv = ['10.77.12.9', '10.77.12.0/24', '02:00:00:0c:01:01', '10.77.12.11'];
  const child = spawn('perl', ['-e', launcher, 'handed-lan', process.execPath, program, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  endings.push(async () => {
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
  await once(child.stdout, 'data');
  const leasePrinter = '/bin/echo';
  const far = await elsewhere.addPeer('far', '02:00:00:0c:01:01');
  expect(await udhcpc({ folder, leasePrinter }, far)).toContain('no lease');
  const near = await own.addPeer('close', '02:00:00:0c:01:01');
  expect(await udhcpc({ folder, leasePrinter }, near)).toContain('lease of 10.77.12.11 obtained from 10.77.12.9');
});

test('a port in use is an error that says who has it', async () => {
  const socket = createSocket('udp4');
  socket.bind(67);
  await once(socket, 'listening');
  endings.push(async () => void socket.close());
  await expect(makeBootLan({ bridge: 'busy-lan', subnet: 6 })).rejects.toMatchObject({
    code: 'LW0008',
    message: 'the DHCP server cannot listen on UDP port 67: it is in use',
    why: expect.stringContaining(`(process ${process.pid}) has it`),
  });
});

test('a boot that took the address of another DHCP server is explained with its address', async () => {
  const boot = await bootLan({ bridge: 'rival-lan', subnet: 8, haste: 10 });
  const peer = await boot.lan.addPeer('torn', '02:00:00:08:01:01', '10.77.8.11/24');
  const from = { address: '10.77.8.11', port: 68 };
  const to = { address: '255.255.255.255', port: 67 };
  const chaddr = Uint8Array.of(2, 0, 0, 8, 1, 1);
  expect(await udhcpc(boot, peer, ...pxe)).toContain('ip=10.77.8.11');
  const chosen = { serverId: '10.77.8.1', requestedAddress: '10.77.8.200' };
  expect(await ask(peer, from, to, fromFirmware(messageType.request, chosen, { chaddr }))).toBeUndefined();
  const stalled = await boot.waitForBoot(({ stage }) => stage === 'stalled', 10_000);
  expect(stalled.detail).toContain('another DHCP server, 10.77.8.1, answered first');
});

test('option 60 without 43 from another server is named as what firmware waits for', { timeout: 30_000 }, async () => {
  const boot = await bootLan({ bridge: 'binl-lan', subnet: 9, haste: 8 });
  const router = await boot.lan.addPeer('binl', '02:00:00:09:00:01', '10.77.9.1/24');
  // A static lease spares it its search for a free address, which takes longer than our answer.
  const lines = ['static_lease 02:00:00:09:01:01 10.77.9.200', `opt 60 ${Buffer.from('PXEClient').toString('hex')}`];
  await otherServer({
    peer: router,
    folder: boot.folder,
    first: '10.77.9.200',
    last: '10.77.9.210',
    lines,
  });
  const peer = await boot.lan.addPeer('waiting', '02:00:00:09:01:01');
  await udhcpc(boot, peer, ...pxe);
  const stalled = await boot.waitForBoot(({ stage }) => stage === 'stalled', 20_000);
  expect(stalled.detail).toContain(
    'the DHCP server 10.77.9.1 sends option 60 "PXEClient" without option 43, so the firmware waits for an answer on UDP port 4011',
  );
});
