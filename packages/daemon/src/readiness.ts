// Waits until a machine is ready: it phoned home with the wanted generation and answers over SSH with that very host key.
import { hostName } from '@labwright/core/addresses/names';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { BootEvent } from '@labwright/core/events/boot';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Json } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import type { MachineReadyInput } from '@labwright/machines/step-input';
import type { EventBus } from './event-bus.ts';
import { StuckFirmwareWatch, type MachinePower } from './stuck-firmware.ts';

export interface ReadinessOptions {
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly findReport: (machine: string) => MachineReport | undefined;
  /** Logs in and runs nothing of consequence; throws while the machine does not answer as it should. */
  readonly checkSsh: (address: string, hostKey: string, signal: AbortSignal) => Promise<void>;
  readonly powerOf: (machine: MachineReadyInput) => MachinePower;
  readonly timeoutMs: number;
}

const sshRetryMs = 500;
const sshPatienceMs = 60_000;

export function makeReadyExecutor(options: ReadinessOptions): Executor {
  return {
    nature: 'wait',
    run: async (input: Json, context: StepContext) => {
      const wanted = input as MachineReadyInput;
      const startedAt = options.clock.monotonic();
      const report = await waitForReport(wanted, options, context);
      await waitForSsh(wanted, report, options, context);
      const seconds = Math.round((options.clock.monotonic() - startedAt) / 1000);
      return `ready at ${wanted.address} after ${seconds} s`;
    },
  };
}

async function waitForReport(
  wanted: MachineReadyInput,
  options: ReadinessOptions,
  context: StepContext,
): Promise<MachineReport> {
  const { clock, bus, timeoutMs } = options;
  const machine = hostName(wanted.name);
  const over = new AbortController();
  const { promise: spoke, resolve: speak, reject: refuse } = Promise.withResolvers<void>();
  spoke.catch(() => undefined); // Awaited in the race below, unless the report is there already.
  let last: BootEvent | undefined;
  const stuck = new StuckFirmwareWatch({
    clock,
    power: options.powerOf(wanted),
    say: (text) => context.progress(text),
  });
  const isThere = (): MachineReport | undefined => {
    const report = options.findReport(machine);
    return report !== undefined && report.generation >= wanted.generation ? report : undefined;
  };
  bus.listen((event) => {
    if (event.type !== 'boot' || event.machine !== machine) return;
    last = event;
    stuck.saw(event.stage);
    context.progress(event.detail);
    if (event.stage === 'ready' && isThere() !== undefined) speak();
    // Nothing more comes of this boot: a person has to look at the disk first.
    if (event.stage === 'refused') refuse(diskRefused(wanted, event.detail));
  }, over.signal);
  try {
    const there = isThere();
    if (there !== undefined) return there;
    context.progress('waits for its first packet');
    const ended = AbortSignal.any([context.signal, over.signal]);
    const timeout = clock.sleep(timeoutMs, ended).then(() => 'timeout' as const);
    // Resets what is stuck on the side; only its failure ends the wait.
    const resetting = stuck.run(ended).then(() => timeout);
    // The losers of the race end with `over`; their rejections are nobody's concern then.
    for (const loser of [timeout, resetting]) loser.catch(() => undefined);
    if ((await Promise.race([spoke, timeout, resetting])) === 'timeout') throw neverReady(wanted, timeoutMs, last);
    const report = isThere();
    if (report === undefined) throw neverReady(wanted, timeoutMs, last);
    return report;
  } finally {
    over.abort();
  }
}

async function waitForSsh(
  wanted: MachineReadyInput,
  report: MachineReport,
  options: ReadinessOptions,
  context: StepContext,
): Promise<void> {
  const { clock } = options;
  const deadline = clock.monotonic() + sshPatienceMs;
  context.progress('phoned home; logging in over SSH');
  for (;;) {
    try {
      await options.checkSsh(wanted.address, report.sshHostKey, context.signal);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      // Between the phone call and a listening sshd there may be a moment; a refusal that lasts is an error.
      if (clock.monotonic() > deadline) throw error;
      await clock.sleep(sshRetryMs, context.signal);
    }
  }
}

function diskRefused(wanted: MachineReadyInput, why: string): LabwrightError {
  return new LabwrightError('LW3001', {
    what: `${wanted.name} does not touch its disk`,
    where: { machine: wanted.name, vm: String(wanted.vmId) },
    why,
    fix: [`give VM ${wanted.vmId} an empty disk, then: labwright up`],
  });
}

function neverReady(wanted: MachineReadyInput, timeoutMs: number, last: BootEvent | undefined): LabwrightError {
  return new LabwrightError('LW3001', {
    what: `${wanted.name} did not become ready within ${Math.round(timeoutMs / 60_000)} minutes`,
    where: { machine: wanted.name, address: wanted.address },
    why:
      last === undefined
        ? 'not one packet of it was seen: its network card, bridge or VLAN may be wrong, or another network is booted first'
        : `the last thing seen of it: ${last.detail}`,
    fix: [`look at its console: qm terminal ${wanted.vmId} on its host`, 'labwright up   goes on from where it is'],
  });
}
