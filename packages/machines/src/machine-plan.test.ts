import { hostName } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { mergePlans, movedReliances, type Plan } from '@labwright/core/plan/plan';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listFactEntries } from './fact-entries.ts';
import { planMachines } from './machine-plan.ts';
import {
  applyStep,
  lab,
  makeBlueprint,
  makeHypervisors,
  makeMachine,
  makeReport,
  makeVm,
  type Model,
} from './sample-lab.test-data.ts';

function planFor(blueprint: Blueprint, model: Model): Plan {
  const hypervisors = makeHypervisors(blueprint, [...model.vms.values()]);
  const machines = { reports: [...model.reports.values()] };
  return mergePlans(lab, 0, [planMachines(blueprint, { hypervisors, machines })]);
}

const emptyModel: Model = { vms: new Map(), reports: new Map() };
const modelOf = (...vms: ReturnType<typeof makeVm>[]): Model => ({
  vms: new Map(vms.map((vm) => [vm.vmId as number, vm])),
  reports: new Map(vms.map((vm) => [vm.name, makeReport(vm.vmId)])),
});

describe('planMachines', () => {
  test('a machine that is nowhere is created, started and awaited, in that order', () => {
    const plan = planFor(makeBlueprint([makeMachine(101)]), emptyModel);
    expect(plan.steps.map((step) => step.id)).toEqual([
      'vm.create node101',
      'vm.start node101',
      'machine.ready node101',
    ]);
    expect(plan.steps[0]?.relies).toEqual([{ entry: 'vm/101 presence', was: 'absent' }]);
  });

  test('a machine that is as it should be needs nothing', () => {
    expect(planFor(makeBlueprint([makeMachine(101)]), modelOf(makeVm(101))).steps).toEqual([]);
  });

  test('a VM with our number and without our mark is a problem and never a step', () => {
    const stranger = makeVm(101, { tags: [], config: { ...makeVm(101).config!, description: 'a printer server' } });
    const plan = planFor(makeBlueprint([makeMachine(101)]), modelOf(stranger));
    expect(plan.steps).toEqual([]);
    expect(plan.problems.map((problem) => problem.code)).toEqual(['LW2008']);
  });

  test('a VM that is being made is waited for, whoever began it', () => {
    const { config } = makeVm(101);
    const halfMade = makeVm(101, {
      status: 'stopped',
      tags: [],
      config: { ...config!, description: '', lock: 'create' },
    });
    const blueprint = makeBlueprint([makeMachine(101)]);
    const plan = planFor(blueprint, modelOf(halfMade));
    expect(plan.problems).toEqual([]);
    expect(plan.steps.map((step) => step.id)).toEqual([
      'vm.create node101',
      'vm.start node101',
      'machine.ready node101',
    ]);
    expect(plan.steps[0]).toMatchObject({ input: { host: 'pve1' } });
    // It may be done, and turn out to be ours or not, before the plan is run: the step itself judges that.
    const after = listFactEntries(lab, makeHypervisors(blueprint, [makeVm(101)]), [101]);
    expect(movedReliances(plan, after)).toEqual([]);
  });

  test('a start alone relies on nothing, since a start before it may have been under way', () => {
    const stopped = makeVm(101, { status: 'stopped' });
    const [start] = planFor(makeBlueprint([makeMachine(101)]), modelOf(stopped)).steps;
    expect(start).toMatchObject({ kind: 'vm.start', relies: [] });
  });

  test('a VM of another lab outside our file is left alone; one of ours is destroyed, and what is lost is named', () => {
    const other = makeVm(200, {
      tags: ['labwright', 'lab-other'],
      config: { ...makeVm(200).config!, description: '' },
    });
    const plan = planFor(makeBlueprint([makeMachine(101)]), modelOf(makeVm(101), makeVm(102), other));
    expect(plan.steps.map((step) => [step.id, step.risk])).toEqual([
      ['vm.destroy node102', { level: 'data-loss', lost: 'disk of node102, 8 GiB' }],
    ]);
  });

  test('more cores are set, then the machine is restarted; a smaller disk is refused', () => {
    const more = planFor(makeBlueprint([makeMachine(101, { cores: 4 })]), modelOf(makeVm(101)));
    expect(more.steps.map((step) => step.kind)).toEqual(['vm.update', 'vm.cycle', 'machine.ready']);
    const less = planFor(makeBlueprint([makeMachine(101, { diskGiB: 4 })]), modelOf(makeVm(101)));
    expect(less.steps).toEqual([]);
    expect(less.problems[0]).toMatchObject({ code: 'LW2011', fix: ['pools.workers.disk: 8GiB'] });
  });

  test('a machine on a host that is down waits for the host, and its number is not given away', () => {
    const { config: _config, ...unseen } = makeVm(101, { status: 'unknown' });
    const plan = planFor(makeBlueprint([makeMachine(101)]), modelOf(unseen));
    expect(plan.steps).toEqual([]);
    expect(plan.problems[0]).toMatchObject({ code: 'LW2001', where: { host: 'pve1' } });
  });
});

// Any lab, any state of it: what is planned, once done, leaves nothing to plan; stopped anywhere, it is planned on from there.
const machineArbitrary = fc.record({
  cores: fc.constantFrom(1, 2, 4),
  memoryMiB: fc.constantFrom(1024, 2048),
  diskGiB: fc.constantFrom(8, 16),
  state: fc.constantFrom('absent', 'stopped', 'running', 'ready', 'leftover' as const),
});

test('a plan carried out leaves nothing to plan, wherever it was interrupted before', () => {
  fc.assert(
    fc.property(fc.array(machineArbitrary, { minLength: 1, maxLength: 8 }), fc.nat(30), (rows, stopAfter) => {
      const numbered = rows.map((row, at) => ({ ...row, number: 101 + at }));
      const wanted = numbered.filter((row) => row.state !== 'leftover');
      const blueprint = makeBlueprint(
        wanted.map(({ number, cores, memoryMiB, diskGiB }) => makeMachine(number, { cores, memoryMiB, diskGiB })),
      );
      const present = numbered.filter((row) => row.state !== 'absent');
      let model: Model = {
        vms: new Map(
          present.map((row) => [row.number, makeVm(row.number, row.state === 'stopped' ? { status: 'stopped' } : {})]),
        ),
        reports: new Map(
          present.filter((row) => row.state === 'ready').map((row) => [`node${row.number}`, makeReport(row.number)]),
        ),
      };
      for (const step of planFor(blueprint, model).steps.slice(0, stopAfter)) model = applyStep(model, step);
      for (const step of planFor(blueprint, model).steps) model = applyStep(model, step);
      const after = planFor(blueprint, model);
      expect(after.steps).toEqual([]);
      expect(after.problems).toEqual([]);
      for (const { number, cores, memoryMiB } of wanted)
        expect(model.vms.get(number)).toMatchObject({ cores, memoryMiB });
      expect(new Set(model.vms.keys())).toEqual(new Set(wanted.map((row) => row.number)));
    }),
  );
});

test('a plan that was made for another state of a machine is refused by name', () => {
  const blueprint = makeBlueprint([makeMachine(101)]);
  const plan = planFor(blueprint, emptyModel);
  const entries = (model: Model) => listFactEntries(lab, makeHypervisors(blueprint, [...model.vms.values()]), [101]);
  expect(movedReliances(plan, entries(emptyModel))).toEqual([]);
  expect(movedReliances(plan, entries(modelOf(makeVm(101))))).toEqual(['vm/101 presence: was absent, is ours']);
});

test('a thousand machines on twenty hosts are spread evenly', () => {
  const hosts = Array.from({ length: 20 }, (_, at) => ({
    ...makeBlueprint([]).hosts[0]!,
    name: hostName(`pve${at + 1}`),
    cores: 1000,
    memoryMiB: 400_000,
  }));
  const names = hosts.map((host) => host.name);
  const machines = Array.from({ length: 1000 }, (_, at) => makeMachine(1001 + at, { hosts: names }));
  const plan = planFor(makeBlueprint(machines, hosts), emptyModel);
  const created = plan.steps.filter((step) => step.kind === 'vm.create');
  const perHost = Map.groupBy(created, (step) => (step.input as { host: string }).host);
  expect(created).toHaveLength(1000);
  expect([...perHost.values()].map((steps) => steps.length)).toEqual(Array.from({ length: 20 }, () => 50));
});
