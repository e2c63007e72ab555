// An error on the terminal: what, where, why, the last log lines, and how to fix it, in that order.
import type { ErrorJson } from '@labwright/core/errors/error';
import { paint, wrap } from './text.ts';

export interface ErrorStyle {
  readonly columns: number;
  readonly hasColour: boolean;
}

const labelWidth = 10;

export function formatError(error: ErrorJson, style: ErrorStyle): string {
  const head = `${error.kind === 'interrupted' ? 'stopped' : 'error'} ${error.code}  `;
  const [first = '', ...rest] = wrap(error.what, style.columns - head.length, '');
  const lines = [paint('bad', head, style.hasColour) + first, ...rest.map((line) => ' '.repeat(head.length) + line)];
  const add = (label: string, text: string): void => {
    const [line = '', ...more] = wrap(text, style.columns - labelWidth, '');
    lines.push(`  ${label.padEnd(labelWidth - 2)}${line}`, ...more.map((each) => ' '.repeat(labelWidth) + each));
  };
  const places = Object.entries(error.where);
  if (places.length > 0) add('where', places.map(([name, value]) => `${name} ${value}`).join(' · '));
  if (error.why !== undefined) add('why', error.why);
  for (const [at, line] of error.log.entries())
    lines.push(`  ${(at === 0 ? 'log' : '').padEnd(labelWidth - 2)}${line}`);
  for (const [at, fix] of error.fix.entries())
    add(at === 0 ? 'fix' : '', at === 0 ? fix : `or ${fix.replace(/^or,? /, '')}`);
  add('more', `labwright explain ${error.code}`);
  return `${lines.join('\n')}\n`;
}
