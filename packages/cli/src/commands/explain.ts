// `explain`: what an error code means and what to do, without a network.
import { LabwrightError } from '@labwright/core/errors/error';
import { explainError, isErrorCode } from '@labwright/core/errors/explain';
import { errorGuide } from '@labwright/core/errors/guide';
import { errorTable } from '@labwright/core/errors/table';
import { nearestName } from '@labwright/core/lab/nearest-name';
import type { CommandInput } from '../command.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { hang } from '../render/text.ts';

export async function explain({ terminal, options }: Program, { words: [word] }: CommandInput): Promise<ExitCode> {
  if (word === undefined) {
    const lines = Object.entries(errorTable).flatMap(([code, { title }]) =>
      hang(`${code}  `, title, terminal.outStyle.columns),
    );
    terminal.out(options.json ? `${JSON.stringify(errorTable, undefined, 2)}\n` : `${lines.join('\n')}\n`);
    return exitCodes.done;
  }
  const code = /^\d{4}$/.test(word) ? `LW${word}` : word.toUpperCase();
  if (!isErrorCode(code)) {
    const meant = nearestName(code, Object.keys(errorTable));
    throw new LabwrightError('LW0002', {
      what: `there is no error code ${word}`,
      fix: [...(meant === undefined ? [] : [`labwright explain ${meant}`]), 'labwright explain   lists them all'],
    });
  }
  const document = { code, ...errorTable[code], ...errorGuide[code], text: explainError(code) };
  const text = explainError(code, terminal.outStyle.columns);
  terminal.out(options.json ? `${JSON.stringify(document, undefined, 2)}\n` : text);
  return exitCodes.done;
}
