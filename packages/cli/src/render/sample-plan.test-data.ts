// Plans and a run for tests of the screens, made by hand so that they say what a screen has to cope with.
import { hostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import type { Plan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { lab, makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';

export function makeStep(kind: string, target: string, step: Partial<Step>): Step {
  return {
    id: `${kind} ${target}`,
    kind,
    target,
    title: `${kind} ${target}`,
    change: 'change',
    reason: 'the lab file says so',
    needs: [],
    risk: { level: 'none' },
    estimateMs: 2_000,
    relies: [],
    queues: [],
    input: null,
    ...step,
  };
}

export function stepsOfNew({ name }: Pick<MachineBlueprint, 'name'>, host: string): readonly Step[] {
  const create = makeStep('vm.create', name, { title: `create ${name} on ${host}`, change: 'add' });
  const start = makeStep('vm.start', name, { title: `start ${name}`, needs: [create.id] });
  const ready = makeStep('machine.ready', name, {
    title: `wait for ${name} to answer`,
    change: 'wait',
    needs: [start.id],
    estimateMs: 90_000,
  });
  return [create, start, ready];
}

export function makePlan(steps: readonly Step[], overrides: Partial<Plan> = {}): Plan {
  return { id: '4f2c1a', lab, asOf: 0, steps, problems: [], notes: [], ...overrides };
}

const noRoom = (name: string): LabwrightError =>
  new LabwrightError('LW2010', {
    what: `there is no room for ${name}: it needs 2 cores and 2 GiB`,
    where: { machine: name, pool: 'workers' },
    why: 'pve1: 1.0 GiB free; pve2: 0.5 GiB free; pve3: in maintenance',
    fix: ['pools.workers.memory: 1GiB', 'end the maintenance of pve3'],
  });

/** Three new machines, one changed and restarted, one waited for, two destroyed, a problem and a note. */
export function mixedPlan(): { readonly plan: Plan; readonly blueprint: Blueprint } {
  const machines = [
    makeMachine(101),
    makeMachine(102, { memoryMiB: 512, cores: 1, firmware: 'uefi', diskGiB: 120 }),
    makeMachine(103, { name: hostName('a-machine-with-a-name-as-long-as-a-label-of-a-domain-name-can-b') }),
    makeMachine(104),
    makeMachine(105),
  ];
  const [one, two, three] = machines;
  if (one === undefined || two === undefined || three === undefined) throw new Error('five machines have a third');
  const destroyed = (name: string, lost: string): Step =>
    makeStep('vm.destroy', name, {
      title: `destroy ${name} on pve2`,
      change: 'destroy',
      reason: 'it is ours and no longer in the file',
      risk: { level: 'data-loss', lost },
    });
  const steps = [
    ...stepsOfNew(one, 'pve1'),
    ...stepsOfNew(two, 'pve2'),
    ...stepsOfNew(three, 'pve3'),
    makeStep('vm.update', 'node104', { title: 'change node104: cores 2 → 4, memory 2048 → 4096 MiB' }),
    makeStep('vm.cycle', 'node104', { title: 'shut down and start node104', risk: { level: 'restart' } }),
    makeStep('machine.ready', 'node105', { title: 'wait for node105 to answer', change: 'wait', estimateMs: 90_000 }),
    destroyed('node201', 'disk of node201, 8 GiB'),
    destroyed('node202', 'disk of node202, 80 GiB'),
  ];
  const notes = ['if pve3 is lost, there is no room elsewhere for node101, node102, node104, node105'];
  return {
    plan: makePlan(steps, { notes, problems: [noRoom('node106').toJSON()] }),
    blueprint: makeBlueprint(machines),
  };
}

/** Three hundred machines, forty without room. */
export function largePlan(): { readonly plan: Plan; readonly blueprint: Blueprint } {
  const machines = Array.from({ length: 300 }, (_, at) => makeMachine(101 + at));
  const steps = machines.slice(0, 260).flatMap((machine, at) => stepsOfNew(machine, `pve${(at % 3) + 1}`));
  const problems = machines.slice(260).map(({ name }) => noRoom(name).toJSON());
  const names = machines.map(({ name }) => name);
  const notes = [`if pve3 is lost, there is no room elsewhere for ${names.slice(0, 90).join(', ')}`];
  return { plan: makePlan(steps, { problems, notes }), blueprint: makeBlueprint(machines) };
}

/** The events of a run of that many machines; the second one fails, and every wait says what it saw. */
export function runEvents(count: number): readonly LabEvent[] {
  const machines = Array.from({ length: count }, (_, at) => makeMachine(101 + at));
  const steps = machines.flatMap((machine) => stepsOfNew(machine, 'pve1'));
  const base = { type: 'step', run: 'r1' } as const;
  const events: LabEvent[] = [
    {
      type: 'run-started',
      at: 0,
      run: 'r1',
      plan: '4f2c1a',
      lab: 'home',
      steps: steps.map(({ id, title, estimateMs }) => ({ id, title, estimateMs })),
    },
  ];
  for (const [at, { name }] of machines.entries()) {
    const [create, start, ready] = steps.slice(at * 3);
    if (create === undefined || start === undefined || ready === undefined)
      throw new Error('each machine has three steps');
    const began = 1_000 + at * 50;
    const step = (one: Step, atMs: number) => ({ ...base, at: atMs, step: one.id, target: name });
    events.push({ ...step(create, began), state: 'started', title: create.title });
    if (at === 1) {
      const error = new LabwrightError('LW2005', {
        what: `the task that creates ${name} failed`,
        where: { host: 'pve1', task: 'UPID:pve1:0001:0002:6741:qmcreate:102:labwright@pve:' },
        why: "unable to create VM 102: can't activate LV 'pve/data'",
        log: ['  Logical volume pve/data is not active.', "TASK ERROR: can't activate LV 'pve/data'"],
        fix: ['labwright up   goes on from there', 'see the task in the web page of pve1'],
      });
      events.push(
        { ...step(create, began + 2_100), state: 'failed', durationMs: 2_100, error: error.toJSON() },
        { ...step(start, began + 2_100), state: 'skipped', because: `"${create.id}" did not end well` },
        { ...step(ready, began + 2_100), state: 'skipped', because: `"${start.id}" did not end well` },
      );
      continue;
    }
    events.push(
      { ...step(create, began + 1_900), state: 'done', durationMs: 1_900, detail: 'created on pve1' },
      { ...step(start, began + 2_000), state: 'started', title: start.title },
      { ...step(start, began + 3_000), state: 'done', durationMs: 1_000, detail: 'started' },
      { ...step(ready, began + 3_000), state: 'started', title: ready.title },
      {
        ...step(ready, began + 9_000),
        state: 'progress',
        detail: 'fetched its kernel and initramfs; installing, 61 %: unpacking the base system to the disk',
      },
    );
    if (at === 0) {
      const durationMs = 73_000;
      events.push({
        ...step(ready, began + 3_000 + durationMs),
        state: 'done',
        durationMs,
        detail: 'installed and answers over SSH',
      });
    }
  }
  return events.toSorted((one, other) => one.at - other.at);
}
