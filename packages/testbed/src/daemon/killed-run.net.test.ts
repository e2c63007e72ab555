// `up` killed with SIGKILL ends the same when it is run again: here at chosen moments, in kill-up.acceptance.ts at each.
import type { Intent } from '@labwright/core/contract/contract';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { killDuring, runKilled, runToTheEnd } from './killed-run.ts';
import { makeStandInLab, type StandInLab } from './stand-in-lab.ts';

let lab: StandInLab;
beforeAll(async () => {
  lab = await makeStandInLab({ bridge: 'killed', subnet: 1, machineCount: 2 });
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

describe('up', { timeout: 60_000 }, () => {
  test.each([
    { step: 'vm.create node101', state: 'started' },
    { step: 'vm.start node102', state: 'started' },
    { step: 'machine.ready node101', state: 'started' },
  ] as const)('killed when $step has $state ends the same when run again', async ({ step, state }) => {
    const { killedAt, wrongs } = await runKilled(lab, { kind: 'up' }, { kind: 'step', step, state });
    expect(killedAt).toBe(`${step} ${state}`);
    expect(wrongs).toEqual([]);
  });

  test.each([
    { type: 'qmcreate', stepKind: 'vm.create' },
    { type: 'qmstart', stepKind: 'vm.start' },
  ])('killed in the middle of a $type joins what runs instead of asking twice', async ({ type, stepKind }) => {
    for (const host of lab.cluster.hosts.keys())
      await lab.cluster.fault(host, { kind: 'slow-tasks', seconds: 4, type, times: 1 });
    const { killedAt, wrongs } = await runKilled(lab, { kind: 'up' }, { kind: 'in-task', stepKind });
    expect(killedAt).toMatch(stepKind);
    expect(wrongs).toEqual([]);
    for (const { vmId } of lab.blueprint.machines) expect(await lab.countTasks(type, vmId)).toBe(1);
  });
});

describe('rebuild', { timeout: 60_000 }, () => {
  // Before the mark on the VM is raised nothing is lost and `up` brings back what there was; from then on `up` finishes it.
  test.each([
    { step: 'vm.shutdown node101', state: 'started', generation: 1 },
    { step: 'vm.wipe node101', state: 'done', generation: 2 },
    { step: 'machine.ready node101', state: 'done', generation: 2 },
  ] as const)('killed when $step has $state is finished by up', async ({ step, state, generation }) => {
    expect(await runToTheEnd(lab)).toMatchObject({ wrongs: [] });
    const { killedAt, wrongs } = await runKilled(
      lab,
      { kind: 'rebuild', machine: 'node101' },
      { kind: 'step', step, state },
    );
    expect(killedAt).toBe(`${step} ${state}`);
    expect(wrongs).toEqual([]);
    expect(await lab.machines.readInstalled(101)).toBe(generation);
    expect(await lab.readConfigFile(101)).toContain(`#generation=${generation}\n`);
  });
});

test('destroy killed in the middle of its task is finished by destroy', { timeout: 60_000 }, async () => {
  const destroy: Intent = { kind: 'destroy', machines: ['node101'] };
  expect(await runToTheEnd(lab)).toMatchObject({ wrongs: [] });
  await lab.cluster.fault('pve1', { kind: 'slow-tasks', seconds: 4, type: 'qmdestroy', times: 1 });
  expect(await killDuring(lab, destroy, { kind: 'in-task', stepKind: 'vm.destroy' })).toBe(
    'vm.destroy node101 progress',
  );
  const labwright = await lab.processes.start();
  expect(await labwright.run(destroy)).toMatchObject({ outcome: 'done', errors: [], problems: [] });
  expect((await lab.hostFiles.listVolumes()).join()).not.toContain('vm-101-');
  expect(await lab.findWrongs()).toEqual(['node101 exists 0 times', 'node101 runs on []']);
  expect(await lab.countTasks('qmdestroy', 101)).toBe(1);
  await labwright.kill();
});
