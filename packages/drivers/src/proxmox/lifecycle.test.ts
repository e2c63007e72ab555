// The decisions around a change of a VM, against a peer that keeps just enough state to be asked twice.
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import { Secret } from '@labwright/core/ports/secret';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ProxmoxConnection } from './connection.ts';
import { createVm, destroyVm, growDisk, rebootVm, resetVm, startVm, stopVm, updateVm } from './lifecycle.ts';
import { formatMark, formatTags } from './mark.ts';
import { observeHypervisors } from './observe.ts';
import type { TaskProgress } from './task.ts';
import {
  type Certificate,
  type PeerAnswer,
  type PeerRequest,
  type TestPeer,
  connectTo,
  makeCertificate,
  openPeer,
} from './test-peer.ts';
import type { VmSpec } from './vm-config.ts';

const lab = labId('home');
const target = { vmId: vmId(101), lab };
const signal = new AbortController().signal;
const mark = { lab, machine: hostName('node101'), pool: 'workers', vmId: vmId(101), generation: 1 };
const spec: VmSpec = {
  mark,
  cores: 2,
  memoryMiB: 2048,
  cpuType: 'host',
  mac: mac('bc:24:11:00:01:01'),
  bridge: 'vmbr0',
  storage: 'local-lvm',
  diskGiB: 32,
  firmware: 'bios',
  identity: { uuid: '7b0c2f54-0f1e-4b1c-9a55-5e2b8c0d1f11', phoneHomeKey: new Secret('key') },
  startWithHost: true,
};

interface Vm {
  status: 'running' | 'stopped';
  config: Record<string, unknown>;
  lock?: string;
}

const own = (status: Vm['status'] = 'stopped'): Vm => ({
  status,
  config: {
    digest: 'd1',
    name: 'node101',
    description: formatMark(mark),
    tags: formatTags(lab).join(';'),
    cores: 2,
    memory: '2048',
    scsi0: 'local-lvm:vm-101-disk-0,size=32G',
    net0: 'virtio=BC:24:11:00:01:01,bridge=vmbr0',
  },
});

const foreign = (): Vm => ({ status: 'running', config: { digest: 'd1', name: 'mail', memory: 4096 } });

interface Script {
  vm: Vm | undefined;
  active: readonly string[];
  /** What each request that changes something does and is answered. */
  change(request: PeerRequest, count: number): PeerAnswer;
  task(type: string, polls: number): PeerAnswer;
  log: readonly string[];
}

const upidOf = (type: string): string => `UPID:pve1:0003D0F5:00A1B2C3:65F0A1B2:${type}:101:labwright@pve!cli:`;
const started = (type: string): PeerAnswer => ({ body: { data: upidOf(type) } });
const refused = (message: string, status = 500): PeerAnswer => ({
  status,
  reason: message,
  body: { data: null, message: `${message}\n` },
});
const ended = (exitstatus: string): PeerAnswer => ({ body: { data: { status: 'stopped', exitstatus } } });
const runs: PeerAnswer = { body: { data: { status: 'running' } } };

let certificate: Certificate;
let pve: TestPeer | undefined;
let connection: ProxmoxConnection | undefined;
beforeAll(async () => {
  certificate = await makeCertificate('Proxmox Virtual Environment');
});
afterEach(async () => {
  await connection?.close();
  await pve?.close();
});

async function open(script: Script): Promise<{ connection: ProxmoxConnection; changes: () => readonly string[] }> {
  const polls = new Map<string, number>();
  const isChange = (request: PeerRequest): boolean => request.method !== 'GET';
  pve = await openPeer(certificate, (request) => {
    if (isChange(request)) return script.change(request, pve?.requests.filter(isChange).length ?? 0);
    const path = request.path.replace('/api2/json', '');
    const { vm } = script;
    const row = {
      type: 'qemu',
      vmid: 101,
      node: 'pve1',
      status: 'unknown',
      ...(vm?.lock === undefined ? {} : { lock: vm.lock }),
    };
    if (path === '/cluster/resources') return { body: { data: vm === undefined ? [] : [row] } };
    if (path === '/nodes/pve1/storage')
      return { body: { data: [{ storage: 'local-lvm', type: 'lvmthin', content: 'images' }] } };
    if (path === '/nodes/pve1/tasks') {
      return { body: { data: script.active.map((type) => ({ upid: upidOf(type), type, status: 'running' })) } };
    }
    if (path.endsWith('/qemu/101/config')) return { body: { data: vm?.config } };
    if (path.endsWith('/status/current')) return { body: { data: { status: vm?.status } } };
    const [, type = '', what] = /\/tasks\/UPID:.*:([a-z]+):101:.*:\/(status|log)$/.exec(path) ?? [];
    if (what === 'log') {
      const lines = script.log.map((text, index) => ({ n: index + 1, t: text }));
      return { body: { data: lines.slice(Number(request.query.get('start'))) } };
    }
    if (what === 'status') {
      polls.set(type, (polls.get(type) ?? 0) + 1);
      return script.task(type, polls.get(type) ?? 0);
    }
    return refused(`no answer was written for ${path}`, 501);
  });
  connection = connectTo([pve.port]);
  return {
    connection,
    changes: () =>
      (pve?.requests ?? [])
        .filter(isChange)
        .map(({ method, path }) => `${method} ${path.replace('/api2/json/nodes/pve1/qemu', '')}`),
  };
}

const makeScript = (changes: Partial<Script>): Script => ({
  vm: undefined,
  active: [],
  change: () => refused('no change was expected'),
  task: () => ended('OK'),
  log: [],
  ...changes,
});

describe('creating', () => {
  it('is tried again when the task could not get a lock, and gives the warnings of one that ended with some', async () => {
    let tries = 0;
    const script = makeScript({
      change: () => started('qmcreate'),
      task: () => {
        tries += 1;
        if (tries === 1)
          return ended("unable to create VM 101 - can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout");
        script.vm = own();
        return ended('WARNINGS: 1');
      },
      log: ['creating disk', 'WARN: Sum of all thin volume sizes exceeds the pool', 'TASK WARNINGS: 1'],
    });
    const { connection, changes } = await open(script);
    expect(await createVm(connection, spec, 'pve1', { signal })).toEqual({
      outcome: 'changed',
      warnings: ['Sum of all thin volume sizes exceeds the pool'],
    });
    expect(changes()).toEqual(['POST ', 'POST ']);
  });

  it('looks after an answer that got lost, and sends no second request when the first was carried out', async () => {
    const script = makeScript({
      change: () => {
        script.vm = own();
        return refused('Connection timed out', 596);
      },
    });
    const { connection, changes } = await open(script);
    expect((await createVm(connection, spec, 'pve1', { signal })).outcome).toBe('changed');
    expect(changes()).toEqual(['POST ']);
  });

  it('joins a creation that still runs from before a crash', async () => {
    const script = makeScript({
      vm: { status: 'stopped', config: { digest: 'd0' }, lock: 'create' },
      active: ['qmcreate'],
      task: (_type, polls) => {
        if (polls < 3) return runs;
        script.vm = own();
        script.active = [];
        return ended('OK');
      },
      log: ['creating disk', 'zeroing'],
    });
    const { connection, changes } = await open(script);
    const seen: TaskProgress[] = [];
    const result = await createVm(connection, spec, 'pve1', { signal, onProgress: (progress) => seen.push(progress) });
    expect([result.outcome, changes()]).toEqual(['unchanged', []]);
    expect(seen[0]).toMatchObject({ lastLine: 'zeroing', awaited: 'task qmcreate that already runs on VM 101' });
  });

  it('never touches what has the number and is not ours', async () => {
    const { connection, changes } = await open(makeScript({ vm: foreign() }));
    await expect(createVm(connection, spec, 'pve1', { signal })).rejects.toMatchObject({ code: 'LW2008' });
    expect(changes()).toEqual([]);
  });

  it('finds out whose it is when somebody took the number after the look', async () => {
    const script = makeScript({
      change: () => {
        script.vm = foreign();
        return refused("unable to create VM 101 - VM 101 already exists on node 'pve2'");
      },
    });
    const { connection, changes } = await open(script);
    await expect(createVm(connection, spec, 'pve1', { signal })).rejects.toMatchObject({ code: 'LW2008' });
    expect(changes()).toEqual(['POST ']);
  });

  it('gives up on one that stays half made, and says how to clean up', async () => {
    const { connection, changes } = await open(makeScript({ vm: { status: 'stopped', config: {}, lock: 'create' } }));
    await expect(createVm(connection, spec, 'pve1', { signal })).rejects.toMatchObject({
      code: 'LW2006',
      fix: [expect.stringMatching(/qm unlock 101/)],
    });
    expect(changes()).toEqual([]);
  });
});

describe('a VM that is not ours', () => {
  it.each([
    ['started', startVm],
    ['stopped', stopVm],
    ['rebooted', rebootVm],
    ['reset', resetVm],
    ['removed', destroyVm],
  ])('is not %s', async (_what, change) => {
    const { connection, changes } = await open(makeScript({ vm: foreign() }));
    await expect(change(connection, target, { signal })).rejects.toMatchObject({ code: 'LW2008' });
    expect(changes()).toEqual([]);
  });

  it('is not even waited for while a task of its own runs', async () => {
    const { connection } = await open(makeScript({ vm: foreign(), active: ['vzdump'], task: () => runs }));
    await expect(startVm(connection, target, { signal })).rejects.toMatchObject({ code: 'LW2008' });
    expect(pve?.requests.some(({ path }) => path.includes('/tasks/UPID'))).toBe(false);
  });

  it('is not reconfigured or resized', async () => {
    const { connection, changes } = await open(makeScript({ vm: foreign() }));
    await expect(updateVm(connection, target, { cores: 1 }, { signal })).rejects.toMatchObject({ code: 'LW2008' });
    await expect(growDisk(connection, target, 64, { signal })).rejects.toMatchObject({ code: 'LW2008' });
    expect(changes()).toEqual([]);
  });
});

describe('starting', () => {
  it('a running VM does nothing', async () => {
    const { connection, changes } = await open(makeScript({ vm: own('running') }));
    expect([(await startVm(connection, target, { signal })).outcome, changes()]).toEqual(['unchanged', []]);
  });

  it('tolerates that a new task is not known at once', async () => {
    const script = makeScript({
      vm: own(),
      change: () => started('qmstart'),
      task: (_type, polls) => (polls < 3 ? refused('no such task', 400) : ended('OK')),
    });
    const { connection } = await open(script);
    expect((await startVm(connection, target, { signal })).outcome).toBe('changed');
  });

  it('that fails has the reason and the last lines of the log', async () => {
    const log = [
      'start VM 101',
      "bridge 'vmbr7' does not exist",
      "TASK ERROR: start failed: bridge 'vmbr7' does not exist",
    ];
    const script = makeScript({
      vm: own(),
      change: () => started('qmstart'),
      task: () => ended("start failed: bridge 'vmbr7' does not exist"),
      log,
    });
    const { connection, changes } = await open(script);
    await expect(startVm(connection, target, { signal })).rejects.toMatchObject({
      code: 'LW2005',
      message: 'the start of VM 101 on pve1 failed',
      why: "start failed: bridge 'vmbr7' does not exist",
      log,
    });
    expect(changes().length).toBe(1);
  });

  it('that does not end in time names what was awaited and the last thing seen', async () => {
    const script = makeScript({
      vm: own(),
      change: () => started('qmstart'),
      task: () => runs,
      log: ['waiting for storage'],
    });
    const { connection } = await open(script);
    await expect(startVm(connection, target, { signal, timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'LW2006',
      message: 'the start of VM 101 on pve1 did not end within 30 s',
      why: 'the task still runs; the last line of its log is: waiting for storage',
    });
  });
});

describe('other changes', () => {
  it('removing stops first, and a VM that is gone is done', async () => {
    const script = makeScript({
      vm: own('running'),
      change: ({ method }) => {
        if (method === 'DELETE') script.vm = undefined;
        else if (script.vm !== undefined) script.vm.status = 'stopped';
        return started(method === 'DELETE' ? 'qmdestroy' : 'qmstop');
      },
    });
    const { connection, changes } = await open(script);
    expect((await destroyVm(connection, target, { signal })).outcome).toBe('changed');
    expect((await destroyVm(connection, target, { signal })).outcome).toBe('unchanged');
    expect(changes()).toEqual(['POST /101/status/stop', 'DELETE /101']);
  });

  it('a configuration that somebody edited meanwhile is read again before it is written', async () => {
    const script = makeScript({
      vm: own(),
      change: ({ form }) => {
        if (form.get('digest') === 'd2') return { body: { data: null } };
        if (script.vm !== undefined) script.vm.config['digest'] = 'd2';
        return refused('checksum mismatch (file change by other user?)');
      },
    });
    const { connection } = await open(script);
    expect((await updateVm(connection, target, { memoryMiB: 4096 }, { signal })).outcome).toBe('changed');
    expect(pve?.requests.at(-1)?.form.get('memory')).toBe('4096');
  });

  it.each([
    ['reboot', rebootVm],
    ['reset', resetVm],
  ])('a %s whose answer got lost is not asked for twice', async (_what, change) => {
    const { connection, changes } = await open(makeScript({ vm: own('running'), change: () => 'hang up' }));
    await expect(change(connection, target, { signal })).rejects.toMatchObject({ code: 'LW2001' });
    expect(changes().length).toBe(1);
  });

  it('a disk that is large enough is left', async () => {
    const { connection, changes } = await open(makeScript({ vm: own() }));
    expect([(await growDisk(connection, target, 20, { signal })).outcome, changes()]).toEqual(['unchanged', []]);
  });
});

describe('observing', () => {
  it('takes a host that is down as a fact, and its VM IDs as taken', async () => {
    const GiB = 1024 ** 3;
    const answers: Record<string, PeerAnswer> = {
      '/cluster/status': {
        body: {
          data: [
            { type: 'cluster', name: 'home', nodes: 3, quorate: 1, version: 4 },
            { type: 'node', name: 'pve1', online: 1, ip: '10.1.0.11' },
            { type: 'node', name: 'pve2', online: 0, ip: '10.1.0.12' },
            { type: 'node', name: 'pve3', online: 1, ip: '10.1.0.13' },
          ],
        },
      },
      '/nodes': {
        body: {
          data: [
            { node: 'pve1', status: 'online', maxcpu: 12, maxmem: 24 * GiB, mem: 2 * GiB },
            { node: 'pve2', status: 'offline' },
            { node: 'pve3', status: 'online', maxcpu: 12, maxmem: 24 * GiB },
          ],
        },
      },
      '/cluster/resources': {
        body: {
          data: [
            { type: 'qemu', vmid: 101, node: 'pve1', status: 'unknown', tags: 'labwright;lab-home' },
            { type: 'qemu', vmid: 102, node: 'pve2', status: 'running', name: 'node102', maxcpu: 2, maxmem: 2 * GiB },
            { type: 'lxc', vmid: 900, node: 'pve1', status: 'running', name: 'dns', maxcpu: 1, maxmem: GiB },
          ],
        },
      },
      '/nodes/pve1/status': {
        body: {
          data: {
            pveversion: 'pve-manager/9.0.3/025864202ebb6109',
            cpuinfo: { cpus: 12, mhz: '2400.000' },
            memory: { total: 24 * GiB, used: 2 * GiB, free: 22 * GiB },
            loadavg: ['0.10', '0.20', '0.30'],
          },
        },
      },
      '/nodes/pve3/status': { status: 595, reason: 'No route to host', body: '' },
      '/nodes/pve1/qemu/101/config': { body: { data: own().config } },
      '/nodes/pve1/qemu/101/status/current': { body: { data: { status: 'running', qmpstatus: 'running' } } },
    };
    pve = await openPeer(
      certificate,
      ({ path }) => answers[path.replace('/api2/json', '')] ?? refused('not written', 501),
    );
    connection = connectTo([pve.port]);
    const facts = await observeHypervisors(connection, { lab, vmIds: [vmId(101), vmId(102)], signal });
    expect(facts.hosts).toEqual([
      { name: 'pve1', online: true, version: '9.0.3', cores: 12, memoryMiB: 24_576, memoryUsedMiB: 2_048 },
      { name: 'pve2', online: false, version: '', cores: 0, memoryMiB: 0, memoryUsedMiB: 0 },
      { name: 'pve3', online: false, version: '', cores: 12, memoryMiB: 24_576, memoryUsedMiB: 0 },
    ]);
    expect(facts.vms).toMatchObject([
      {
        vmId: 101,
        host: 'pve1',
        name: 'node101',
        status: 'running',
        config: { diskGiB: 32, macs: ['bc:24:11:00:01:01'] },
      },
      { vmId: 102, host: 'pve2', name: 'node102', status: 'unknown', cores: 2, memoryMiB: 2048 },
      { vmId: 900, host: 'pve1', name: 'dns', status: 'running' },
    ]);
    expect(facts.vms[1]?.config).toBeUndefined();
  });
});
