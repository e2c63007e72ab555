// Help as people ask for it, at the width of their terminal.
import { displayWidth } from '@labwright/core/text/width';
import { commandGroups, commands } from './commands/commands.ts';
import { formatAdvice, hang, wrap } from './render/text.ts';

const exitCodeNotes: readonly (readonly [string, string])[] = [
  ['0', 'done, or nothing to do'],
  ['1', 'failed'],
  ['2', 'command or lab file is wrong'],
  ['3', 'changes pending (plan --exit-code)'],
  ['4', 'something does not answer'],
  ['5', 'the lab moved since the plan was made'],
  ['130', 'interrupted; the same again goes on'],
];

const environmentNotes: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'no colours'],
  ['LABWRIGHT_ACCESSIBLE=1', 'as --plain, always'],
  ['XDG_STATE_HOME', 'where labs are remembered (default: ~/.local/state)'],
  ['XDG_CACHE_HOME', 'where images are kept (default: ~/.cache)'],
];

/** What stands below the list of commands. */
export function formatRootNotes(columns: number): string {
  const table = (title: string, rows: readonly (readonly [string, string])[]): string =>
    ['', title, formatItems(rows, columns)].join('\n');
  return `${table('Exit codes:', exitCodeNotes)}\n${table('Environment:', environmentNotes)}\n`;
}

/** Examples first: they are what most people look for in a help text. */
export function describeCommand(text: string, examples: readonly string[], columns: number): string {
  const lines = formatAdvice(examples, columns - 2).flat();
  return [...wrap(text, columns), '', 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Terms with what they mean beside them, or below where the terminal is narrow. */
export function formatItems(rows: readonly (readonly [string, string])[], columns: number): string {
  const widest = Math.max(...rows.map(([term]) => displayWidth(term)));
  return rows.map(([term, text]) => formatItem(term, widest, text, columns)).join('\n');
}

/** One of them, for a list whose widest term is that wide. */
export function formatItem(term: string, widest: number, text: string, columns: number): string {
  if (text === '') return `  ${term}`;
  const isNarrow = columns - widest - 4 < 24;
  if (!isNarrow) return hang(`  ${term.padEnd(widest)}  `, text, columns).join('\n');
  return [`  ${term}`, ...hang('      ', text, columns)].join('\n');
}

/** Lines that are still too long, such as a long usage, go on below, indented a little more. */
export function fitLines(text: string, columns: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      if (displayWidth(line) <= columns) return [line];
      const indent = /^ */.exec(line)?.[0] ?? '';
      return wrap(line, columns - indent.length, '  ').map((part) => indent + part);
    })
    .join('\n');
}

/** The words of a command line before "--", without options and their values. */
export function wordsOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  return own.filter((word, at) => !word.startsWith('-') && own[at - 1] !== '--lab');
}

/**
 * "help", "help rehearse stop", "rehearse help": what help is asked for, '' for all of it; undefined when the words ask
 * for something else.
 */
export function findHelpTopic(argv: readonly string[]): string | undefined {
  const words = wordsOf(argv);
  if (words[0] === 'help') return words.slice(1).join(' ');
  if (words.at(-1) !== 'help') return undefined;
  const topic = words.slice(0, -1).join(' ');
  // What follows `exec` is a command line of somebody else.
  const isTopic =
    Object.hasOwn(commandGroups, topic) || commands.some(({ name }) => name === topic && name !== 'rehearse exec');
  return isTopic ? topic : undefined;
}
