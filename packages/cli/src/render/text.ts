// Words and figures as every screen writes them.
import { styleText } from 'node:util';
import { displayWidth, padColumns, printable, takeColumns } from '@labwright/core/text/width';

/** What text may look like where it goes. */
export interface TextStyle {
  /** No line is longer. */
  readonly columns: number;
  readonly hasColour: boolean;
  /** Words beside every symbol, for screen readers and for whoever asked with --plain. */
  readonly isPlain: boolean;
}

export type Paint = 'good' | 'bad' | 'warning' | 'faint' | 'strong';

const formats = { good: 'green', bad: 'red', warning: 'yellow', faint: 'dim', strong: 'bold' } as const;

/** Colour is never the only sign: a symbol or word always stands beside it. */
export function paint(as: Paint, text: string, { hasColour }: Pick<TextStyle, 'hasColour'>): string {
  return hasColour ? styleText(formats[as], text, { validateStream: false }) : text;
}

/** "4 s", "1m 52s", "2h 05m"; under a second "0.3 s". */
export function formatDuration(durationMs: number): string {
  if (durationMs < 950) return `${(Math.max(0, durationMs) / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}

/** "about 40 s", "about 3 min": an estimate is not given to the second. */
export function formatEstimate(durationMs: number): string {
  if (durationMs < 55_000) return `about ${Math.max(5, Math.ceil(durationMs / 5000) * 5)} s`;
  return `about ${Math.ceil(durationMs / 60_000)} min`;
}

export function formatMiB(memoryMiB: number): string {
  return memoryMiB >= 1024 && memoryMiB % 1024 === 0 ? `${memoryMiB / 1024} GiB` : `${memoryMiB} MiB`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Words wrapped to the columns, every line after the first indented. A word longer than a line is broken. */
export function wrap(text: string, columns: number, indent = ''): readonly string[] {
  const lines: string[] = [];
  let line = '';
  const room = (): number => Math.max(1, columns - (lines.length === 0 ? 0 : indent.length));
  for (let word of printable(text)
    .split(/ +/)
    .filter((each) => each !== '')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) <= room()) {
      line += ` ${word}`;
      continue;
    }
    if (line !== '') lines.push(line);
    for (; displayWidth(word) > room(); word = word.slice((lines.at(-1) ?? '').length)) {
      lines.push(takeColumns(word, room()) || String.fromCodePoint(word.codePointAt(0) ?? 0x20));
    }
    line = word;
  }
  if (line !== '') lines.push(line);
  return lines.map((each, at) => (at === 0 ? each : indent + each));
}

/** A word at the head, and the text beside it, however many lines it takes. */
export function hang(head: string, text: string, columns: number): readonly string[] {
  const lines = wrap(text, Math.max(1, columns - displayWidth(head)));
  return lines.map((line, at) => (at === 0 ? head : ' '.repeat(displayWidth(head))) + line);
}

/**
 * Advice in two columns. "labwright plan   what would change": two or more spaces part a command from its comment; the
 * comments of one list stand in one column, or below their commands where that leaves them no room. A list of lines each.
 */
export function formatAdvice(advice: readonly string[], columns: number): readonly (readonly string[])[] {
  const parts = advice.map((each) => {
    const [command = '', ...comment] = printable(each).trim().split(/ {2,}/);
    return { command, comment: comment.join(' ') };
  });
  const gap = 3;
  const widest = Math.max(
    0,
    ...parts.filter(({ comment }) => comment !== '').map(({ command }) => displayWidth(command)),
  );
  const room = columns - widest - gap;
  return parts.map(({ command, comment }) => {
    if (comment === '') return wrap(command, columns);
    if (room < 24) return [...wrap(command, columns), ...wrap(comment, columns - 4).map((line) => `    ${line}`)];
    return wrap(comment, room).map((line, at) => padColumns(at === 0 ? command : '', widest + gap) + line);
  });
}
