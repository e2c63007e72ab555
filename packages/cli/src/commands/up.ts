// `up`: makes the lab as the file says, showing what happens while it does.
import { applyIntent, runAndRender } from '../apply.ts';
import type { Command } from '../command.ts';
import { withLab } from '../lab-session.ts';

export const upCommand: Command = {
  name: 'up',
  argument: '[plan]',
  summary: 'make the lab as the lab file says',
  examples: ['labwright up', 'labwright up 4f2c1a   apply exactly that plan'],
  run: async (program, { words: [planId] }) =>
    await withLab(program, { boot: true }, async (session) =>
      planId === undefined
        ? await applyIntent(program, session, { kind: 'up' })
        : await runAndRender(program, session.client, planId),
    ),
};
