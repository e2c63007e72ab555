// Explains an error code at length, on the terminal and in docs/errors.md, without a network.
import { errorGuide } from './guide.ts';
import { errorTable, type ErrorCode, type ErrorKind } from './table.ts';
import { wrapText } from './wrap.ts';

const kindWords: Readonly<Record<ErrorKind, string>> = {
  config: 'the lab file',
  usage: 'how the command was used',
  unreachable: 'something does not answer',
  denied: 'a missing right',
  refused: 'the other side said no',
  conflict: 'someone else changed it, or has it',
  timeout: 'it took too long',
  environment: 'this computer',
  interrupted: 'stopped on request',
  bug: 'a mistake in Labwright',
};

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}

/** What `labwright explain CODE` prints. */
export function explainError(code: ErrorCode, columns = 80): string {
  const { kind, title } = errorTable[code];
  const { meaning, advice } = errorGuide[code];
  const steps = advice.flatMap((step) => wrapText(plain(step), columns, '  - '));
  const head = [
    ...wrapText(title, columns, `${code}  `),
    '',
    ...wrapText(`${kind} (${kindWords[kind]})`, columns, 'kind: '),
    '',
  ];
  return [...head, ...wrapText(plain(meaning), columns), '', 'what to do', ...steps, ''].join('\n');
}

const groups: readonly (readonly [prefix: string, title: string])[] = [
  ['LW0', 'This program and this computer'],
  ['LW1', 'The lab file'],
  ['LW2', 'Hypervisors'],
  ['LW3', 'Network boot'],
  ['LW4', 'Images and artifacts'],
  ['LW5', 'Plan and engine'],
  ['LW6', 'The cluster'],
  ['LW7', 'Services and network storage'],
  ['LW8', 'The router'],
  ['LW9', 'Rehearsal'],
];

/** The text of docs/errors.md. */
export function formatErrorsDocument(): string {
  const codes = Object.keys(errorTable) as ErrorCode[];
  const sections = groups.flatMap(([prefix, title]) => {
    const members = codes.filter((code) => code.startsWith(prefix));
    return members.length === 0 ? [] : [`## ${title}`, ...members.map(errorSection)];
  });
  const intro = [
    '# Errors',
    'Every error has a code. `labwright explain CODE` prints the same text without a network.',
  ];
  return `${[...intro, ...sections].join('\n\n')}\n`;
}

function errorSection(code: ErrorCode): string {
  const { kind, title } = errorTable[code];
  const { meaning, advice } = errorGuide[code];
  return [
    `### ${code}: ${title}`,
    `Kind: ${kind} (${kindWords[kind]}).`,
    meaning,
    advice.map((step) => `- ${step}`).join('\n'),
  ].join('\n\n');
}

/** Backticks are for the page; a terminal reads better with quotes. */
function plain(text: string): string {
  return text.replaceAll('`', '"');
}
