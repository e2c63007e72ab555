// What goes wrong in a home while Labwright works: locks, late answers, hosts that are down, strangers, and people who do two
// things at once.
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LabEvent } from '@labwright/core/events/event';
import { readLab } from '@labwright/core/lab/read-lab';
import { runToTheEnd } from './killed-run.ts';
import type { ServeProcess } from './serve-processes.ts';
import { makeStandInLab, type StandInLab } from './stand-in-lab.ts';

const never = new AbortController().signal;
const up = { kind: 'up' } as const;
let lab: StandInLab;
let labwright: ServeProcess;

beforeAll(async () => {
  lab = await makeStandInLab({ bridge: 'faults', subnet: 2, machineCount: 2 });
});
afterAll(() => lab.close());

beforeEach(async () => {
  labwright = await lab.processes.start();
});
afterEach(async () => {
  await labwright.kill();
  await lab.clear();
});

const call = (method: string, path: string, parameters?: Readonly<Record<string, string | number>>) =>
  lab.cluster.callTask(method, path, parameters);
const isAt = (event: LabEvent, step: string, state: string): boolean =>
  event.type === 'step' && event.step === step && event.state === state;

const listVmIds = async (): Promise<readonly number[]> =>
  (await lab.hostFiles.listConfigFiles()).map((file) => file.vmId);
const isOnline = async (name: string): Promise<boolean> => {
  const { hosts } = await labwright.client.status(never);
  return hosts.some((host) => host.name === name && host.online);
};

describe('up', { timeout: 60_000 }, () => {
  test('goes on around a machine that a backup has locked, and names the lock', async () => {
    expect((await labwright.run(up)).outcome).toBe('done');
    for (const [host, vmId] of [
      ['pve1', 101],
      ['pve2', 102],
    ] as const)
      await call('POST', `/nodes/${host}/qemu/${vmId}/status/stop`);
    await lab.cluster.fault('pve1', { kind: 'lock-vm', vmId: 101, lock: 'backup' });
    const { outcome, errors, events } = await labwright.run(up);
    expect(outcome).toBe('failed');
    expect(errors).toMatchObject([
      { code: expect.stringMatching(/LW200[45]/), why: expect.stringContaining('VM is locked (backup)') },
    ]);
    expect(events.some((event) => isAt(event, 'machine.ready node102', 'done'))).toBe(true);
    await lab.cluster.fault('pve1', { kind: 'unlock-vm', vmId: 101 });
    expect((await labwright.run(up)).outcome).toBe('done');
    expect(await lab.findWrongs()).toEqual([]);
  });

  test('makes nothing twice when the answer to a creation comes too late', async () => {
    for (const host of lab.cluster.hosts.keys())
      await lab.cluster.fault(host, {
        kind: 'answer',
        status: 596,
        reason: 'Connection timed out',
        path: '^POST /nodes/[^/]+/qemu$',
        isCarriedOut: true,
        times: 1,
      });
    const { outcome, errors } = await labwright.run(up);
    expect([outcome, errors]).toEqual(['done', []]);
    expect(await lab.findWrongs()).toEqual([]);
    for (const { vmId } of lab.blueprint.machines) expect(await lab.countTasks('qmcreate', vmId)).toBe(1);
  });

  test('brings up the others while a host is down, and the rest when it is back', async () => {
    expect((await labwright.run(up)).outcome).toBe('done');
    await call('POST', '/nodes/pve1/qemu/101/status/stop');
    await lab.cluster.fault('pve2', { kind: 'host-down' });
    await expect.poll(() => isOnline('pve2'), { timeout: 20_000 }).toBe(false);
    const { outcome, problems } = await labwright.run(up);
    expect(outcome).toBe('done');
    expect(problems).toMatchObject([{ code: 'LW2001', where: { machine: 'node102', host: 'pve2' } }]);
    await lab.cluster.fault('pve2', { kind: 'host-up' });
    await expect.poll(() => isOnline('pve2'), { timeout: 20_000 }).toBe(true);
    expect(await labwright.run(up)).toMatchObject({ outcome: 'done', problems: [] });
    expect(await lab.findWrongs()).toEqual([]);
  });

  test("leaves somebody else's VM with our number as it is, to the byte", async () => {
    await call('POST', '/nodes/pve3/qemu', {
      vmid: 101,
      name: 'printer',
      memory: 512,
      scsi0: 'local-lvm:4',
      description: 'keep',
    });
    const before = await lab.readConfigFile(101);
    const { outcome, problems, events } = await labwright.run(up);
    expect(outcome).toBe('done');
    expect(problems).toMatchObject([{ code: 'LW2008', where: { vm: '101', host: 'pve3' } }]);
    expect(events.filter((event) => event.type === 'step' && event.target === 'node101')).toEqual([]);
    expect(await lab.readConfigFile(101)).toBe(before);
    expect(new Set(await listVmIds())).toEqual(new Set([101, 102]));
    await expect(labwright.client.plan({ kind: 'destroy', machines: ['node101'] }, never)).rejects.toMatchObject({
      code: 'LW2008',
    });
  });

  test('a stranger that takes the number while the plan waits is refused, and stays', async () => {
    const plan = await labwright.client.plan(up, never);
    await call('POST', '/nodes/pve3/qemu', { vmid: 101, name: 'printer' });
    const before = await lab.readConfigFile(101);
    const applied = labwright.client.run({
      planId: plan.id,
      ticket: 'saved',
      emit: () => undefined,
      interrupt: never,
      signal: never,
    });
    await expect(applied).rejects.toMatchObject({ code: 'LW5001', why: 'vm/101 presence: was absent, is foreign' });
    expect(await listVmIds()).toEqual([101]);
    expect(await lab.readConfigFile(101)).toBe(before);
  });

  test('interrupted ends in order and goes on with the next one', async () => {
    const interrupt = new AbortController();
    const { outcome, events } = await labwright.run(up, {
      interrupt: interrupt.signal,
      onEvent: (event) => {
        if (isAt(event, 'vm.create node101', 'started')) interrupt.abort();
      },
    });
    expect(outcome).toBe('interrupted');
    const started = events.flatMap((event) => (event.type === 'step' && event.state === 'started' ? [event.step] : []));
    const ended = events.flatMap((event) => (event.type === 'step' && event.state === 'done' ? [event.step] : []));
    // What changes something and had begun was finished.
    expect(ended).toEqual(expect.arrayContaining(started.filter((step) => !step.startsWith('machine.ready'))));
    expect(events.at(-1)).toMatchObject({ type: 'run-ended', outcome: 'interrupted' });
    expect((await labwright.run(up)).outcome).toBe('done');
    expect(await lab.findWrongs()).toEqual([]);
  });

  test('runs once at a time, and goes on when the client that asked for it is gone', async () => {
    for (const { name } of lab.blueprint.machines) lab.machines.silent.add(name);
    const plan = await labwright.client.plan(up, never);
    const gone = new AbortController();
    const waits = Promise.withResolvers<void>();
    const first = labwright.client.run({
      planId: plan.id,
      ticket: 'first',
      emit: (event) => {
        if (isAt(event, 'machine.ready node101', 'started')) waits.resolve();
      },
      interrupt: never,
      signal: gone.signal,
    });
    const hungUp = first.then(
      () => 'it ended',
      () => 'hung up',
    );
    await waits.promise;
    await expect(labwright.run(up)).rejects.toMatchObject({ code: 'LW5003' });
    gone.abort();
    expect(await hungUp).toBe('hung up');
    await expect(labwright.run(up)).rejects.toMatchObject({ code: 'LW5003' });
    lab.machines.silent.clear();
    const isReady = async (): Promise<boolean> =>
      (await labwright.client.status(never)).machines.every((machine) => machine.state === 'ready');
    await expect.poll(isReady, { timeout: 20_000 }).toBe(true);
    await expect
      .poll(
        () =>
          labwright.run(up).then(
            ({ outcome }) => outcome,
            () => 'busy',
          ),
        { timeout: 20_000 },
      )
      .toBe('done');
    expect(await lab.findWrongs()).toEqual([]);
  });
});

test('destroy leaves nothing of the machine, and up makes it anew', { timeout: 60_000 }, async () => {
  expect((await labwright.run(up)).outcome).toBe('done');
  const key = /^smbios1: (.*)$/m.exec(await lab.readConfigFile(101))?.[1];
  expect(await labwright.run({ kind: 'destroy', machines: ['node101'] })).toMatchObject({
    outcome: 'done',
    errors: [],
  });
  expect(await listVmIds()).toEqual([102]);
  expect((await lab.hostFiles.listVolumes()).filter((volume) => volume.includes('vm-101-'))).toEqual([]);
  for (const { context } of lab.cluster.hosts.values()) expect(await context.guests.getPid(101)).toBeUndefined();
  await labwright.kill();
  expect(await runToTheEnd(lab)).toMatchObject({ wrongs: [] });
  expect(/^smbios1: (.*)$/m.exec(await lab.readConfigFile(101))?.[1]).not.toBe(key);
});

test(
  'a lost store loses no machine: up makes nothing anew and finds nothing foreign',
  { timeout: 60_000 },
  async () => {
    expect((await labwright.run(up)).outcome).toBe('done');
    await labwright.kill();
    await lab.loseStore();
    labwright = await lab.processes.start();
    const plan = await labwright.client.plan(up, never);
    expect(plan.steps.filter((step) => step.change !== 'wait')).toEqual([]);
    expect(plan.problems).toEqual([]);
  },
);

test(
  'an edited lab file is planned and applied by the Labwright that serves already',
  { timeout: 60_000 },
  async () => {
    expect((await labwright.run(up)).outcome).toBe('done');
    const { digest: before } = await readLab(lab.labFile);
    const text = await readFile(lab.labFile, 'utf8');
    try {
      await writeFile(lab.labFile, `# a comment\n${text}`);
      expect((await readLab(lab.labFile)).digest).toBe(before);
      await writeFile(lab.labFile, text.replace('memory: 1GiB', 'memory: 2GiB'));
      const { digest } = await readLab(lab.labFile);
      const client = labwright.clientBy(digest);
      // Who has not read the file is answered by what is served.
      expect((await labwright.client.plan(up, never)).steps).toEqual([]);
      const plan = await client.plan(up, never);
      expect(plan.steps.map(({ target }) => target)).toEqual(expect.arrayContaining(['node101', 'node102']));
      await expect(labwright.clientBy(before).plan(up, never)).rejects.toMatchObject({ code: 'LW5004' });
      const run = { planId: plan.id, ticket: 'edited', emit: () => undefined, interrupt: never, signal: never };
      expect(await client.run(run)).toEqual({ type: 'end', outcome: 'done', errors: [] });
      expect(await lab.readConfigFile(101)).toMatch(/^memory: 2048$/m);
      // A file that is not sound is the editor's to hear of; the lab is served as it was.
      await writeFile(lab.labFile, 'version: 1\n');
      await expect(labwright.clientBy('another').plan(up, never)).rejects.toMatchObject({ code: 'LW1002' });
      expect((await client.status(never)).machines).toHaveLength(2);
    } finally {
      await writeFile(lab.labFile, text);
    }
  },
);
