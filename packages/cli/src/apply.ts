// From an intent to its end: plan, show, ask about what would be lost, run, and leave the outcome on the screen.
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Plan } from '@labwright/core/plan/plan';
import { randomHex } from '@labwright/core/ports/random';
import type { LabClient } from '@labwright/daemon/api/client';
import type { LabSession } from './lab-session.ts';
import { exitCodes, type ExitCode, type Program } from './program.ts';
import { formatPlan } from './render/plan.ts';
import { makeRunRenderer } from './render/run.ts';

export async function applyIntent(program: Program, session: LabSession, intent: Intent): Promise<ExitCode> {
  const { blueprint, client } = session;
  const plan = await client.plan(intent, program.interrupt);
  if (!program.options.json) program.terminal.out(formatPlan(plan, blueprint, program.terminal));
  if (plan.steps.length === 0) return plan.problems.length > 0 ? exitCodes.failed : exitCodes.done;
  await confirmLoss(program, session, plan);
  const exitCode = await runAndRender(program, client, plan.id);
  return exitCode === exitCodes.done && plan.problems.length > 0 ? exitCodes.failed : exitCode;
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
  throw new LabwrightError('LW0003', {
    what: 'nothing was changed',
    why: answer === undefined ? `nobody is there to confirm the loss of ${lost.join(', ')}` : 'it was not confirmed',
    fix: mustType ? ['run it in a terminal'] : ['the same command with --yes, after a look at the plan'],
  });
}

/** Follows a run to its end and leaves its summary on the screen. */
export async function runAndRender(program: Program, client: LabClient, planId: string): Promise<ExitCode> {
  const { terminal, clock, options } = program;
  const renderer = makeRunRenderer(terminal, clock);
  const ended = new AbortController();
  const ticking = tick(program, () => renderer.tick(), ended.signal);
  try {
    const { outcome, errors } = await client.run({
      planId,
      ticket: randomHex(program.random, 8),
      emit: (event) => (options.json ? terminal.out(`${JSON.stringify(event)}\n`) : renderer.handle(event)),
      interrupt: program.interrupt,
      signal: program.signal,
    });
    if (outcome === 'done') return exitCodes.done;
    renderer.close();
    if (outcome === 'interrupted') terminal.err('Stopped in good order. To go on: labwright up\n');
    else if (!options.json) terminal.err(`${errors.length} failed; the rest is done. To go on: labwright up\n`);
    return outcome === 'interrupted' ? exitCodes.interrupted : exitCodes.failed;
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
