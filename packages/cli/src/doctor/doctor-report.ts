// What `doctor` found, for a person: what blocks, then what is nice to fix, then what is fine. Pure.
import type { LabwrightError } from '@labwright/core/errors/error';
import { formatAdvice, paint, plural, wrap, type Paint, type TextStyle } from '../render/text.ts';
import { displayWidth } from '@labwright/core/text/width';

/** 'note' is to know only: nothing is wrong. */
type Verdict = 'blocks' | 'nice' | 'note' | 'fine';

export interface Finding {
  readonly verdict: Verdict;
  /** One sentence with the names of the things concerned. */
  readonly what: string;
  readonly why?: string;
  /** What cannot be done, as a command: "labwright rehearse". */
  readonly blocks?: string;
  /** Advice in words, as errors give it. */
  readonly advice?: readonly string[];
  /** To be typed exactly so, in this order. */
  readonly commands?: readonly string[];
  /** Where the commands are to be typed, when that is not here. */
  readonly typedOn?: string;
}

/** An error, as what doctor found before it stood in the way. */
export function findingOf(error: LabwrightError, blocks: string): Finding {
  return {
    verdict: 'blocks',
    what: error.message,
    ...(error.why === undefined ? {} : { why: error.why }),
    blocks,
    advice: error.fix,
  };
}

const groups: readonly (readonly [Verdict, title: string, sign: string, as: Paint])[] = [
  ['blocks', 'Blocks you', '✗', 'bad'],
  ['nice', 'Nice to fix', '▲', 'warning'],
  ['note', 'To know', '·', 'faint'],
  ['fine', 'Fine', '✓', 'good'],
];

export function formatReport(findings: readonly Finding[], style: TextStyle): string {
  const sections = groups.flatMap(([verdict, title, sign, as]) => {
    const members = findings.filter((finding) => finding.verdict === verdict);
    if (members.length === 0) return [];
    const lines = members.flatMap((finding) => formatFinding(finding, paint(as, sign, style), style.columns));
    return [paint('strong', title, style), ...lines, ''];
  });
  return `${[...sections, ...wrap(summary(findings), style.columns)].join('\n')}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (verdict: Verdict): number => findings.filter((finding) => finding.verdict === verdict).length;
  const nice = count('nice') > 0 ? `, ${count('nice')} nice to fix` : '';
  if (count('blocks') === 0) return `Nothing blocks you${nice}.`;
  return `${plural(count('blocks'), 'thing blocks', 'things block')} you${nice}.`;
}

const indent = '      ';

function formatFinding(finding: Finding, sign: string, columns: number): readonly string[] {
  const room = columns - indent.length;
  const [first = '', ...rest] = wrap(finding.what, columns - 4);
  const below = [
    ...(finding.why === undefined ? [] : wrap(finding.why, room)),
    ...(finding.blocks === undefined ? [] : wrap(`in the way of: ${finding.blocks}`, room)),
    ...formatAdvice(finding.advice ?? [], room - 5).flatMap((lines, at) =>
      lines.map((line, row) => (row > 0 ? '     ' : at === 0 ? 'fix  ' : 'or   ') + line.replace(/^(or|and),? /, '')),
    ),
    ...(finding.typedOn === undefined ? [] : wrap(`type ${finding.typedOn}:`, room)),
    ...(finding.commands ?? []).flatMap((command) => breakCommand(command, room - 2).map((line) => `  ${line}`)),
  ];
  return [`  ${sign} ${first}`, ...rest.map((line) => `    ${line}`), ...below.map((line) => indent + line)];
}

/** A long command stays one that can be copied: a shell reads on after a backslash at the end of a line. */
export function breakCommand(command: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of command.split(' ')) {
    if (line.trim() !== '' && displayWidth(line) + 1 + displayWidth(word) > columns - 2) {
      lines.push(`${line} \\`);
      line = `  ${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
