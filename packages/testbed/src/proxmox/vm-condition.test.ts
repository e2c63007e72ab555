// How a machine's VM and its disk are, as the driver tells it of an emulated Proxmox: what healing replaces machines on.
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hostName, vmId, type HostName } from '@labwright/core/addresses/names';
import { formatMark, formatTags } from '@labwright/drivers/proxmox/mark';
import { fetchVmCondition } from '@labwright/drivers/proxmox/vm-condition';
import { fixtureToken, type ClusterFixture } from '@labwright/rehearsal/proxmox/cluster-fixture';
import { lab, startMarkedVms, storage, weakTokens, type MarkedVms } from './marked-vms.ts';

let vms: MarkedVms;
let cluster: ClusterFixture;
beforeAll(async () => {
  vms = await startMarkedVms();
  ({ cluster } = vms);
});
afterEach(() => {
  for (const { context } of cluster.hosts.values()) context.faults.remove();
});
afterAll(() => vms.close());

describe('whether it runs', () => {
  it('is absent when no host has its number', async () => {
    expect(await vms.look(100)).toEqual({ kind: 'absent' });
  });

  it('runs with its disk there', async () => {
    await vms.makeVm(101);
    expect(await vms.look(101)).toEqual({ kind: 'running', disk: 'there' });
  });

  it('runs with its disk on a storage of files', async () => {
    await vms.makeVm(102, { scsi0: 'local:1,format=qcow2' });
    expect(await vms.look(102)).toEqual({ kind: 'running', disk: 'there' });
  });

  it('has stopped by itself when its guest ended, and when it was never started', async () => {
    await vms.makeVm(103);
    await cluster.fault('pve1', { kind: 'power-cut', vmId: 103 });
    const stopped = { kind: 'stopped', by: 'itself', disk: 'there' };
    expect(await vms.look(103)).toEqual(stopped);
    const config = { vmid: 104, tags: formatTags(lab).join(';'), scsi0: `${storage}:1` };
    const mark = { lab, machine: hostName('node104'), pool: 'workers', vmId: vmId(104), generation: 1 };
    await cluster.callTask('POST', '/nodes/pve1/qemu', { ...config, description: formatMark(mark) });
    expect(await vms.look(104)).toEqual(stopped);
  });

  it.each(['stop', 'shutdown'])('was stopped by somebody with %s, until it is started again', async (action) => {
    const id = action === 'stop' ? 105 : 106;
    await vms.makeVm(id);
    await vms.post('pve1', id, `status/${action}`);
    expect(await vms.look(id)).toEqual({ kind: 'stopped', by: 'somebody', disk: 'there' });
    await vms.post('pve1', id, 'status/start');
    await cluster.fault('pve1', { kind: 'power-cut', vmId: id });
    expect(await vms.look(id)).toEqual({ kind: 'stopped', by: 'itself', disk: 'there' });
  });

  it('takes a stop that failed for none', async () => {
    await vms.makeVm(107);
    await cluster.fault('pve1', { kind: 'task-failure', text: 'got timeout', type: 'qmstop', times: 1 });
    expect(await cluster.callTask('POST', '/nodes/pve1/qemu/107/status/stop')).toBe('got timeout');
    await cluster.fault('pve1', { kind: 'power-cut', vmId: 107 });
    expect(await vms.look(107)).toEqual({ kind: 'stopped', by: 'itself', disk: 'there' });
  });

  it('knows who stopped it behind any number of other tasks', async () => {
    await vms.makeVm(108);
    await vms.post('pve1', 108, 'status/stop');
    for (let count = 0; count < 60; count += 1) {
      const upid = await vms.runTask(count % 2 === 0 ? 'qmsnapshot' : 'qmigrate', 108);
      expect(await cluster.awaitTask(upid)).toBe('OK');
    }
    expect(await vms.look(108)).toEqual({ kind: 'stopped', by: 'somebody', disk: 'there' });
  });
});

describe('whether its disk is there', () => {
  it('is gone when its volume is, while it runs and when it stopped', async () => {
    await vms.makeVm(111);
    await rm(vms.diskFile(111));
    expect(await vms.look(111)).toEqual({ kind: 'running', disk: 'gone' });
    await cluster.fault('pve1', { kind: 'power-cut', vmId: 111 });
    expect(await vms.look(111)).toEqual({ kind: 'stopped', by: 'itself', disk: 'gone' });
  });

  it.each(['bios', 'uefi'])('is gone when the disk of a %s machine failed, until vm.redisk', async (firmware) => {
    const id = firmware === 'bios' ? 118 : 119;
    await vms.makeVm(id, firmware === 'bios' ? {} : { efidisk0: `${storage}:1,efitype=4m` });
    await cluster.fault('pve1', { kind: 'lose-disk', vmId: id });
    expect(await vms.look(id)).toEqual({ kind: 'stopped', by: 'itself', disk: 'gone' });
    const failed = await cluster.callTask('POST', `/nodes/pve1/qemu/${id}/status/start`);
    expect(failed).toMatch(/^no such logical volume pve\/vm-11\d-disk-\d$/);
    await vms.giveNewDisk(id);
    expect(await vms.look(id)).toEqual({ kind: 'stopped', by: 'itself', disk: 'there' });
    await vms.post('pve1', id, 'status/start');
    const { data } = await cluster.call('GET', `/nodes/pve1/qemu/${id}/config`);
    expect(Object.keys(data as object).filter((key) => key.startsWith('unused'))).toEqual([]);
  });

  it('leaves the firmware of a uefi machine what it knew when that is not lost', async () => {
    await vms.makeVm(117, { efidisk0: `${storage}:1,efitype=4m` });
    await vms.post('pve1', 117, 'status/stop');
    const efidisk = async () => (await cluster.call('GET', '/nodes/pve1/qemu/117/config')).data;
    const before = await efidisk();
    await rm(join(dirname(vms.diskFile(117)), 'vm-117-disk-1'));
    expect(await vms.look(117)).toEqual({ kind: 'stopped', by: 'somebody', disk: 'gone' });
    await vms.giveNewDisk(117);
    expect(await efidisk()).toMatchObject({ efidisk0: (before as { readonly efidisk0: string }).efidisk0 });
    expect(await vms.look(117)).toEqual({ kind: 'stopped', by: 'somebody', disk: 'there' });
  });

  it('is gone though the VM has another disk on that storage', async () => {
    await vms.makeVm(112);
    await vms.post('pve1', 112, 'config', { scsi1: `${storage}:1` });
    await rm(vms.diskFile(112));
    expect(await vms.look(112)).toEqual({ kind: 'running', disk: 'gone' });
  });

  it.each(Object.keys(weakTokens))('is unknown to %s, whether it is there or not', async (token) => {
    const id = 113 + Object.keys(weakTokens).indexOf(token);
    await vms.makeVm(id);
    expect(await vms.look(id, { token })).toEqual({ kind: 'running', disk: 'unknown' });
    await rm(vms.diskFile(id));
    expect(await vms.look(id, { token })).toEqual({ kind: 'running', disk: 'unknown' });
    expect(await vms.look(id)).toEqual({ kind: 'running', disk: 'gone' });
  });

  it('is unknown when somebody detached it', async () => {
    await vms.makeVm(121);
    await vms.post('pve1', 121, 'status/stop');
    await cluster.call('PUT', '/nodes/pve1/qemu/121/config', { delete: 'scsi0' });
    const { data } = await cluster.call('GET', '/nodes/pve1/qemu/121/config');
    expect(data).toMatchObject({ unused0: `${storage}:vm-121-disk-0` });
    expect(data).not.toHaveProperty('scsi0');
    expect(await vms.look(121)).toEqual({ kind: 'stopped', by: 'somebody', disk: 'unknown' });
  });

  it('is unknown while the storage answers with an error', async () => {
    await vms.makeVm(122);
    await rm(vms.diskFile(122));
    const path = `/storage/${storage}/content`;
    await cluster.fault('pve1', { kind: 'answer', status: 500, reason: 'storage is not online', path });
    expect(await vms.look(122)).toEqual({ kind: 'running', disk: 'unknown' });
  });

  // A thin pool that is away is refused by Proxmox; a volume group that is away lists nothing and no error.
  it.each([
    { on: storage, answer: 500 },
    { on: 'san', answer: 200 },
  ])('is unknown while what is under $on is away, and there when it is back', async ({ on, answer }) => {
    const id = on === 'san' ? 125 : 123;
    await vms.makeVm(id, { scsi0: `${on}:1` });
    const folder = dirname(vms.diskFile(id, on));
    await rename(folder, `${folder}.away`);
    try {
      const content = await cluster.call('GET', `/nodes/pve1/storage/${on}/content`);
      expect([content.status, content.data ?? []]).toEqual([answer, []]);
      expect(await vms.look(id)).toEqual({ kind: 'running', disk: 'unknown' });
    } finally {
      await rename(`${folder}.away`, folder);
    }
    expect(await vms.look(id)).toEqual({ kind: 'running', disk: 'there' });
  });

  it('is unknown when the storage lists nothing because it is not for images any more', async () => {
    await vms.makeVm(124);
    const content = cluster.topology.storages.find(({ id }) => id === storage)?.content ?? [];
    const before = content.splice(0, content.length, 'rootdir');
    try {
      const { data } = await cluster.call('GET', `/nodes/pve1/storage/${storage}/content`);
      expect(data).toEqual([]);
      expect(await vms.look(124)).toEqual({ kind: 'running', disk: 'unknown' });
    } finally {
      content.splice(0, content.length, ...before);
    }
    expect(await vms.look(124)).toEqual({ kind: 'running', disk: 'there' });
  });
});

describe('what is not to be judged', () => {
  it('is unreachable on a host that is down, and off when that is known', async () => {
    await vms.makeVm(131, { host: 'pve3' });
    await cluster.fault('pve3', { kind: 'host-down' });
    const host = hostName('pve3');
    try {
      expect(await vms.look(131)).toEqual({ kind: 'unreachable', host, power: 'unknown' });
      expect(await vms.look(131, { hostsOff: [host] })).toEqual({ kind: 'unreachable', host, power: 'off' });
    } finally {
      await cluster.fault('pve3', { kind: 'host-up' });
    }
    const stopped = { kind: 'stopped', by: 'itself', disk: 'there' };
    await expect.poll(() => vms.look(131), { timeout: 10_000 }).toEqual(stopped);
  });

  it('leaves a VM alone that does not carry the mark, or that of another', async () => {
    await vms.makeVm(132, { description: 'my mail server' });
    expect(await vms.look(132)).toMatchObject({ kind: 'untouchable', why: expect.stringMatching(/description/) });
    const machine = hostName('node999');
    const copied = formatMark({ lab, machine, pool: 'workers', vmId: vmId(999), generation: 1 });
    await vms.makeVm(133, { description: copied });
    expect(await vms.look(133)).toMatchObject({ kind: 'untouchable', why: expect.stringMatching(/copy/) });
    await rm(vms.diskFile(133));
    expect(await vms.look(133)).toMatchObject({ kind: 'untouchable', why: expect.stringMatching(/copy/) });
  });

  it('leaves a container alone that has its number', async () => {
    // The emulator has no containers: this is the row of one, as the list of guests gives it.
    const row = { vmId: vmId(134), host: hostName('pve1'), name: 'ct', cores: 1, memoryMiB: 512, tags: [] };
    const connection = vms.connectAs(fixtureToken);
    const options = { lab, hostsOff: new Set<HostName>(), signal: new AbortController().signal };
    const condition = await fetchVmCondition(connection, { ...row, status: 'running' }, options);
    await connection.close();
    expect(condition).toEqual({ kind: 'untouchable', why: "its VM ID 134 is a container's" });
  });

  it('leaves a locked VM alone until it is unlocked', async () => {
    await vms.makeVm(135);
    await rm(vms.diskFile(135));
    await cluster.fault('pve1', { kind: 'lock-vm', vmId: 135, lock: 'backup' });
    expect(await vms.look(135)).toEqual({ kind: 'untouchable', why: 'Proxmox holds its lock "backup"' });
    await cluster.fault('pve1', { kind: 'unlock-vm', vmId: 135 });
    expect(await vms.look(135)).toEqual({ kind: 'running', disk: 'gone' });
  });

  it('leaves a VM alone while a task runs on it, other than a console', async () => {
    await vms.makeVm(136);
    const open = Promise.withResolvers<undefined>();
    const console = await vms.runTask('vncproxy', 136, () => open.promise);
    expect(await vms.look(136)).toEqual({ kind: 'running', disk: 'there' });
    const move = Promise.withResolvers<undefined>();
    const moving = await vms.runTask('qmmove', 136, () => move.promise);
    expect(await vms.look(136)).toEqual({ kind: 'untouchable', why: 'the task qmmove runs on it' });
    move.resolve(undefined);
    expect(await cluster.awaitTask(moving)).toBe('OK');
    expect(await vms.look(136)).toEqual({ kind: 'running', disk: 'there' });
    open.resolve(undefined);
    expect(await cluster.awaitTask(console)).toBe('OK');
  });
});
