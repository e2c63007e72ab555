import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { peersRoot } from '../roots.ts';
import type { Peer } from '../network/lan.ts';
import { makeBootLan, type BootLan } from './boot-lan.ts';

let boot: BootLan;
let known: Peer;
let stranger: Peer;
let root: string;

beforeAll(async () => {
  root = await peersRoot();
  boot = await makeBootLan({
    bridge: 'dhcp-lan',
    subnet: 1,
    dynamic: { first: ipv4('10.77.1.100'), last: ipv4('10.77.1.120') },
  });
  known = await boot.lan.addPeer('known', '02:00:00:01:01:01');
  stranger = await boot.lan.addPeer('stranger', '02:00:00:01:02:01');
});

afterAll(() => boot.close());

async function udhcpc(peer: Peer, ...more: string[]): Promise<string> {
  const command = ['udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '4', '-T', '1', '-s', boot.leasePrinter, ...more];
  const { stdout, stderr } = await peer.exec(command, { root, binds: [boot.folder] });
  return stdout + stderr;
}

test('udhcpc gets the address, the gateway, the resolver and the name of its machine', async () => {
  const output = await udhcpc(known);
  for (const line of [
    'event=bound',
    'ip=10.77.1.11',
    'subnet=255.255.255.0',
    'router=10.77.1.1',
    'dns=10.77.1.1',
    'domain=home.arpa',
    'hostname=node101',
    'lease=3600',
    'serverid=10.77.1.9',
  ]) {
    expect(output).toContain(`${line}\n`);
  }
  expect(output).not.toContain('boot_file');
});

test('a client that is not in the lab file gets an address from the range, the same one again, and nothing to boot', async () => {
  const first = await udhcpc(stranger, '-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007');
  const address = /ip=(10\.77\.1\.1[012]\d)\n/.exec(first)?.[1];
  expect(address).toBeDefined();
  expect(first).not.toContain('boot_file');
  expect(await udhcpc(stranger)).toContain(`ip=${address}\n`);
});

test('dhclient takes the lease, renews it at start by the address it remembers, and releases it', async () => {
  const files = ['-lf', join(boot.folder, 'dhclient.leases'), '-pf', join(boot.folder, 'dhclient.pid')];
  const dhclient = async (...more: string[]): Promise<string> => {
    const command = ['dhclient', '-v', '-1', '-sf', '/bin/true', ...files, ...more, 'eth0'];
    const { stdout, stderr } = await known.exec(command, { root, binds: [boot.folder], timeoutMs: 30_000 });
    return stdout + stderr;
  };
  const first = await dhclient();
  expect(first).toMatch(/DHCPOFFER of 10\.77\.1\.11 from 10\.77\.1\.9/);
  expect(first).toMatch(/bound to 10\.77\.1\.11/);
  await known.exec(['sh', '-c', `kill $(cat ${join(boot.folder, 'dhclient.pid')})`]);
  const again = await dhclient();
  expect(again).not.toContain('DHCPDISCOVER');
  expect(again).toMatch(/DHCPACK of 10\.77\.1\.11 from 10\.77\.1\.9/);
  await known.exec(['ip', 'addr', 'add', '10.77.1.11/24', 'dev', 'eth0']);
  expect(await dhclient('-r')).toMatch(/DHCPRELEASE of 10\.77\.1\.11/);
  await known.exec(['ip', 'addr', 'flush', 'dev', 'eth0']);
});

test('a client that remembers another address is told to forget it', async () => {
  const lease = (address: string): string =>
    `lease {\n  interface "eth0";\n  fixed-address ${address};\n  option dhcp-lease-time 3600;\n` +
    '  option dhcp-server-identifier 10.77.1.9;\n  renew 4 2037/12/31 00:00:00;\n  rebind 4 2037/12/31 00:00:00;\n' +
    '  expire 4 2037/12/31 00:00:00;\n}\n';
  await writeFile(join(boot.folder, 'wrong.leases'), lease('10.77.1.77'));
  const { stdout, stderr } = await known.exec(
    [
      'dhclient',
      '-v',
      '-1',
      '-sf',
      '/bin/true',
      '-lf',
      join(boot.folder, 'wrong.leases'),
      '-pf',
      join(boot.folder, 'wrong.pid'),
      'eth0',
    ],
    { root, binds: [boot.folder], timeoutMs: 30_000 },
  );
  expect(stdout + stderr).toMatch(/DHCPNAK from 10\.77\.1\.9/);
  expect(stdout + stderr).toMatch(/bound to 10\.77\.1\.11/);
  await known.exec(['sh', '-c', `kill $(cat ${join(boot.folder, 'wrong.pid')})`]);
});

test('dhcpcd takes the lease', async () => {
  // It would remember the lease of an earlier run.
  await known.exec(['rm', '-f', '/var/lib/dhcpcd/eth0.lease'], { root });
  const { stdout, stderr } = await known.exec(
    [
      'dhcpcd',
      '--oneshot',
      '--ipv4only',
      '--noarp',
      '--script',
      '/bin/true',
      '--debug',
      '--nobackground',
      '--timeout',
      '10',
      'eth0',
    ],
    { root, timeoutMs: 30_000 },
  );
  expect(stdout + stderr).toMatch(/offered 10\.77\.1\.11 from 10\.77\.1\.9/);
  expect(stdout + stderr).toMatch(/leased 10\.77\.1\.11 for 3600 seconds/);
});

test('firmware is told what to boot, and its boot is seen from the first packet', async () => {
  const output = await udhcpc(known, '-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007');
  expect(output).toMatch(/siaddr=10\.77\.1\.9\n/);
  expect(output).toMatch(/boot_file=b\/[0-9a-f]{32}\/snponly\.efi\n/);
  expect(boot.boots.at(-1)).toMatchObject({
    machine: 'node101',
    stage: 'offered',
    detail: '10.77.1.11 and snponly.efi to UEFI x64 firmware',
  });
});
