// One run killed with SIGKILL at a chosen moment, and the next one, which has to end where an undisturbed one would have.
import type { Intent } from '@labwright/core/contract/contract';
import type { LabEvent } from '@labwright/core/events/event';
import type { RunEnded, ServeProcess } from './serve-processes.ts';
import type { StandInLab } from './stand-in-lab.ts';

export interface KilledRun {
  /** Where it was killed: "vm.create node101 started"; undefined when the run was over first. */
  readonly killedAt: string | undefined;
  /** The `up` after it. */
  readonly after: RunEnded;
  /** What is not as the lab file says then, the plan made after it included. */
  readonly wrongs: readonly string[];
}

// What a step reports on its way comes at no fixed count.
function isMilestone(event: LabEvent): boolean {
  return (
    event.type === 'run-started' || event.type === 'run-ended' || (event.type === 'step' && event.state !== 'progress')
  );
}

type KillPoint =
  /** After so many steps have started or ended, begin and end of the run counted as well. */
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'step'; readonly step: string; readonly state: 'started' | 'done' }
  /** While the first step of this kind awaits a task of Proxmox. */
  | { readonly kind: 'in-task'; readonly stepKind: string };

/** Runs the intent, kills the process at the point, and then runs `up`. */
export async function runKilled(lab: StandInLab, intent: Intent, point: KillPoint): Promise<KilledRun> {
  const killedAt = await killDuring(lab, intent, point);
  return { killedAt, ...(await runToTheEnd(lab)) };
}

/** Where it was killed; undefined when the run was over first. */
export async function killDuring(lab: StandInLab, intent: Intent, point: KillPoint): Promise<string | undefined> {
  const process = await lab.processes.start();
  let killedAt: string | undefined;
  let count = 0;
  const onEvent = (event: LabEvent): void => {
    if (isMilestone(event)) count += 1;
    if (killedAt !== undefined || !isReached(point, event, count)) return;
    killedAt = event.type === 'step' ? `${event.step} ${event.state}` : event.type;
    process.kill().catch(() => undefined); // Awaited below.
  };
  try {
    await process.run(intent, { onEvent });
  } catch (error) {
    if (killedAt === undefined) throw error;
  }
  await process.kill();
  return killedAt;
}

function isReached(point: KillPoint, event: LabEvent, count: number): boolean {
  if (point.kind === 'count') return isMilestone(event) && count === point.count;
  if (event.type !== 'step') return false;
  if (point.kind === 'step') return event.step === point.step && event.state === point.state;
  return event.step.startsWith(`${point.stepKind} `) && event.state === 'progress';
}

/** `up` by a new process. */
export async function runToTheEnd(lab: StandInLab): Promise<Omit<KilledRun, 'killedAt'>> {
  const process = await lab.processes.start();
  try {
    const after = await process.run({ kind: 'up' });
    return { after, wrongs: await judge(lab, process, after) };
  } finally {
    await process.kill();
  }
}

async function judge(lab: StandInLab, process: ServeProcess, after: RunEnded): Promise<readonly string[]> {
  const again = await process.client.plan({ kind: 'up' }, new AbortController().signal);
  return [
    ...(after.outcome === 'done' ? [] : [`the run ended ${after.outcome}: ${JSON.stringify(after.errors)}`]),
    ...after.problems.map((problem) => `the plan has the problem ${JSON.stringify(problem)}`),
    ...(await lab.findWrongs()),
    ...again.steps.map((step) => `the next plan would ${step.title}`),
    ...again.problems.map((problem) => `the next plan has the problem ${JSON.stringify(problem)}`),
  ];
}
