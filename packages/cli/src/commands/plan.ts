// `plan`: what would have to change, and nothing is changed.
import { countChanges, estimatePlanMs } from '@labwright/core/plan/plan';
import type { Command } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes } from '../program.ts';
import { formatPlan } from '../render/plan.ts';

export const planCommand: Command = {
  name: 'plan',
  summary: 'compare the lab file with what is there',
  options: [{ flags: '--exit-code', summary: 'exit with 3 when there is something to change' }],
  examples: ['labwright plan', 'labwright plan --exit-code'],
  run: async (program, { flags }) => {
    const { blueprint, plan } = await withLab(program, { boot: false }, async ({ blueprint, client }) => ({
      blueprint,
      plan: await client.plan({ kind: 'up' }, program.interrupt),
    }));
    if (program.options.json) {
      const summary = { counts: countChanges(plan), estimateMs: estimatePlanMs(plan) };
      program.terminal.out(`${JSON.stringify({ ...plan, ...summary }, undefined, 2)}\n`);
    } else {
      program.terminal.out(formatPlan(plan, blueprint, program.terminal));
      if (plan.steps.length > 0) program.terminal.err(`  labwright up ${plan.id}    apply exactly this\n`);
    }
    if (plan.problems.length > 0) return exitCodes.failed;
    return flags['exitCode'] === true && plan.steps.length > 0 ? exitCodes.changesPending : exitCodes.done;
  },
};
