// `up`: makes the lab as the file says, showing what happens while it does.
import { randomHex } from '@labwright/core/ports/random';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { LabClient } from '@labwright/daemon/api/client';
import type { Plan } from '@labwright/core/plan/plan';
import type { Command } from '../command.ts';
import { openLabSession } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatPlan } from '../render/plan.ts';
import { makeRunRenderer } from '../render/run.ts';

export const upCommand: Command = {
  name: 'up',
  argument: '[plan]',
  summary: 'make the lab as the lab file says',
  examples: ['labwright up', 'labwright up 4f2c1a   apply exactly that plan'],
  run: async (program, { words }) => {
    const { blueprint, client } = await openLabSession(program);
    const [planId] = words;
    const plan = planId === undefined ? await client.plan(program.interrupt) : undefined;
    if (plan !== undefined) {
      if (!program.options.json) program.terminal.out(formatPlan(plan, blueprint, program.terminal));
      if (plan.steps.length === 0) return plan.problems.length > 0 ? exitCodes.failed : exitCodes.done;
      await confirmLoss(program, blueprint, plan);
    }
    return await runAndRender(program, client, planId ?? plan?.id ?? '');
  },
};

/** Destroying asks, and names what is lost. */
async function confirmLoss(program: Program, blueprint: Blueprint, plan: Plan): Promise<void> {
  const lost = plan.steps.flatMap((step) => (step.risk.level === 'data-loss' ? [step.risk.lost] : []));
  if (lost.length === 0 || program.options.yes) return;
  const name = blueprint.lab.split('+')[0] ?? '';
  const answer = await program.terminal.ask(`This loses ${lost.join(', ')} for good. Type ${name} to go on: `);
  if (answer?.trim() === name) return;
  throw new LabwrightError('LW0003', {
    what: 'nothing was changed',
    why: answer === undefined ? 'nobody is there to confirm what would be lost' : 'it was not confirmed',
    fix: ['labwright up --yes   after a look at labwright plan'],
  });
}

/** Follows a run to its end and leaves its summary on the screen. */
export async function runAndRender(program: Program, client: LabClient, planId: string): Promise<ExitCode> {
  const { terminal, clock, options } = program;
  const renderer = makeRunRenderer(terminal, clock);
  const ended = new AbortController();
  const ticking = tick(program, renderer.tick, ended.signal);
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
