import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Peer, PeerResult } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';
import { makeBootLan, sameBytes, tokenIn, type BootLan } from './boot-lan.ts';

const server = '10.77.2.9';
const web = `http://${server}:8080`;
let boot: BootLan;
let machine: Peer;
let other: Peer;
let root: string;
let token: string;

beforeAll(async () => {
  root = await peersRoot();
  boot = await makeBootLan({ bridge: 'file-lan', subnet: 2 });
  machine = await boot.lan.addPeer('machine', '02:00:00:02:01:01', '10.77.2.11/24');
  other = await boot.lan.addPeer('other', '02:00:00:02:02:02', '10.77.2.66/24');
  token = await askAsFirmware();
});

beforeEach(() => boot.forgetRefusals());

afterAll(() => boot.close());

/** What UEFI firmware does first; the boot file in the answer has the token. */
async function askAsFirmware(): Promise<string> {
  const command = ['udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '4', '-T', '1', '-s', boot.leasePrinter];
  const pxe = ['-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007'];
  const { stdout, stderr } = await machine.exec([...command, ...pxe], { root, binds: [boot.folder] });
  return tokenIn(stdout + stderr);
}

function run(peer: Peer, ...command: string[]): Promise<PeerResult> {
  return peer.exec(command, { root, binds: [boot.folder], timeoutMs: 30_000 });
}

function curl(peer: Peer, ...more: string[]): Promise<PeerResult> {
  return run(peer, 'curl', '--silent', '--show-error', '--max-time', '20', '--path-as-is', ...more);
}

const status = ['--output', '/dev/null', '--write-out', '%{http_code} %header{content-length} %{size_download}'];

test.each(['snponly.efi', 'undionly.kpxe', 'ipxe.pxe'])('curl fetches %s by TFTP', async (name) => {
  const copy = join(boot.folder, 'curl-copy');
  const { exitCode, stderr } = await curl(machine, '--output', copy, `tftp://${server}/b/${token}/${name}`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(await sameBytes(copy, boot.loaders[name] ?? '')).toBe(true);
});

test('the script lies beside the loader, over TFTP and HTTP alike', async () => {
  const { stdout } = await curl(machine, `tftp://${server}/b/${token}/boot.ipxe`);
  expect(stdout).toMatch(/^#!ipxe\n/);
  expect((await curl(machine, `${web}/b/${token}/boot.ipxe`)).stdout).toBe(stdout);
  // This one is for an iPXE that has no address yet.
  const early = (await curl(machine, `tftp://${server}/b/${token}/autoexec.ipxe`)).stdout;
  expect(early).toMatch(/^#!ipxe\n[^]*\ndhcp [^]*\nkernel /);
});

test.each([
  { options: [] },
  { options: ['tsize'] },
  { options: ['blksize 8'], name: 'undionly.kpxe' },
  { options: ['blksize 1428', 'tsize'] },
  { options: ['blksize 65464', 'tsize', 'timeout 2'] },
  { options: ['windowsize 4', 'blksize 1468', 'tsize'] },
  { options: ['windowsize 64'] },
])('atftp fetches a file with $options', async ({ options, name = 'snponly.efi' }) => {
  const copy = join(boot.folder, 'atftp-copy');
  const flags = options.flatMap((option) => ['--option', option]);
  const path = `b/${token}/${name}`;
  const { exitCode, stderr } = await run(
    machine,
    'atftp',
    ...flags,
    '--get',
    '--remote-file',
    path,
    '--local-file',
    copy,
    server,
  );
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(await sameBytes(copy, boot.loaders[name] ?? '')).toBe(true);
});

test('tftp-hpa fetches a file in binary mode', async () => {
  const copy = join(boot.folder, 'hpa-copy');
  await run(machine, 'tftp', '-m', 'binary', server, '-c', 'get', `/b/${token}/snponly.efi`, copy);
  expect(await sameBytes(copy, boot.loaders['snponly.efi'] ?? '')).toBe(true);
});

test('twenty transfers at once all come out whole', async () => {
  const script =
    'for i in 1 2 3 4; do for n in 1 2 3 4 5; do (curl -sS -o "$1/many-$n" "$2"; cmp -s "$1/many-$n" "$3" && echo same) & done; wait; done';
  const reference = join(boot.folder, 'reference');
  await curl(machine, '--output', reference, `tftp://${server}/b/${token}/ipxe.pxe`);
  const url = `tftp://${server}/b/${token}/ipxe.pxe`;
  const { stdout } = await run(machine, 'sh', '-c', script, 'sh', boot.folder, url, reference);
  expect(stdout.match(/same/g)).toHaveLength(20);
});

test.each(['kernel', 'initrd', 'rootfs'] as const)(
  'curl fetches the %s by HTTP with its exact length',
  async (name) => {
    const copy = join(boot.folder, 'http-copy');
    const { stdout } = await curl(machine, ...status.with(1, copy), `${web}/b/${token}/${name}`);
    const { path, size } = boot.image[name];
    expect(stdout).toBe(`200 ${size} ${size}`);
    expect(await sameBytes(copy, path)).toBe(true);
  },
);

test('HEAD tells the length and sends nothing; paths with double slashes are the same path', async () => {
  const { size } = boot.image.kernel;
  expect((await curl(machine, '--head', ...status, `${web}//b/${token}//kernel`)).stdout).toBe(`200 ${size} 0`);
});

test('a broken download goes on where it stopped', async () => {
  const copy = join(boot.folder, 'resumed');
  await curl(machine, '--output', copy, '--range', '0-999999', `${web}/b/${token}/initrd`);
  expect((await stat(copy)).size).toBe(1_000_000);
  await curl(machine, '--output', copy, '--continue-at', '-', `${web}/b/${token}/initrd`);
  expect(await sameBytes(copy, boot.image.initrd.path)).toBe(true);
  const { size } = boot.image.initrd;
  expect((await curl(machine, ...status, '--range', `${size}-`, `${web}/b/${token}/initrd`)).stdout).toMatch(/^416/);
  expect((await curl(machine, ...status, '--range', '-100', `${web}/b/${token}/initrd`)).stdout).toBe('206 100 100');
});

test.each([
  ['a path that leaves the folder', '/b/TOKEN/../../etc/passwd', 404],
  ['the same in disguise', '/b/TOKEN/..%2f..%2fetc%2fpasswd', 404],
  ['no token', '/b/kernel', 404],
  ['a token that no boot has', `/b/${'0'.repeat(32)}/kernel`, 403],
  ['a file that no boot has', '/b/TOKEN/shadow', 404],
])('%s is refused over HTTP and TFTP, with the reason in an event', async (_what, path, expected) => {
  const real = path.replace('TOKEN', token);
  expect((await curl(machine, ...status, `${web}${real}`)).stdout).toMatch(new RegExp(`^${expected}`));
  const tftp = await curl(machine, '--output', '/dev/null', `tftp://${server}${real.replaceAll('%', '%25')}`);
  expect(tftp.exitCode).not.toBe(0);
  expect(boot.refused.map(({ protocol }) => protocol)).toEqual(['http', 'tftp']);
  expect(JSON.stringify(boot.refused)).not.toContain(token);
});

test('a token is good for its own machine only', async () => {
  expect((await curl(other, ...status, `${web}/b/${token}/kernel`)).stdout).toMatch(/^403/);
  expect((await curl(other, '--output', '/dev/null', `tftp://${server}/b/${token}/snponly.efi`)).exitCode).not.toBe(0);
  expect(boot.refused[0]).toMatchObject({
    protocol: 'http',
    peer: '10.77.2.66',
    reason: 'the token belongs to node101, which has another address',
  });
});

test('nobody writes by TFTP', async () => {
  const { exitCode } = await curl(machine, '--upload-file', '/etc/hostname', `tftp://${server}/b/${token}/kernel`);
  expect(exitCode).not.toBe(0);
  expect(boot.refused.at(-1)?.reason).toBe('it wanted to write, which nobody may');
});

test('datagrams that are nothing are counted, dropped and change nothing', async () => {
  const before = boot.netboot.counters.malformed;
  const script =
    'for port in 67 69 4011; do for i in 1 2 3; do head -c 300 /dev/urandom; done > /dev/udp/$0/$port; done';
  await run(machine, 'bash', '-c', script, server);
  await expect.poll(() => boot.netboot.counters.malformed).toBeGreaterThanOrEqual(before + 3);
  expect((await curl(machine, ...status, `${web}/b/${token}/rootfs`)).stdout).toBe('200 100000 100000');
});

test('the token of an earlier boot is refused once the machine boots again', async () => {
  const earlier = token;
  token = await askAsFirmware();
  expect(token).not.toBe(earlier);
  expect((await curl(machine, ...status, `${web}/b/${earlier}/ignition.json`)).stdout).toMatch(/^403/);
  expect(boot.refused.at(-1)?.reason).toBe('the token is of an earlier boot of node101');
  expect((await curl(machine, ...status, `${web}/b/${token}/ignition.json`)).stdout).toMatch(/^200/);
});

test('the installer tells how far it is, and the machine phones home', async () => {
  const post = (path: string, body: string, ...more: string[]): Promise<PeerResult> =>
    curl(machine, ...status, '--data-binary', body, ...more, `${web}${path}`);
  const progress = `/b/${token}/progress`;
  expect((await post(progress, 'started')).stdout).toMatch(/^204/);
  expect((await post(progress, 'installing three partitions\x1b[31m on /dev/vda')).stdout).toMatch(/^204/);
  expect((await post(progress, 'dancing')).stdout).toMatch(/^400/);
  expect((await post(progress, 'x'.repeat(5_000))).stdout).toMatch(/^413/);
  expect((await post('/phone-home', 'node101')).stdout).toMatch(/^401/);
  expect((await post('/phone-home', 'node999', '--header', 'labwright-signature: x')).stdout).toMatch(/^403/);
  expect((await post('/phone-home', 'node101', '--header', 'labwright-signature: x')).stdout).toMatch(/^204/);
  expect(boot.boots.slice(-3).map(({ stage, detail }) => `${stage}: ${detail}`)).toEqual([
    'started: the initramfs runs',
    'installing: three partitions [31m on /dev/vda',
    'ready: it phoned home from 10.77.2.11',
  ]);
  expect((await curl(machine, ...status, `${web}/b/${token}/ignition.json`)).stdout).toMatch(/^403/);
  expect(boot.refused.at(-1)?.reason).toBe('the boot of node101 is over');
  // A reboot from its disk, of which only the phone call is seen.
  await post('/phone-home', 'node101', '--header', 'labwright-signature: x');
  expect(boot.boots.at(-1)).toMatchObject({ machine: 'node101', stage: 'ready' });
  expect(boot.boots.at(-1)?.session).toBeUndefined();
});
