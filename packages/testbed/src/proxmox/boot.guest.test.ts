// Guests of the emulated Proxmox that are real: firmware runs, the network card asks for an address, disks keep what they hold.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendControl, startClusterFixture, type ClusterFixture } from '@labwright/rehearsal/proxmox/cluster-fixture';
import { makeLan, type Lan, type Peer } from '../network/lan.ts';
import { peersRoot, toolsRoot } from '../roots.ts';

let cluster: ClusterFixture;
let lan: Lan;
let listener: Peer;

beforeAll(async () => {
  lan = await makeLan('vmbr0', '10.1.0.2/22');
  listener = await lan.addPeer('listener', '02:00:00:00:ff:01');
  cluster = await startClusterFixture({
    hostNames: ['pve1'],
    topology: { guests: { kind: 'qemu', toolsRoot: await toolsRoot() }, timeScale: 1 },
  });
});
afterAll(() => cluster.close());

/** The MAC addresses that ask for an address on the bridge, until all wanted ones did or the time is over. */
async function captureDiscovers(count: number, timeoutSeconds: number): Promise<string> {
  const command = ['tcpdump', '-i', 'eth0', '-n', '-e', '-l', '-c', String(count), 'udp', 'src', 'port', '68'];
  const { stdout } = await listener.exec(['timeout', String(timeoutSeconds), ...command], {
    root: await peersRoot(),
    timeoutMs: (timeoutSeconds + 5) * 1000,
  });
  return stdout.trim();
}

async function readSerialLog(vmId: number): Promise<string> {
  return readFile(join(cluster.topology.stateDirectory, `hosts/pve1/log/${vmId}.serial0.log`), 'latin1');
}

const base = {
  memory: 512,
  ostype: 'l26',
  scsihw: 'virtio-scsi-single',
  scsi0: 'local-lvm:1',
  serial0: 'socket',
  vga: 'serial0',
};

describe('a guest with SeaBIOS', () => {
  it('asks for an address from its card', { timeout: 90_000 }, async () => {
    const vm = {
      ...base,
      vmid: 101,
      name: 'node101',
      net0: 'virtio=02:00:00:00:01:01,bridge=vmbr0',
      boot: 'order=scsi0;net0',
    };
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu', vm)).toBe('OK');
    const capture = captureDiscovers(1, 60);
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/101/status/start')).toBe('OK');
    expect(await capture).toContain('02:00:00:00:01:01 > ff:ff:ff:ff:ff:ff');
    expect(await readSerialLog(101)).toContain('iPXE');
    const status = (await cluster.call('GET', '/nodes/pve1/qemu/101/status/current')).data;
    expect(status).toMatchObject({ status: 'running', qmpstatus: 'running' });
  });

  it('keeps secrets of smbios1 out of its command line', { timeout: 30_000 }, async () => {
    const serial = Buffer.from('a secret nobody may see').toString('base64');
    await cluster.callTask('POST', '/nodes/pve1/qemu/101/status/stop');
    const smbios1 = `uuid=12345678-1234-1234-1234-123456789abc,serial=${serial},base64=1`;
    expect((await cluster.call('PUT', '/nodes/pve1/qemu/101/config', { smbios1 })).status).toBe(200);
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/101/status/start')).toBe('OK');
    const { data } = await cluster.call('GET', '/nodes/pve1/qemu/101/status/current');
    const commandLine = await readFile(`/proc/${(data as { pid: number }).pid}/cmdline`, 'utf8');
    expect(commandLine).toContain('qemu-system-x86_64');
    expect(commandLine).not.toContain(serial);
    expect(commandLine).not.toContain('secret');
  });

  it('grows its disk while it runs', { timeout: 30_000 }, async () => {
    expect(await cluster.callTask('PUT', '/nodes/pve1/qemu/101/resize', { disk: 'scsi0', size: '2G' })).toBe('OK');
    await cluster.fault('pve1', { kind: 'power-cut', vmId: 101 });
    expect((await cluster.call('GET', '/nodes/pve1/qemu/101/status/current')).data).toMatchObject({
      status: 'stopped',
    });
    expect(await cluster.callTask('DELETE', '/nodes/pve1/qemu/101')).toBe('OK');
  });
});

describe('an emulator that is killed', () => {
  it('leaves its guests running and takes them up again', { timeout: 60_000 }, async () => {
    const main = fileURLToPath(import.meta.resolve('@labwright/rehearsal/proxmox/main'));
    const directory = join(dirname(cluster.topology.stateDirectory), 'killed');
    await mkdir(directory);
    // A second cluster on the port above, so that both can run side by side.
    const [host] = cluster.topology.hosts;
    if (host === undefined) throw new Error('the fixture has a host');
    const hosts = [{ ...host, port: host.port + 1 }];
    const topology = { ...cluster.topology, hosts, stateDirectory: join(directory, 'state') };
    await writeFile(join(directory, 'topology.json'), JSON.stringify(topology));
    const control = join(topology.stateDirectory, 'hosts/pve1/control.sock');
    const start = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [main, join(directory, 'topology.json'), 'pve1'], { stdio: 'inherit' });
      await expect
        .poll(() => readStatus(control).catch(() => undefined), { timeout: 15_000 })
        .toMatchObject({ isUp: true });
      return child;
    };
    const first = await start();
    const vm = { ...base, vmid: 120, net0: 'virtio=02:00:00:00:01:20,bridge=vmbr0', start: 1 };
    expect((await callPort(host.port + 1, 'POST', '/nodes/pve1/qemu', vm)).status).toBe(200);
    await expect
      .poll(() => readStatus(control), { timeout: 15_000 })
      .toMatchObject({ vms: [{ vmid: 120, status: 'running' }] });
    const before = await readStatus(control);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const second = await start();
    expect((await readStatus(control)).vms[0]?.pid).toBe(before.vms[0]?.pid);
    expect(await readRunState(host.port + 1)).toBe('running');
    second.kill('SIGTERM');
    expect(await once(second, 'exit')).toEqual([0, null]);
    await expect(readFile(`/proc/${before.vms[0]?.pid}/cmdline`, 'utf8').catch(() => '')).resolves.toBe('');
  });

  interface Status {
    readonly isUp: boolean;
    readonly vms: readonly { readonly vmid: number; readonly status: string; readonly pid?: number }[];
  }
  const readStatus = async (control: string): Promise<Status> =>
    (await sendControl(control, 'GET', '/status')) as Status;
  const callPort = (port: number, method: string, path: string, parameters = {}) =>
    cluster.call(method, path, parameters, { port });
  const readRunState = async (port: number): Promise<string> => {
    const { data } = await callPort(port, 'GET', '/nodes/pve1/qemu/120/status/current');
    return (data as { readonly qmpstatus: string }).qmpstatus;
  };
});

describe('a guest with OVMF', () => {
  const uefi = { ...base, bios: 'ovmf', machine: 'q35', efidisk0: 'local-lvm:1,efitype=4m,pre-enrolled-keys=0' };

  it('boots from the network when it has rng0', { timeout: 90_000 }, async () => {
    const vm = { ...uefi, vmid: 111, net0: 'virtio=02:00:00:00:01:11,bridge=vmbr0', rng0: 'source=/dev/urandom' };
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu', vm)).toBe('OK');
    const capture = captureDiscovers(1, 75);
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/111/status/start')).toBe('OK');
    expect(await capture).toContain('02:00:00:00:01:11 > ff:ff:ff:ff:ff:ff');
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/111/status/stop')).toBe('OK');
  });

  it('offers no network boot without rng0, as newer firmware does not', { timeout: 120_000 }, async () => {
    const vm = { ...uefi, vmid: 112, net0: 'virtio=02:00:00:00:01:12,bridge=vmbr0' };
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu', vm)).toBe('OK');
    const capture = captureDiscovers(1, 40);
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/112/status/start')).toBe('OK');
    expect(await capture).toBe('');
    const log = await readSerialLog(112);
    // It got as far as looking for something to boot, so the silence is not for want of time.
    expect(log).toMatch(/BdsDxe: (?:failed to load|No bootable option)|Shell>/);
    expect(log).not.toContain('PXE');
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/112/status/stop')).toBe('OK');
  });
});
