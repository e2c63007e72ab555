import { hostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { BootStage } from '@labwright/core/events/boot';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Clock } from '@labwright/core/ports/clock';
import { makeReport } from '@labwright/machines/sample-lab.test-data';
import { expect, test } from 'vitest';
import { makeEventBus } from './event-bus.ts';
import { makeReadyExecutor } from './readiness.ts';

const minutes = 60_000;

/** Time that passes only when told to. */
function makeStillClock(): Clock & { pass(ms: number): Promise<void> } {
  let now = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { until: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener(
          'abort',
          () => {
            sleepers.delete(sleeper);
            reject(signal.reason as Error);
          },
          { once: true },
        );
      }),
    pass: async (ms) => {
      now += ms;
      for (const sleeper of sleepers) {
        if (sleeper.until > now) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
      await settle();
    },
  };
}

/** Lets everything that can go on without time do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What it failed with; undefined when it did not. */
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

function makeWait(checkSsh: (hostKey: string) => Promise<void> = async () => undefined) {
  const clock = makeStillClock();
  const bus = makeEventBus();
  const reports = new Map<string, MachineReport>();
  const shown: string[] = [];
  const resets: number[] = [];
  /** Undefined: it does not run. */
  const uptimeMs: { value: number | undefined } = { value: undefined };
  const stop = new AbortController();
  const executor = makeReadyExecutor({
    clock,
    bus,
    findReport: (machine) => reports.get(machine),
    checkSsh: (_address, hostKey) => checkSsh(hostKey),
    powerOf: () => ({
      fetchUptimeMs: async () => uptimeMs.value,
      answers: async () => false,
      reset: async () => void resets.push(clock.monotonic()),
    }),
    timeoutMs: 15 * minutes,
  });
  const start = (generation = 1) =>
    executor.run(
      { vmId: 101, name: 'node101', address: '10.1.0.101', generation },
      { signal: stop.signal, progress: (detail) => shown.push(detail) },
    );
  const see = async (stage: BootStage, detail: string, machine = 'node101'): Promise<void> => {
    bus.emit({ type: 'boot', at: clock.now(), machine: hostName(machine), stage, detail });
    await settle();
  };
  return { clock, reports, shown, resets, uptimeMs, stop, start, see, nature: executor.nature };
}

test('a machine that has spoken already is ready as soon as it lets us in', async () => {
  const wait = makeWait();
  wait.reports.set('node101', makeReport(101));
  expect(await wait.start()).toBe('ready at 10.1.0.101 after 0 s');
});

test('it waits for the phone call of the wanted generation, and shows what it sees', async () => {
  const wait = makeWait();
  wait.reports.set('node101', makeReport(101, 1));
  const done = wait.start(2);
  await wait.see('script', 'fetched its script');
  await wait.see('script', 'another one', 'node102');
  // The old system once more, as when somebody reset it before it could be installed anew.
  await wait.see('ready', 'it phoned home');
  await wait.clock.pass(2 * minutes);
  wait.reports.set('node101', makeReport(101, 2));
  await wait.see('ready', 'it phoned home again');
  expect(await done).toBe('ready at 10.1.0.101 after 120 s');
  expect(wait.shown).toEqual([
    'waits for its first packet',
    'fetched its script',
    'it phoned home',
    'it phoned home again',
    'phoned home; logging in over SSH',
  ]);
});

test.each([
  [[], 'not one packet of it was seen'],
  [['fetched its script', 'kernel 40 %'], 'the last thing seen of it: kernel 40 %'],
])('after its time the error names the last thing seen: %j', async (seen, why) => {
  const wait = makeWait();
  const failed = errorOf(wait.start());
  await settle();
  for (const detail of seen) await wait.see('script', detail);
  await wait.clock.pass(15 * minutes - 1);
  await wait.clock.pass(1);
  expect(await failed).toMatchObject({
    code: 'LW3001',
    why: expect.stringContaining(why),
    where: { machine: 'node101' },
    fix: expect.arrayContaining([expect.stringContaining('qm terminal 101')]),
  });
});

test('an sshd that is not up yet is tried again with the reported host key; one that stays closed is the error', async () => {
  const keys: string[] = [];
  let isOpen = false;
  const wait = makeWait(async (hostKey) => {
    keys.push(hostKey);
    if (!isOpen) throw new LabwrightError('LW3003', { what: 'connection refused' });
  });
  wait.reports.set('node101', makeReport(101));
  const done = wait.start();
  await settle();
  await wait.clock.pass(500);
  isOpen = true;
  await wait.clock.pass(500);
  expect(await done).toBe('ready at 10.1.0.101 after 1 s');
  expect(keys).toEqual([makeReport(101).sshHostKey, makeReport(101).sshHostKey, makeReport(101).sshHostKey]);

  isOpen = false;
  const failed = errorOf(wait.start());
  await settle();
  await wait.clock.pass(61_000);
  expect(await failed).toMatchObject({ code: 'LW3003' });
});

test('an interrupt ends it at once, with its reason', async () => {
  const wait = makeWait();
  expect(wait.nature).toBe('wait');
  const ended = errorOf(wait.start());
  await settle();
  const reason = new Error('Ctrl-C');
  wait.stop.abort(reason);
  expect(await ended).toBe(reason);
});

test('a machine that refuses its disk fails at once, with its own words', async () => {
  const wait = makeWait();
  const ended = errorOf(wait.start());
  await wait.see('refused', 'the disk /dev/sda belongs to machine node102 of lab home');
  expect(await ended).toMatchObject({ code: 'LW3001', why: expect.stringContaining('belongs to machine node102') });
});

test('a machine that stands at its firmware is reset and waited for, and the step says so', async () => {
  const wait = makeWait();
  wait.uptimeMs.value = 10 * minutes;
  const done = wait.start();
  await settle();
  for (let looks = 0; looks < 6; looks += 1) await wait.clock.pass(10_000);
  expect(wait.resets).toEqual([1 * minutes]);
  expect(wait.shown.at(-1)).toContain('reset (1 of 3)');
  wait.reports.set('node101', makeReport(101));
  await wait.see('ready', 'it phoned home');
  expect(await done).toBe('ready at 10.1.0.101 after 60 s');
});
