// `up`: makes the lab as the file says, showing what happens while it does.
import { applyIntent, applyPlan } from '../apply.ts';
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import type { ExitCode, Program } from '../program.ts';

export async function up(program: Program, { words: [planId] }: CommandInput): Promise<ExitCode> {
  return await withLab(program, { boot: true }, async (session) =>
    planId === undefined
      ? await applyIntent(program, session, { kind: 'up' })
      : await applyPlan(program, session, planId),
  );
}
