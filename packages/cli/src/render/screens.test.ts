// What the screens look like, held by golden files: 80x24, 120x40 and without a terminal. UPDATE_GOLDEN=1 writes them anew.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LabStatus, MachineStatus } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import { describe, expect, test } from 'vitest';
import { formatReport } from '../doctor/doctor-report.ts';
import { formatError } from './error.ts';
import { formatPlan } from './plan.ts';
import { makeRunRenderer } from './run.ts';
import { largePlan, mixedPlan, runEvents } from './sample-plan.test-data.ts';
import { makeHeldClock, makeScreen, type ScreenSize } from './screen.test-data.ts';
import { formatStatus } from './status.ts';

const sizes: Readonly<Record<string, ScreenSize>> = {
  '80x24': { columns: 80, rows: 24, isInteractive: true },
  '120x40': { columns: 120, rows: 40, isInteractive: true },
  'no-terminal': { columns: 80, rows: 24, isInteractive: false },
  plain: { columns: 80, rows: 24, isInteractive: false, isPlain: true },
};

/** The text of the golden file, which is written first when it is to be made anew. */
function golden(name: string, size: string, text: string): string {
  const path = join(import.meta.dirname, 'testdata', `${name}.${size}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return readFileSync(path, 'utf8');
}

/** What stands on the screen after the events up to that time and a tick then. */
function play(events: readonly LabEvent[], untilMs: number, size: ScreenSize) {
  const screen = makeScreen(size);
  const clock = makeHeldClock();
  const renderer = makeRunRenderer(screen, clock);
  let secondMs = 0;
  for (const event of events.filter(({ at }) => at <= untilMs)) {
    for (; secondMs < event.at; secondMs += 1000) {
      clock.set(secondMs);
      renderer.tick();
    }
    clock.set(event.at);
    renderer.handle(event);
  }
  for (; secondMs <= untilMs; secondMs += 1000) {
    clock.set(secondMs);
    renderer.tick();
  }
  return { screen, renderer, text: () => screen.lines().join('\n') };
}

const ended: LabEvent = {
  type: 'run-ended',
  at: 130_000,
  run: 'r1',
  outcome: 'failed',
  durationMs: 130_000,
  counts: { add: 3, change: 0, destroy: 0 },
  stepsDone: 5,
  stepsLeft: 4,
};

const machine = (number: number, state: MachineStatus['state'], host: string | null): MachineStatus => ({
  name: `node${number}`,
  vmId: number,
  address: `10.1.${Math.floor(number / 256)}.${number % 256}`,
  pool: 'workers',
  host,
  state,
});

const hosts: LabStatus['hosts'] = [
  { name: 'pve1', online: true, version: '9.2', memoryMiB: 24_576, memoryUsedMiB: 10_000 },
  { name: 'pve2', online: false, version: '', memoryMiB: 24_576, memoryUsedMiB: 0 },
  { name: 'pve3', online: true, version: '9.2', memoryMiB: 24_576, memoryUsedMiB: 1_000 },
];
const status = (machines: readonly MachineStatus[]): LabStatus => ({
  lab: 'home',
  version: '0.1.0',
  asOf: Date.UTC(2026, 10, 22, 21, 20, 5),
  hosts,
  machines,
});

describe.each(Object.entries(sizes))('at %s', (size, given) => {
  const style = { columns: given.columns, hasColour: false, isPlain: given.isPlain ?? false };

  test('a plan of everything', () => {
    const { plan, blueprint } = mixedPlan();
    const text = formatPlan(plan, blueprint, { ...style, isFull: false });
    expect(text).toBe(golden('plan', size, text));
  });

  test('a plan of three hundred machines stays short', () => {
    const { plan, blueprint } = largePlan();
    const text = formatPlan(plan, blueprint, { ...style, isFull: false });
    expect(text).toBe(golden('plan-large', size, text));
    expect(text.split('\n').length).toBeLessThan(45);
    const full = formatPlan(plan, blueprint, { ...style, isFull: true });
    for (const { name } of blueprint.machines) expect(full).toContain(name);
  });

  test('a run in the middle and at its end', () => {
    const middleText = play(runEvents(3), 30_000, given).text();
    expect(middleText).toBe(golden('run-middle', size, middleText));
    const endText = play([...runEvents(3), ended], 130_000, given).text();
    expect(endText).toBe(golden('run-end', size, endText));
  });

  test('a run of forty machines keeps to its block', () => {
    const text = play(runEvents(40), 62_000, given).text();
    expect(text).toBe(golden('run-large', size, text));
  });

  test('errors', () => {
    const missing = new LabwrightError('LW1001', {
      what: 'there is no lab file here, and no rehearsal runs in this directory',
      where: { file: '/home/ana/a/rather/long/path/that/does/not/fit/into/one/line/of/the/screen/lab.yaml' },
      fix: [
        'labwright rehearse   try the example that comes with Labwright, nothing of yours is touched',
        'labwright --lab FILE …   name the lab file',
      ],
    });
    const failed = new LabwrightError('LW0006', {
      what: 'apt-get install failed',
      where: { command: 'apt-get install -y --no-install-recommends mmdebstrap', program: 'apt-get' },
      why: 'it ended with exit code 100',
      log: [
        'E: Could not get lock /var/lib/dpkg/lock-frontend.   It is held by process 4711 (unattended-upgr)',
        'E: gave up',
      ],
      fix: ['wait until the other one has ended', 'or see what it does: ps 4711', 'and then: labwright up'],
    });
    const text = formatError(missing.toJSON(), style) + formatError(failed.toJSON(), style);
    expect(text).toBe(golden('errors', size, text));
  });

  test('the status of a small lab, and of a hundred machines', () => {
    const small = [machine(101, 'ready', 'pve1'), machine(102, 'starting', 'pve3'), machine(103, 'unknown', 'pve2')];
    const states = { 117: 'stopped', 163: 'foreign' } as const;
    const large = Array.from({ length: 100 }, (_, at) =>
      machine(101 + at, (states as Record<number, MachineStatus['state']>)[101 + at] ?? 'ready', `pve${(at % 3) + 1}`),
    );
    const view = { ...style, isFull: false, timeZone: 'UTC' };
    const services: LabStatus['services'] = [
      { name: 'mariadb', place: '10.1.0.20:3306', state: 'well', words: '11.8.3-MariaDB' },
      { name: 'photos', place: '10.1.0.20:2283', state: 'unreachable', words: 'connect ECONNREFUSED' },
    ];
    const waits = [
      'node103 is on pve2, which does not answer, and nothing says that it is off: node103 may still run there; bring pve2 back; or make sure that it is switched off, then: labwright machine replace node103 --host-is-off',
    ];
    const text = formatStatus({ ...status(small), services, waits }, view) + formatStatus(status(large), view);
    expect(text).toBe(golden('status', size, text));
  });

  test('what the doctor found', () => {
    const text = formatReport(
      [
        { verdict: 'fine', what: 'programs: mmdebstrap, unshare, ip, ssh' },
        { verdict: 'note', what: 'no KVM: rehearsed machines are emulated, which is slower and works the same' },
        {
          verdict: 'nice',
          what: 'memory: only 2.1 GiB free on this computer',
          advice: ['end other programs: free -h'],
        },
        {
          verdict: 'blocks',
          what: 'labwright@pve!cli lacks privileges to make disks',
          blocks: 'labwright plan, labwright up',
          typedOn: 'as root on one of the hosts',
          commands: [
            'pveum role add LabwrightMachines --privs "VM.Allocate VM.Audit VM.Config.CPU VM.Config.Disk VM.Config.HWType VM.Config.Memory"',
            "pveum acl modify /vms --users 'labwright@pve' --roles LabwrightMachines",
          ],
        },
      ],
      style,
    );
    expect(text).toBe(golden('doctor', size, text));
  });
});

test('a run takes its block away when it ends or is closed', () => {
  const { screen, renderer, text } = play(
    runEvents(3),
    30_000,
    sizes['80x24'] ?? { columns: 80, rows: 24, isInteractive: true },
  );
  expect(text()).toContain('Ctrl-C is safe');
  renderer.close();
  expect(text()).not.toContain('Ctrl-C is safe');
  expect(screen.lines().at(-1)).toBe('');
});
