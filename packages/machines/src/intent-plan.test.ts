import { mergePlans, type Plan } from '@labwright/core/plan/plan';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { destroysCluster, planIntent, type MachineIntent } from './intent-plan.ts';
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

const blueprint = makeBlueprint([
  makeMachine(101, { startOrder: 1 }),
  makeMachine(102, { startOrder: 2 }),
  makeMachine(103),
]);
const all: Model = {
  vms: new Map([101, 102, 103].map((number) => [number, makeVm(number)])),
  reports: new Map([101, 102, 103].map((number) => [`node${number}`, makeReport(number)])),
};

function planFor(intent: MachineIntent, model: Model = all): Plan {
  const hypervisors = makeHypervisors(blueprint, [...model.vms.values()]);
  const machines = { reports: [...model.reports.values()] };
  return mergePlans(lab, 0, [planIntent(intent, blueprint, { hypervisors, machines })]);
}

describe('down', () => {
  test('stops in the reverse of the start order, machines without one first', () => {
    const plan = planFor({ kind: 'down' });
    expect(plan.steps.map((step) => [step.id, step.needs])).toEqual([
      ['vm.shutdown node103', []],
      ['vm.shutdown node102', ['vm.shutdown node103']],
      ['vm.shutdown node101', ['vm.shutdown node102']],
    ]);
  });

  test('is empty when everything is down', () => {
    const down = planFor({ kind: 'down' }).steps.reduce(applyStep, all);
    expect(planFor({ kind: 'down' }, down).steps).toEqual([]);
  });
});

describe('destroy', () => {
  test('names what is lost, and does nothing for a machine that is not there', () => {
    const [step] = planFor({ kind: 'destroy', machines: ['node102'] }).steps;
    expect(step).toMatchObject({ id: 'vm.destroy node102', risk: { lost: 'disk of node102, 8 GiB' } });
    const none: Model = { vms: new Map(), reports: new Map() };
    expect(planFor({ kind: 'destroy', machines: ['node102'] }, none).steps).toEqual([]);
  });

  test('asks nobody to leave a cluster that goes as a whole, and names it', () => {
    const cluster = makeBlueprint([
      makeMachine(101, { role: 'control-plane' }),
      makeMachine(102, { role: 'worker' }),
      makeMachine(103),
    ]);
    expect(destroysCluster({ kind: 'destroy', machines: ['node101', 'node102'] }, cluster)).toBe(true);
    expect(destroysCluster({ kind: 'destroy', machines: ['node101'] }, cluster)).toBe(false);
    const facts = { hypervisors: makeHypervisors(cluster, [...all.vms.values()]), machines: { reports: [] } };
    const { steps } = planIntent({ kind: 'destroy', machines: ['node101', 'node102'] }, cluster, facts);
    expect(steps.map(({ risk }) => risk)).toMatchObject([
      { lost: 'disk of node101, 8 GiB, with what is in the cluster' },
      { lost: 'disk of node102, 8 GiB' },
    ]);
  });

  test('refuses what is not ours and what is not in the file', () => {
    const stranger = makeVm(102, { tags: [] });
    const model = { ...all, vms: new Map(all.vms).set(102, stranger) };
    expect(() => planFor({ kind: 'destroy', machines: ['node102'] }, model)).toThrow(
      expect.objectContaining({ code: 'LW2008' }),
    );
    expect(() => planFor({ kind: 'destroy', machines: ['pve1'] })).toThrow(expect.objectContaining({ code: 'LW0002' }));
  });
});

test('a rebuild raises the generation, boots from the network once, and leaves nothing to plan', () => {
  const plan = planFor({ kind: 'rebuild', machine: 'node101' });
  const kinds = ['vm.shutdown', 'vm.wipe', 'vm.start', 'machine.ready', 'vm.settle'];
  expect(plan.steps.map((step) => step.kind)).toEqual(kinds);
  expect(plan.steps[1]?.risk).toEqual({ level: 'data-loss', lost: 'disk of node101, 8 GiB' });
  const after = plan.steps.reduce(applyStep, all);
  expect(planFor({ kind: 'up' }, after).steps).toEqual([]);
  expect(planFor({ kind: 'rebuild', machine: 'node101' }, after).steps[1]?.input).toMatchObject({ generation: 3 });
});

test('a rebuild stopped anywhere is finished by the next up, and never begins a second time', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.nat(3), (stopAfter, stopAgain) => {
      let model = planFor({ kind: 'rebuild', machine: 'node101' }).steps.slice(0, stopAfter).reduce(applyStep, all);
      model = planFor({ kind: 'up' }, model).steps.slice(0, stopAgain).reduce(applyStep, model);
      model = planFor({ kind: 'up' }, model).steps.reduce(applyStep, model);
      expect(planFor({ kind: 'up' }, model).steps).toEqual([]);
      expect(model.vms.get(101)).toMatchObject({ status: 'running', config: { bootFirst: 'disk' } });
      // The wipe is the point of no return: before it the old installation stays, after it the new one is there.
      expect(model.reports.get('node101')?.generation).toBe(stopAfter >= 2 ? 2 : 1);
    }),
  );
});
