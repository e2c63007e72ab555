// The three ways a lab may have its addresses and boot files, beside an emulated pfSense with each of its two DHCP servers, as
// programs on the machines see it. Real firmware in all of them: tools/acceptance/dhcp-modes.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hexOf } from '@labwright/wire/bytes/reader';
import { decodeDhcp, encodeDhcp } from '@labwright/wire/dhcp4/message';
import { messageType } from '@labwright/wire/dhcp4/options';
import type { BootMachine } from '@labwright/netboot/boot-network';
import { makeRequest } from '@labwright/netboot/make-boot';
import type { Peer } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';
import { makeBootLan, sameBytes, tokenIn, type BootLan } from './boot-lan.ts';
import { addRouterDhcp, type RouterDhcp } from './router-dhcp.ts';

const server = '10.77.30.9';
let boot: BootLan;
let dhcp: RouterDhcp;
let root: string;
let stranger: Peer;
const peers = new Map<string, Peer>();

beforeAll(async () => {
  root = await peersRoot();
  boot = await makeBootLan({ bridge: 'modes-lan', subnet: 30 });
  dhcp = await addRouterDhcp(boot);
  for (const { name, mac } of boot.machines) peers.set(name, await boot.lan.addPeer(name, mac));
  stranger = await boot.lan.addPeer('stranger', '02:00:00:1e:02:66', '10.77.30.66/24');
}, 240_000);

afterAll(async () => {
  await dhcp?.stop();
  await boot?.close();
});

async function run(peer: Peer, ...command: string[]): Promise<string> {
  const { stdout, stderr } = await peer.exec(command, { root, binds: [boot.folder], timeoutMs: 30_000 });
  return stdout + stderr;
}

/** As firmware without an address; what it was given. */
async function askAsFirmware(machine: BootMachine): Promise<string> {
  const architecture = machine.firmware === 'uefi' ? 7 : 0;
  const pxe = ['-V', `PXEClient:Arch:0000${architecture}:UNDI:003000`, '-x', `0x5d:000${architecture}`];
  const asking = ['udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '10', '-T', '1', '-s', boot.leasePrinter];
  let told = '';
  // Firmware takes the lease of one server and the boot file of another (PXE 2.1 §2.2.3); udhcpc takes the first offer, and gets
  // nothing where that is the one without a lease. Then the address is asked for alone, as the machine's system does.
  for (let round = 0; round < 4 && !told.includes('ip='); round += 1) {
    const asSystem = boot.network.mode === 'proxy' && round % 2 === 1;
    told = await run(peerOf(machine), ...asking, ...(asSystem ? [] : ['-O', 'bootfile', ...pxe]));
  }
  const lines = told.split('\n').filter((line) => /^(ip|siaddr|boot_?file|serverid|udhcpc: no )/.test(line));
  return `${lines.join('\n')}\n`;
}

function peerOf({ name }: BootMachine): Peer {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`no peer ${name}`);
  return peer;
}

async function withAddress(machine: BootMachine, act: (peer: Peer) => Promise<void>): Promise<void> {
  const peer = peerOf(machine);
  await peer.exec(['ip', 'addr', 'add', `${machine.address}/24`, 'dev', 'eth0']);
  try {
    await act(peer);
  } finally {
    await peer.exec(['ip', 'addr', 'flush', 'dev', 'eth0']);
  }
}

/** What the boot server on port 4011 names for the machine. */
async function askBootServer(peer: Peer, machine: BootMachine): Promise<string> {
  const options = { vendorClass: 'PXEClient', architectures: [machine.firmware === 'uefi' ? 7 : 0] };
  const chaddr = Uint8Array.from(machine.mac.split(':'), (byte) => Number.parseInt(byte, 16));
  const request = makeRequest({ ...options, messageType: messageType.request }, { chaddr, ciaddr: machine.address });
  const program = new URL('ask.ts', import.meta.url).pathname;
  const words = [machine.address, '68', server, '4011', hexOf(encodeDhcp(request))];
  const { stdout } = await peer.exec([process.execPath, program, ...words]);
  const [, hex = ''] = stdout.trim().split(' ');
  return decodeDhcp(Uint8Array.from(Buffer.from(hex, 'hex'))).file;
}

const loaderOf = ({ firmware }: BootMachine): string => (firmware === 'uefi' ? 'snponly.efi' : 'undionly.kpxe');
const ipxeOptions = ['--option', 'blksize 1432', '--option', 'tsize'];

async function atftp(peer: Peer, file: string, ...options: string[]): Promise<string> {
  const copy = join(boot.folder, 'atftp-copy');
  await run(peer, 'rm', '-f', copy);
  await run(peer, 'atftp', ...options, '--get', '--remote-file', file, '--local-file', copy, server);
  return copy;
}

/** Of a file that may not have come. */
const sizeOf = async (path: string): Promise<number> =>
  await stat(path).then(
    ({ size }) => size,
    () => 0,
  );

const script = async (peer: Peer, file: string): Promise<string> =>
  await run(peer, 'cat', await atftp(peer, file, ...ipxeOptions));
const statusOf = async (peer: Peer, path: string): Promise<string> =>
  await run(peer, 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-m', '10', `http://${server}:8080/${path}`);

const combinations = (['isc', 'kea'] as const).flatMap((backEnd) =>
  (['serve', 'proxy', 'router'] as const).map((mode) => ({ backEnd, mode })),
);

test.each(combinations)('$mode beside $backEnd', { timeout: 240_000 }, async ({ backEnd, mode }) => {
  await dhcp.set(backEnd, mode);
  for (const machine of boot.machines) {
    boot.forgetRefusals();
    const earlier = boot.boots.length;
    const given = await askAsFirmware(machine);
    expect(given).toContain(`ip=${machine.address}\n`);
    await withAddress(machine, async (peer) => {
      const loader = boot.loaders[loaderOf(machine)] ?? '';
      const staticName = machine.firmware === 'uefi' ? 'labwright.efi' : 'labwright.pxe';
      const named = await askBootServer(peer, machine);
      // ISC writes the file into the message, Kea into option 67. Beside a router that leases as well an operating system may
      // hear it or us first: the address is the same.
      const toldInMode = mode === 'router' ? new RegExp(`^boot_?file=${staticName}$`, 'm') : /^ip=/m;
      const namedInMode = mode === 'router' ? new RegExp(`^${staticName}$`) : /^b\/[0-9a-f]{32}\/\w+\.\w+$/;
      expect(given).toMatch(mode === 'router' ? new RegExp(`^siaddr=${server}$`, 'm') : /^ip=/m);
      expect(given).toMatch(toldInMode);
      expect(named).toMatch(namedInMode);
      expect(await sameBytes(await atftp(peer, named), loader)).toBe(true);
      const text =
        mode === 'router' ? await script(peer, named) : await script(peer, named.replace(/[^/]*$/, 'boot.ipxe'));
      expect(text).toMatch(/^#!ipxe\n/);
      const kernel = `b/${tokenIn(text)}/kernel`;
      expect(await statusOf(peer, kernel)).toBe('200');
      // Whoever else shows the token, or asks for the machine's files, gets none.
      expect(await statusOf(stranger, kernel)).toBe('403');
      expect(await sizeOf(await atftp(stranger, named))).toBe(0);
      expect(boot.refused.map(({ peer: who }) => who)).toContain('10.77.30.66');
      // A replay: with another boot its token is over.
      await (mode === 'router' ? script(peer, named) : askAsFirmware(machine));
      expect(await statusOf(peer, kernel)).toBe('403');
    });
    const stages = boot.boots
      .slice(earlier)
      .filter((event) => event.machine === machine.name)
      .map(({ stage }) => stage);
    expect(stages).toEqual(expect.arrayContaining(['offered', 'loader', 'script', 'kernel']));
  }
  const [uefi] = boot.machines;
  if (uefi === undefined) throw new Error('no machine');
  // An operating system has the same address from whoever answers, with the router's resolver and its own name.
  const files = ['-lf', join(boot.folder, `${backEnd}-${mode}.leases`), '-pf', join(boot.folder, 'dhclient.pid')];
  const dhclient = ['timeout', '20', 'dhclient', '-v', '-1', '-sf', '/bin/true', ...files, 'eth0'];
  expect(await run(peerOf(uefi), ...dhclient)).toContain(`bound to ${uefi.address}`);
  await peerOf(uefi).exec(['sh', '-c', `kill $(cat ${join(boot.folder, 'dhclient.pid')})`]);
  for (const transport of ['+notcp', '+tcp']) {
    const answer = await run(
      stranger,
      'dig',
      '+short',
      '+tries=2',
      '+time=2',
      transport,
      '@10.77.30.1',
      'node101.home.arpa',
    );
    expect(answer.trim()).toBe(uefi.address);
  }
});
