// A VM's life over the API, with stand-in guests: created, started, changed, ended, destroyed, as Proxmox tells it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startClusterFixture, type ClusterFixture } from './cluster-fixture.ts';

let cluster: ClusterFixture;
beforeAll(async () => {
  cluster = await startClusterFixture();
});
afterAll(() => cluster.close());

const qemu = '/nodes/pve1/qemu';
const machine = {
  vmid: 101,
  name: 'node101',
  memory: 2048,
  cores: 2,
  ostype: 'l26',
  scsihw: 'virtio-scsi-single',
  scsi0: 'local-lvm:8,iothread=1,discard=on',
  net0: 'virtio=02:00:00:00:01:01,bridge=vmbr0',
  serial0: 'socket',
  vga: 'serial0',
  rng0: 'source=/dev/urandom',
  tags: 'Zeta;labwright;alpha',
  description: 'ours: 100 %\nsecond line',
  agent: '1',
};

describe('creating', () => {
  it('makes disks, defaults and canonical values', async () => {
    expect(await cluster.callTask('POST', qemu, machine)).toBe('OK');
    const { data } = await cluster.call('GET', `${qemu}/101/config`);
    expect(data).toMatchObject({
      name: 'node101',
      memory: '2048',
      cores: 2,
      boot: 'order=scsi0;net0',
      scsi0: 'local-lvm:vm-101-disk-0,discard=on,iothread=1,size=8G',
      net0: 'virtio=02:00:00:00:01:01,bridge=vmbr0',
      tags: 'alpha;labwright;zeta',
      description: 'ours: 100 %\nsecond line',
      smbios1: expect.stringMatching(/^uuid=[0-9a-f-]{36}$/),
      vmgenid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      meta: expect.stringMatching(/^creation-qemu=.*,ctime=\d+$/),
      digest: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
  });

  it('refuses an ID that exists at once, on any node', async () => {
    const again = await cluster.call('POST', '/nodes/pve2/qemu', { vmid: 101 });
    expect(again.status).toBe(500);
    expect(again.message).toBe("unable to create VM 101 - VM 101 already exists on node 'pve1'\n");
  });

  it('gives one ID to one of many that ask at once', async () => {
    const asked = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        cluster.call('POST', `/nodes/pve${(index % 3) + 1}/qemu`, { vmid: 150 }, { host: `pve${(index % 3) + 1}` }),
      ),
    );
    expect(asked.filter(({ status }) => status === 200)).toHaveLength(1);
    const refusals = asked.filter(({ status }) => status !== 200).map(({ message }) => message?.trimEnd());
    const [exists, timeout] = [
      /^unable to create VM 150 - VM 150 already exists on node 'pve\d'$/,
      /- got (?:lock request )?timeout$/,
    ];
    expect(refusals.filter((text = '') => !exists.test(text) && !timeout.test(text))).toEqual([]);
    const won = asked.find(({ status }) => status === 200);
    expect(await cluster.awaitTask(won?.data)).toBe('OK');
  });

  it('leaves nothing of a create that failed', async () => {
    const result = await cluster.callTask('POST', qemu, {
      vmid: 160,
      scsi0: 'local-lvm:1',
      scsi1: 'local-lvm:1,format=qcow2',
    });
    expect(result).toBe("unable to create VM 160 - unsupported format 'qcow2'");
    expect((await cluster.call('GET', `${qemu}/160/config`)).message).toBe(
      "Configuration file 'nodes/pve1/qemu-server/160.conf' does not exist\n",
    );
    const { data } = await cluster.call('GET', '/nodes/pve1/storage/local-lvm/content');
    expect((data as { vmid: number }[]).filter(({ vmid }) => vmid === 160)).toEqual([]);
  });

  it('takes only what its caller may set', async () => {
    const answer = await cluster.call('POST', qemu, { vmid: 161, args: '-s' });
    expect([answer.status, answer.message]).toEqual([500, "only root can set 'args' config\n"]);
  });
});

describe('power', () => {
  it('starts, refuses a second start, shuts down', async () => {
    expect(await cluster.callTask('POST', `${qemu}/101/status/start`)).toBe('OK');
    expect(await cluster.callTask('POST', `${qemu}/101/status/start`)).toBe('VM 101 already running');
    const running = await cluster.call('GET', `${qemu}/101/status/current`);
    expect(running.data).toMatchObject({
      status: 'running',
      qmpstatus: 'running',
      pid: expect.any(Number),
      agent: 1,
      ha: { managed: 0 },
    });
    expect((await cluster.call('POST', `${qemu}/101/agent/ping`)).message).toMatch(
      /^Permission check failed \(\/vms\/101, VM.GuestAgent.Audit\|/,
    );
    expect((await cluster.call('DELETE', `${qemu}/101`)).message).toBe('VM 101 is running - destroy failed\n');
    expect(await cluster.callTask('POST', `${qemu}/101/status/shutdown`)).toBe('OK');
    expect((await cluster.call('GET', `${qemu}/101/status/current`)).data).toMatchObject({
      status: 'stopped',
      qmpstatus: 'stopped',
    });
    expect(await cluster.callTask('POST', `${qemu}/101/status/stop`)).toBe('OK');
  });

  it('says that a guest did not power down in time', async () => {
    await cluster.callTask('POST', `${qemu}/101/status/start`);
    await cluster.fault('pve1', { kind: 'ignore-powerdown', vmId: 101, times: 1 });
    expect(await cluster.callTask('POST', `${qemu}/101/status/shutdown`, { timeout: 2 })).toBe(
      'VM quit/powerdown failed - got timeout',
    );
    await cluster.fault('pve1', { kind: 'ignore-powerdown', vmId: 101, times: 1 });
    expect(await cluster.callTask('POST', `${qemu}/101/status/shutdown`, { timeout: 2, forceStop: 1 })).toBe('OK');
    expect((await cluster.call('POST', `${qemu}/101/status/reboot`)).message).toBe('VM 101 not running\n');
  });

  it('ends a start with a warning when OVMF has no disk for its variables', async () => {
    await cluster.callTask('POST', qemu, { vmid: 102, bios: 'ovmf' });
    const { data } = await cluster.call('POST', `${qemu}/102/status/start`);
    expect(await cluster.awaitTask(data)).toBe('WARNINGS: 1');
    const log = await cluster.call('GET', `/nodes/pve1/tasks/${encodeURIComponent(String(data))}/log`);
    expect(log.data).toEqual([
      { n: 1, t: 'WARN: no efidisk configured! Using temporary efivars disk.' },
      { n: 2, t: 'TASK WARNINGS: 1' },
    ]);
    await cluster.callTask('POST', `${qemu}/102/status/stop`);
  });
});

describe('changing', () => {
  it('keeps what a running guest cannot follow as pending', async () => {
    await cluster.callTask('POST', `${qemu}/101/status/start`);
    const put = await cluster.call('PUT', `${qemu}/101/config`, { memory: 4096, name: 'renamed', delete: 'rng0' });
    expect([put.status, put.data]).toEqual([200, null]);
    const now = await cluster.call('GET', `${qemu}/101/config`, { current: 1 });
    expect(now.data).toMatchObject({ memory: '2048', name: 'renamed', rng0: 'source=/dev/urandom' });
    const pending = (await cluster.call('GET', `${qemu}/101/pending`)).data as readonly { readonly key: string }[];
    expect(pending.find(({ key }) => key === 'memory')).toEqual({ key: 'memory', value: '2048', pending: '4096' });
    expect(pending.find(({ key }) => key === 'rng0')).toEqual({ key: 'rng0', value: 'source=/dev/urandom', delete: 1 });
    expect((await cluster.call('GET', `${qemu}/101/config`)).data).toMatchObject({ memory: '4096' });
    expect(await cluster.callTask('POST', `${qemu}/101/status/reboot`)).toBe('OK');
    const after = (await cluster.call('GET', `${qemu}/101/config`, { current: 1 })).data;
    expect(after).toMatchObject({ memory: '4096' });
    expect(after).not.toHaveProperty('rng0');
    await cluster.callTask('POST', `${qemu}/101/status/stop`);
  });

  it('refuses a change made on an older file', async () => {
    const answer = await cluster.call('PUT', `${qemu}/101/config`, { cores: 3, digest: '0'.repeat(40) });
    expect([answer.status, answer.message]).toEqual([500, 'checksum mismatch (file change by other user?)\n']);
  });

  it('grows a disk and never shrinks one', async () => {
    expect(await cluster.callTask('PUT', `${qemu}/101/resize`, { disk: 'scsi0', size: '+2G' })).toBe('OK');
    expect((await cluster.call('GET', `${qemu}/101/config`)).data).toMatchObject({
      scsi0: 'local-lvm:vm-101-disk-0,discard=on,iothread=1,size=10G',
    });
    expect(await cluster.callTask('PUT', `${qemu}/101/resize`, { disk: 'scsi0', size: '8G' })).toBe(
      'shrinking disks is not supported',
    );
    expect(await cluster.callTask('PUT', `${qemu}/101/resize`, { disk: 'scsi0', size: '10G' })).toBe('OK');
  });

  it('refuses a boot order with a device that is not there', async () => {
    expect((await cluster.call('PUT', `${qemu}/101/config`, { boot: 'order=scsi1;net0' })).message).toBe(
      "invalid bootorder: device 'scsi1' does not exist'\n",
    );
  });

  it('refuses work on a locked VM', async () => {
    await cluster.fault('pve1', { kind: 'lock-vm', vmId: 101, lock: 'backup' });
    expect((await cluster.call('PUT', `${qemu}/101/config`, { cores: 3 })).message).toBe('VM is locked (backup)\n');
    expect(await cluster.callTask('POST', `${qemu}/101/status/start`)).toBe('VM is locked (backup)');
    await cluster.fault('pve1', { kind: 'unlock-vm', vmId: 101 });
  });

  it('waits for a lock file and says whose it is', async () => {
    const { id } = await cluster.fault('pve1', { kind: 'hold-lock', path: '/var/lock/qemu-server/lock-101.conf' });
    expect((await cluster.call('PUT', `${qemu}/101/config`, { cores: 3 })).message).toBe(
      "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout\n",
    );
    cluster.hosts.get('pve1')?.context.faults.remove(id);
    expect((await cluster.call('PUT', `${qemu}/101/config`, { cores: 3 })).status).toBe(200);
  });
});

describe('destroying', () => {
  it('spares a protected VM and removes another with its disks', async () => {
    await cluster.call('PUT', `${qemu}/101/config`, { protection: 1 });
    expect((await cluster.call('DELETE', `${qemu}/101`)).message).toBe(
      "can't remove VM 101 - protection mode enabled\n",
    );
    await cluster.call('PUT', `${qemu}/101/config`, { protection: 0 });
    expect(await cluster.callTask('DELETE', `${qemu}/101`, { purge: 1 })).toBe('OK');
    expect((await cluster.call('GET', `${qemu}/101/status/current`)).status).toBe(500);
    const { data } = await cluster.call('GET', '/nodes/pve1/storage/local-lvm/content', { vmid: 101 });
    expect(data).toEqual([]);
  });
});
