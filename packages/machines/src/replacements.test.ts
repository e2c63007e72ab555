import { describe, expect, test } from 'vitest';
import { vmId } from '@labwright/core/addresses/names';
import type { VmFacts } from '@labwright/core/facts/hypervisors';
import { formatTags } from '@labwright/drivers/proxmox/mark';
import { planMachines } from './machine-plan.ts';
import { findSpare, withReplacements } from './replacements.ts';
import { lab, makeBlueprint, makeHypervisors, makeMachine, makeReport, makeVm } from './sample-lab.test-data.ts';

const blueprint = {
  ...makeBlueprint([101, 102].map((number) => makeMachine(number))),
  spares: [103, 104].map((number) => makeMachine(number)),
};
const standIn = (number: number, replaces: number, overrides: Partial<VmFacts> = {}): VmFacts =>
  makeVm(number, { tags: formatTags(lab, vmId(replaces)), ...overrides });
/** On a host that is down the list of guests is all that is known. */
const onDeadHost = (vm: VmFacts): VmFacts => {
  const { config: _, ...rest } = vm;
  return { ...rest, status: 'unknown' };
};
const effective = (...vms: readonly VmFacts[]) => withReplacements(blueprint, makeHypervisors(blueprint, vms));
const numbers = (...vms: readonly VmFacts[]) => effective(...vms).machines.map((machine) => Number(machine.vmId));

describe('the machines of the lab', () => {
  test('are those of the file while nobody stands in', () => {
    expect(numbers(makeVm(101), makeVm(102))).toEqual([101, 102]);
    expect(numbers()).toEqual([101, 102]);
  });

  test('a replacement takes the place of one whose host is dead, and keeps it when the host is back', () => {
    expect(numbers(makeVm(101), onDeadHost(makeVm(102)), standIn(103, 102))).toEqual([101, 103]);
    expect(numbers(makeVm(101), makeVm(102), standIn(103, 102))).toEqual([101, 103]);
    expect(effective(makeVm(101), standIn(103, 102)).machines[1]?.replaces).toBe(102);
  });

  test('also while the host of the replacement is down: its tags are known', () => {
    expect(numbers(makeVm(101), onDeadHost(standIn(103, 102)))).toEqual([101, 103]);
  });

  test('a replacement of a replacement', () => {
    expect(numbers(makeVm(101), onDeadHost(makeVm(102)), onDeadHost(standIn(103, 102)), standIn(104, 103))).toEqual([
      101, 104,
    ]);
  });

  test('a VM with the tag that is not ours replaces nobody', () => {
    const foreign = standIn(103, 102, { config: { ...makeVm(103).config!, description: '' } });
    expect(numbers(makeVm(101), foreign)).toEqual([101, 102]);
  });

  test('the count in the file raised: the replacement is a regular machine, and the old number is wanted again', () => {
    const raised = {
      ...blueprint,
      machines: [101, 102, 103].map((number) => makeMachine(number)),
      spares: [makeMachine(104)],
    };
    const facts = makeHypervisors(raised, [makeVm(101), standIn(103, 102)]);
    expect(withReplacements(raised, facts).machines.map((machine) => Number(machine.vmId))).toEqual([101, 102, 103]);
  });
});

test('the next identity is one that no VM has', () => {
  const spare = (...vms: readonly VmFacts[]) =>
    findSpare(blueprint, blueprint.machines[1]!, makeHypervisors(blueprint, vms));
  expect(spare(makeVm(101), makeVm(102))).toMatchObject({ vmId: 103, replaces: 102 });
  expect(spare(makeVm(103, { tags: [] }))).toMatchObject({ vmId: 104 });
  expect(spare(makeVm(103), makeVm(104))).toBeUndefined();
});

test('the replaced machine is left over when its host is back, and the plan says who took its place', () => {
  const vms = [makeVm(101), makeVm(102), standIn(103, 102)];
  const facts = {
    hypervisors: makeHypervisors(blueprint, vms),
    machines: { reports: [101, 102, 103].map((number) => makeReport(number)) },
  };
  const { steps } = planMachines(withReplacements(blueprint, facts.hypervisors), facts);
  expect(steps.map(({ id, reason }) => [id, reason])).toEqual([['vm.destroy node102', 'node103 has taken its place']]);
});
