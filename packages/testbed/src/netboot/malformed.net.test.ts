// Every kind of packet we send, captured at a client and judged by Wireshark's dissectors.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hexOf } from '@labwright/wire/bytes/reader';
import { encodeDhcp } from '@labwright/wire/dhcp4/message';
import { messageType } from '@labwright/wire/dhcp4/options';
import type { Peer, PeerResult } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';
import { makeBootLan, tokenIn, type BootLan } from './boot-lan.ts';

let boot: BootLan;
let peer: Peer;
let root: string;
let capture: string;

beforeAll(async () => {
  root = await peersRoot();
  boot = await makeBootLan({
    bridge: 'cap-lan',
    subnet: 10,
    dynamic: { first: ipv4('10.77.10.100'), last: ipv4('10.77.10.110') },
  });
  peer = await boot.lan.addPeer('captured', '02:00:00:0a:01:01');
  capture = join(boot.folder, 'all.pcap');
});

afterAll(() => boot.close());

function run(...command: string[]): Promise<PeerResult> {
  return peer.exec(command, { root, binds: [boot.folder], timeoutMs: 60_000 });
}

async function udhcpc(...more: string[]): Promise<string> {
  const { stdout, stderr } = await run(
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-f',
    '-t',
    '3',
    '-T',
    '1',
    '-s',
    boot.leasePrinter,
    ...more,
  );
  return stdout + stderr;
}

async function captureAll(): Promise<void> {
  const tcpdump = peer.spawn(['tcpdump', '-i', 'eth0', '--immediate-mode', '-U', '-Z', 'root', '-w', capture], {
    root,
    binds: [boot.folder],
  });
  const ended = once(tcpdump, 'exit');
  await saysListening(tcpdump);
  const output = await udhcpc(
    '-V',
    'PXEClient:Arch:00007:UNDI:003000',
    '-x',
    '0x5d:0007',
    '-x',
    '0x61:0001020304050607080910111213141516',
  );
  await udhcpc(
    '-V',
    'PXEClient:Arch:00000:UNDI:002001',
    '-x',
    '0x5d:0000',
    '-x',
    '0xaf:130101180101',
    '-x',
    '0x4d:69505845',
  );
  await udhcpc();
  await run('ip', 'addr', 'add', '10.77.10.11/24', 'dev', 'eth0');
  const files = ['-lf', join(boot.folder, 'cap.leases'), '-pf', join(boot.folder, 'cap.pid')];
  await writeFile(
    join(boot.folder, 'cap.leases'),
    'lease {\n  interface "eth0";\n  fixed-address 10.77.10.77;\n  renew 4 2037/12/31 00:00:00;\n' +
      '  rebind 4 2037/12/31 00:00:00;\n  expire 4 2037/12/31 00:00:00;\n}\n',
  );
  await run('dhclient', '-1', '-sf', '/bin/true', ...files, 'eth0');
  await run('sh', '-c', `kill $(cat ${join(boot.folder, 'cap.pid')})`);
  await askBootServer();
  const token = tokenIn(output);
  await run('curl', '-s', '-o', '/dev/null', `tftp://10.77.10.9/b/${token}/undionly.kpxe`);
  for (const [base, more] of [
    ['tftp://10.77.10.9', ['--tftp-no-options']],
    ['http://10.77.10.9:8080', []],
  ] as const) {
    await run('curl', '-s', '-o', '/dev/null', ...more, `${base}/b/${'0'.repeat(32)}/kernel`);
  }
  const fresh = tokenIn(await udhcpc('-V', 'PXEClient:Arch:00000:UNDI:002001', '-x', '0x5d:0000'));
  await run(
    'atftp',
    '--option',
    'windowsize 8',
    '--option',
    'tsize',
    '--get',
    '-r',
    `b/${fresh}/undionly.kpxe`,
    '-l',
    '/dev/null',
    '10.77.10.9',
  );
  await run('curl', '-s', '-o', '/dev/null', `http://10.77.10.9:8080/b/${fresh}/boot.ipxe`);
  tcpdump.kill('SIGINT');
  await ended;
}

async function saysListening({ stderr }: ChildProcess): Promise<void> {
  let output = '';
  // Left open: tcpdump has more to say, and would end if nobody took it.
  for await (const text of stderr?.setEncoding('utf8').iterator({ destroyOnReturn: false }) ?? []) {
    output += String(text);
    if (output.includes('listening on')) {
      stderr?.resume();
      return;
    }
  }
  throw new Error(`tcpdump ended: ${output}`);
}

async function askBootServer(): Promise<void> {
  const request = encodeDhcp({
    op: 'request',
    hardwareType: 1,
    hops: 0,
    xid: 7,
    secs: 0,
    flags: 0,
    ciaddr: '10.77.10.11',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    chaddr: Uint8Array.of(2, 0, 0, 10, 1, 1),
    sname: '',
    file: '',
    options: { messageType: messageType.request, vendorClass: 'PXEClient:Arch:00007:UNDI:003000', architectures: [7] },
  });
  const program = new URL('ask.ts', import.meta.url).pathname;
  await peer.exec([process.execPath, program, '10.77.10.11', '4011', '10.77.10.9', '4011', hexOf(request)]);
}

test('Wireshark finds no malformed packet in anything we send', { timeout: 120_000 }, async () => {
  await captureAll();
  const count = async (filter: string): Promise<number> => {
    const { stdout, stderr, exitCode } = await run(
      'tshark',
      '-n',
      '-r',
      capture,
      '-Y',
      filter,
      '-T',
      'fields',
      '-e',
      'frame.number',
    );
    if (exitCode !== 0) throw new Error(stderr);
    return stdout.split('\n').filter((line) => line !== '').length;
  };
  // First that it is all in there: an offer, an acknowledgement, a refusal, the boot server, files and errors.
  const absent: string[] = [];
  const ours = 'ip.src == 10.77.10.9';
  for (const [what, filter] of Object.entries({
    offer: `${ours} && dhcp.option.dhcp == 2`,
    ack: `${ours} && dhcp.option.dhcp == 5`,
    nak: `${ours} && dhcp.option.dhcp == 6`,
    bootServer: `${ours} && udp.srcport == 4011`,
    oack: `${ours} && tftp.opcode == 6`,
    data: `${ours} && tftp.opcode == 3`,
    tftpError: `${ours} && tftp.opcode == 5`,
    http: `${ours} && http.response.code == 200`,
    refused: `${ours} && http.response.code == 403`,
  })) {
    if ((await count(filter)) === 0) absent.push(what);
  }
  expect(absent).toEqual([]);
  // An error packet of TFTP is a warning in itself, and so is a retransmission of TCP.
  const warning = '_ws.expert.severity >= "Warning" && !(tftp.opcode == 5) && !tcp.analysis.flags';
  const wrong = `${ours} && (_ws.malformed || (${warning}))`;
  const details = await run('tshark', '-n', '-r', capture, '-Y', wrong, '-V');
  expect(details.stdout).toBe('');
  expect(details).toMatchObject({ exitCode: 0 });
});
