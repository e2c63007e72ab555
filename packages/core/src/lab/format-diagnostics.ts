// Renders diagnostics for a terminal: the sentence, the place, the line with a caret, and what to do.
import { wrapText } from '../errors/wrap.ts';
import { isSecretPath, type Diagnostic, type Position } from './diagnostic.ts';

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
  const lines = source.split(/\r?\n/);
  const blocks = diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, lines, Math.max(width, 40)));
  return [...blocks, formatCount(diagnostics)].join('\n\n') + '\n';
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
    `  ${formatPosition(position)}`,
    ...snippet(position, label, isSecretPath(diagnostic.path) ? hideFrom(position, lines) : lines, width),
    ...related.flatMap((place) => wrapBeside('  see      ', `line ${place.position.line}: ${place.message}`, width)),
    ...(fix === undefined ? [] : wrapBeside('  fix      ', fix, width)),
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
  const caretAt = Math.min(position.column - 1, whole.length);
  const start = caretAt < room - 12 ? 0 : Math.max(0, caretAt - Math.floor(room / 3));
  const cut = printable(whole).slice(start, start + room);
  const shown = start > 0 ? `…${cut.slice(1)}` : cut;
  const text = start + room < whole.length ? `${shown.slice(0, -1)}…` : shown;
  const indent = ' '.repeat(caretAt - start);
  const caret = '^'.repeat(Math.max(1, Math.min(position.length, room - indent.length)));
  const edge = `${' '.repeat(gutter.length)} │ `;
  const first = `${gutter} │ ${text}`;
  if (label === undefined) return [first, edge + indent + caret];
  const beside = `${edge}${indent}${caret} ${printable(label)}`;
  if (beside.length <= width) return [first, beside];
  return [first, edge + indent + caret, ...wrapBeside(edge, label, width, edge)];
}

function wrapBeside(head: string, text: string, width: number, indent?: string): string[] {
  return wrapText(printable(text), width, head, indent);
}

/** A file must not steer the terminal: control characters become visible, tabs one column. */
function printable(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '�');
}

/** The same lines with the value at the position, and what follows it, as dots. */
function hideFrom({ line, column }: Position, lines: readonly string[]): readonly string[] {
  return lines.map((text, at) => (at === line - 1 ? `${text.slice(0, column - 1)}•••` : text));
}
