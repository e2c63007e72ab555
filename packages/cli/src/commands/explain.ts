// `explain`: what an error code means and what to do, without a network.
import { LabwrightError } from '@labwright/core/errors/error';
import { explainError } from '@labwright/core/errors/explain';
import { errorTable } from '@labwright/core/errors/table';
import type { Command } from '../command.ts';
import { exitCodes } from '../program.ts';

export const explainCommand: Command = {
  name: 'explain',
  argument: '[code]',
  summary: 'what an error code means and what to do; without a code, all of them',
  examples: ['labwright explain LW3001', 'labwright explain'],
  run: async (program, { words }) => {
    const [code] = words;
    const { terminal, options } = program;
    if (code === undefined) {
      const rows = Object.entries(errorTable);
      if (options.json) terminal.out(`${JSON.stringify(errorTable, undefined, 2)}\n`);
      else for (const [each, { title }] of rows) terminal.out(`${each}  ${title}\n`);
      return exitCodes.done;
    }
    const wanted = code.toUpperCase();
    const row = Object.entries(errorTable).find(([each]) => each === wanted)?.[1];
    if (row === undefined) {
      throw new LabwrightError('LW0002', { what: `there is no error code ${code}`, fix: ['labwright explain'] });
    }
    const text = explainError(wanted as keyof typeof errorTable);
    terminal.out(options.json ? `${JSON.stringify({ code: wanted, ...row, text }, undefined, 2)}\n` : text);
    return exitCodes.done;
  },
};
