// Renders diagnostics for a terminal: the sentence, the place, the line with a caret, and what to do.
import { wrapText } from '../errors/wrap.ts';
import { displayWidth, takeColumns } from '../text/width.ts';
import { isSecretPath, type Diagnostic, type Position } from './diagnostic.ts';
import { hideSecrets } from './hide-secrets.ts';

export interface FormatOptions {
  /** Columns of the terminal; 80 suffice. */
  readonly width: number;
}

/** Ends with a line that counts them. No colour: the words carry everything. */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  source: string,
  { width }: FormatOptions,
): string {
  const lines = source.split(/\r?\n/).map(hideSecrets);
  const columns = Math.max(width, 40);
  const blocks = diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, lines, columns));
  return [...blocks, wrapText(printable(formatCount(diagnostics)), columns).join('\n')].join('\n\n') + '\n';
}

/** "2 problems and 1 warning in lab.yaml; nothing was changed." */
export function formatCount(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const counted = [
    ...(errors > 0 ? [`${errors} ${errors === 1 ? 'problem' : 'problems'}`] : []),
    ...(warnings > 0 ? [`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`] : []),
  ];
  const [first] = diagnostics;
  if (first === undefined) return 'No problems.';
  return `${counted.join(' and ')} in ${first.position.file}${errors > 0 ? '; nothing was changed.' : '.'}`;
}

function formatDiagnostic(diagnostic: Diagnostic, lines: readonly string[], width: number): string {
  const { severity, position, message, label, fix, related } = diagnostic;
  const head = severity.padEnd(9);
  return [
    ...wrapBeside(head, message, width),
    `  ${printable(formatPosition(position))}`,
    ...snippet(position, label, isSecretPath(diagnostic.path) ? hideFrom(position, lines) : lines, width),
    ...related.flatMap((place) => wrapBeside('  see      ', `line ${place.position.line}: ${place.message}`, width)),
    ...wrapBeside('  fix      ', fix, width),
  ].join('\n');
}

export function formatPosition({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}

/** The source line in a window around the caret, and the label beside the caret or below it. */
function snippet(position: Position, label: string | undefined, lines: readonly string[], width: number): string[] {
  const whole = lines[position.line - 1];
  if (whole === undefined || whole.trim() === '') return label === undefined ? [] : wrapBeside('      ', label, width);
  const gutter = String(position.line).padStart(5);
  const room = width - gutter.length - 3;
  const at = Math.min(position.column - 1, whole.length);
  // Columns and not characters from here on: a line may hold text that takes two columns a character.
  const before = printable(whole.slice(0, at));
  const marked = printable(whole.slice(at, at + position.length));
  const after = printable(whole.slice(at + position.length));
  const { shown, caretAt } = windowAround(before, marked + after, room);
  const indent = ' '.repeat(caretAt);
  const caret = '^'.repeat(Math.max(1, Math.min(displayWidth(marked), room - caretAt)));
  const edge = `${' '.repeat(gutter.length)} │ `;
  const first = `${gutter} │ ${shown}`;
  if (label === undefined) return [first, edge + indent + caret];
  const beside = `${edge}${indent}${caret} ${printable(label)}`;
  if (displayWidth(beside) <= width) return [first, beside];
  return [first, edge + indent + caret, ...wrapBeside(edge, label, width, edge)];
}

/** As much of a line as fits, with the place between `before` and `rest` in sight; what is cut is an ellipsis. */
function windowAround(
  before: string,
  rest: string,
  room: number,
): { readonly shown: string; readonly caretAt: number } {
  let left = before;
  if (displayWidth(before) >= room - 12) {
    const kept = Math.floor(room / 3);
    while (displayWidth(left) > kept - 1) left = left.slice(String.fromCodePoint(left.codePointAt(0) ?? 0x20).length);
    left = `…${left}`;
  }
  const caretAt = displayWidth(left);
  const right = room - caretAt;
  const cut = displayWidth(rest) <= right ? rest : `${takeColumns(rest, right - 1)}…`;
  return { shown: left + cut, caretAt };
}

function wrapBeside(head: string, text: string, width: number, indent?: string): string[] {
  return wrapText(printable(text), width, head, indent);
}

/**
 * A file must not steer the terminal: what is not to be seen becomes visible, tabs one column. Character by character, so
 * that a part of a line becomes the same part of what is shown.
 */
function printable(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '�');
}

/** The same lines with the value at the position, and what follows it, as dots. */
function hideFrom({ line, column }: Position, lines: readonly string[]): readonly string[] {
  // A line that ends before that place has its dots already.
  return lines.map((text, at) => (at === line - 1 && text.length >= column ? `${text.slice(0, column - 1)}•••` : text));
}
