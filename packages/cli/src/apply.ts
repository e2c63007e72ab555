// From an intent to its end: plan, show, ask about what would be lost, run, and leave the outcome on the screen.
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { Plan } from '@labwright/core/plan/plan';
import { randomHex } from '@labwright/core/ports/random';
import type { LabClient } from '@labwright/daemon/api/client';
import type { LabSession } from './lab-session.ts';
import { exitCodes, type ExitCode, type Program } from './program.ts';
import { formatPlan } from './render/plan.ts';
import { makeRunRenderer } from './render/run.ts';

export async function applyIntent(program: Program, session: LabSession, intent: Intent): Promise<ExitCode> {
  return await showAndRun(program, session, await session.client.plan(intent, program.interrupt));
}

/** Shows and applies a saved plan, and nothing else. Throws LW0002 for an unknown one, LW5001 when it no longer fits. */
export async function applyPlan(program: Program, session: LabSession, planId: string): Promise<ExitCode> {
  return await showAndRun(program, session, await session.client.savedPlan(planId, program.interrupt));
}

async function showAndRun(program: Program, session: LabSession, plan: Plan): Promise<ExitCode> {
  const { terminal, options } = program;
  if (!options.json) terminal.out(formatPlan(plan, session.blueprint, { ...terminal.outStyle, isFull: false }));
  const planned = plan.problems.length > 0 ? exitCodes.failed : exitCodes.done;
  if (plan.steps.length === 0) {
    if (options.json) printRun(program, { plan, outcome: 'done', errors: [] });
    return planned;
  }
  await confirmLoss(program, session, plan);
  const { outcome, errors } = await follow(program, session.client, plan.id);
  if (options.json) printRun(program, { plan, outcome, errors });
  const exitCode = exitCodeOfOutcome(outcome);
  return exitCode === exitCodes.done ? planned : exitCode;
}

/** Follows a run to its end and leaves its summary on the screen, or with --json its document. */
export async function runAndRender(program: Program, client: LabClient, plan: Plan): Promise<ExitCode> {
  const { outcome, errors } = await follow(program, client, plan.id);
  if (program.options.json) printRun(program, { plan, outcome, errors });
  return exitCodeOfOutcome(outcome);
}

function exitCodeOfOutcome(outcome: string): ExitCode {
  if (outcome === 'done') return exitCodes.done;
  return outcome === 'interrupted' ? exitCodes.interrupted : exitCodes.failed;
}

function printRun({ terminal }: Program, run: { plan: Plan; outcome: string; errors: readonly ErrorJson[] }): void {
  terminal.out(`${JSON.stringify(run, undefined, 2)}\n`);
}

/**
 * Destroying asks, and names what is lost. On hardware that was meant with --real, --yes is not enough: a rehearsal runs
 * in the same directory, and a habit must not cost a disk.
 */
async function confirmLoss(program: Program, { blueprint, location }: LabSession, plan: Plan): Promise<void> {
  const lost = plan.steps.flatMap((step) => (step.risk.level === 'data-loss' ? [step.risk.lost] : []));
  const mustType = location.kind === 'hardware' && program.options.real;
  if (lost.length === 0 || (program.options.yes && !mustType)) return;
  const name = blueprint.lab.split('+')[0] ?? '';
  const answer = await program.terminal.ask(`This loses ${lost.join(', ')} for good. Type ${name} to go on: `);
  if (answer?.trim() === name) return;
  const fix = mustType ? ['run it in a terminal'] : ['the same command with --yes, after a look at the plan'];
  throw answer === undefined
    ? new LabwrightError('LW0002', {
        what: 'nothing was changed',
        why: `nobody is there to confirm the loss of ${lost.join(', ')}`,
        fix,
      })
    : new LabwrightError('LW0003', { what: 'nothing was changed', why: 'the loss was not confirmed' });
}

async function follow(program: Program, client: LabClient, planId: string) {
  const { terminal, clock } = program;
  const renderer = makeRunRenderer(terminal, clock);
  const ended = new AbortController();
  const ticking = tick(program, () => renderer.tick(), ended.signal);
  try {
    return await client.run({
      planId,
      ticket: randomHex(program.random, 8),
      // Talk goes to the error stream, so the one document of --json stays alone on the other.
      emit: (event) => renderer.handle(event),
      interrupt: program.interrupt,
      signal: program.signal,
    });
  } finally {
    ended.abort();
    await ticking;
    renderer.close();
  }
}

async function tick({ clock }: Program, redraw: () => void, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await clock.sleep(1000, ended).catch(() => undefined); // Aborted: the loop ends.
    if (!ended.aborted) redraw();
  }
}
