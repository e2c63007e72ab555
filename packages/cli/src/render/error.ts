// An error on the terminal: what, where, why, the last log lines, and how to fix it, in that order.
import type { ErrorJson } from '@labwright/core/errors/error';
import { formatAdvice, paint, wrap, type TextStyle } from './text.ts';
import { displayWidth, printable, takeColumns } from '@labwright/core/text/width';

const labelWidth = 10;

export function formatError(error: ErrorJson, style: TextStyle): string {
  const room = style.columns - labelWidth;
  const head = `${error.kind === 'interrupted' ? 'stopped' : 'error'} ${error.code}  `;
  const [first = '', ...rest] = wrap(error.what, style.columns - head.length);
  const lines = [paint('bad', head, style) + first, ...rest.map((line) => ' '.repeat(head.length) + line)];
  const add = (label: string, texts: readonly string[]): void => {
    for (const [at, text] of texts.entries()) lines.push(`  ${(at === 0 ? label : '').padEnd(labelWidth - 2)}${text}`);
  };
  const places = Object.entries(error.where);
  if (places.length > 0) add('where', wrap(places.map(([name, value]) => `${name} ${value}`).join(' · '), room));
  if (error.why !== undefined) add('why', wrap(error.why, room));
  add(
    'log',
    error.log.flatMap((line) => breakLine(printable(line), room)),
  );
  addAdvice(error.fix, room, add);
  add('more', [`labwright explain ${error.code}`]);
  return `${lines.join('\n')}\n`;
}

/** What stands before each piece of advice says how it goes with the others: the next choice, or the next thing to do. */
function addAdvice(fix: readonly string[], room: number, add: (label: string, texts: readonly string[]) => void): void {
  const parts = fix.map((text, at) => {
    const joint = /^(or|and),? /.exec(text);
    const label = at === 0 ? 'fix' : (joint?.[1] ?? 'or');
    return { label, text: joint === null ? text : text.slice(joint[0].length) };
  });
  const lines = formatAdvice(
    parts.map(({ text }) => text),
    room,
  );
  for (const [at, { label }] of parts.entries()) add(label, lines[at] ?? []);
}

/** A log keeps its spaces; what is too long goes on in the next line. */
function breakLine(line: string, room: number): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (displayWidth(rest) > room) {
    const part = takeColumns(rest, room);
    lines.push(part);
    rest = rest.slice(part.length);
  }
  return [...lines, rest];
}
