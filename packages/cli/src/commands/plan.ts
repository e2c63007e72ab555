// `plan`: what would have to change, and nothing is changed.
import { countChanges, estimatePlanMs } from '@labwright/core/plan/plan';
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatPlan } from '../render/plan.ts';

export async function plan(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { blueprint, made } = await withLab(program, { boot: false }, async ({ blueprint, client }) => ({
    blueprint,
    made: await client.plan({ kind: 'up' }, program.interrupt),
  }));
  const { terminal, options } = program;
  if (options.json) {
    const summary = { counts: countChanges(made), estimateMs: estimatePlanMs(made) };
    terminal.out(`${JSON.stringify({ ...made, ...summary }, undefined, 2)}\n`);
  } else {
    terminal.out(formatPlan(made, blueprint, { ...terminal.outStyle, isFull: flags['full'] === true }));
    if (made.steps.length > 0) terminal.err(`  labwright up ${made.id}   apply exactly this\n`);
  }
  if (made.problems.length > 0) return exitCodes.failed;
  return flags['exitCode'] === true && made.steps.length > 0 ? exitCodes.changesPending : exitCodes.done;
}
