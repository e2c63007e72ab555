// From an intent to its end: plan, show, ask about what would be lost, run, and leave the outcome on the screen.
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { Plan } from '@labwright/core/plan/plan';
import { randomHex } from '@labwright/core/ports/random';
import type { LabClient } from '@labwright/daemon/api/client';
import type { LabSession } from './lab-session.ts';
import { confirmByName } from './confirm.ts';
import { exitCodes, type ExitCode, type Program } from './program.ts';
import { formatPlan } from './render/plan.ts';
import { makeRunRenderer } from './render/run.ts';

/**
 * What was wanted is an end and not a plan: when the lab moved between looking and doing (Labwright itself healed something, say),
 * it is planned, shown and asked about once more.
 */
export async function applyIntent(program: Program, session: LabSession, intent: Intent): Promise<ExitCode> {
  const plan = async (): Promise<Plan> => await session.client.plan(intent, program.interrupt);
  const first = await plan();
  try {
    return await showAndRun(program, session, first);
  } catch (error) {
    if (!(error instanceof LabwrightError) || error.code !== 'LW5001') throw error;
    if (!program.options.json) program.terminal.err('The lab has moved meanwhile; this is the plan now:\n');
    return await showAndRun(program, session, await plan());
  }
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

/** Destroying asks, and names what is lost. */
async function confirmLoss(program: Program, session: LabSession, plan: Plan): Promise<void> {
  const lost = plan.steps.flatMap((step) => (step.risk.level === 'data-loss' ? [step.risk.lost] : []));
  if (lost.length === 0) return;
  const all = lost.join(', ');
  await confirmByName(program, session, { question: `This loses ${all} for good.`, loss: `the loss of ${all}` });
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
