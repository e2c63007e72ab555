// The command line: the command table given to commander, and each command run with its ports.
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import { nearestName } from '@labwright/core/lab/nearest-name';
import { Command as Commander, CommanderError, Option } from 'commander';
import type { Command, CommandInput } from './command.ts';
import { commandGroups, commands } from './commands/commands.ts';
import { exitCodes, type ExitCode, type GlobalOptions, type Program } from './program.ts';
import { formatAdvice } from './render/text.ts';
import { exitCodeOf, reportError } from './report-error.ts';
import { plainTerminal } from './terminal.ts';

export type ProgramBase = Omit<Program, 'options'>;

const rootExamples = [
  'labwright rehearse --detach   bring the lab up on this computer',
  'labwright doctor              what is missing here, and how to get it',
  'labwright plan                what would change, and nothing is changed',
  'labwright rehearse stop       end the rehearsal and remove everything of it',
];

const rootNotes = `
Exit codes:
  0  done, or nothing to do         4    something does not answer
  1  failed                         5    the lab moved since the plan was made
  2  command or lab file is wrong   130  interrupted; the same again goes on
  3  changes pending (plan --exit-code)

Environment:
  NO_COLOR                 no colours
  LABWRIGHT_ACCESSIBLE=1   as --plain, always
`;

/** Runs one command line; never throws. */
export async function runCommandLine(argv: readonly string[], given: ProgramBase): Promise<ExitCode> {
  const isPlain = asks(argv, '--plain') || given.environment['LABWRIGHT_ACCESSIBLE'] === '1';
  const base = isPlain ? { ...given, terminal: plainTerminal(given.terminal) } : given;
  let exitCode: ExitCode = exitCodes.done;
  const root = buildCommands(base, async (command, input, options) => {
    exitCode = await runGuarded({ ...base, options }, command, input);
  });
  try {
    await root.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    // Help asked for is a result; help shown because nothing was asked for, or a typing mistake, is not.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done;
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') return exitCodes.usage;
    const error = thrown instanceof CommanderError ? usageError(thrown, argv) : asLabwrightError(thrown);
    const options = { ...readGlobalOptions({}), json: asks(argv, '--json'), debug: asks(argv, '--debug') };
    await reportError(error, { terminal: base.terminal, options });
    return exitCodeOf(error);
  }
}

type Run = (command: Command, input: CommandInput, options: GlobalOptions) => Promise<void>;

function buildCommands({ terminal }: ProgramBase, run: Run): Commander {
  const columns = (width: number): number => Math.min(width, 100);
  const width = columns(terminal.outStyle.columns);
  const root = new Commander('labwright')
    .description(describe('A home datacenter as a platform, from one file.', rootExamples, width))
    .option('--lab <file>', 'the lab file (default: lab.yaml here)')
    .option('--json', 'results and errors as JSON')
    .option('--yes', 'answer yes to questions')
    .option('--plain', 'no colour, nothing redrawn, words beside symbols')
    .option('--real', 'mean hardware although a rehearsal runs here')
    .option('--without-serve', 'work here although the lab file says where it is served')
    .option('--debug', 'show what is behind an error')
    .addHelpText('after', rootNotes);
  for (const command of commands) addCommand(root, command, width, run);
  applyToAll(root, (each) =>
    each
      .exitOverride()
      .configureHelp({ subcommandTerm: (command) => command.name() })
      .configureOutput({
        writeOut: (text) => terminal.out(text),
        // Help because nothing was asked for; mistakes are told by us.
        writeErr: (text) => terminal.err(text),
        outputError: () => undefined,
        getOutHelpWidth: () => width,
        getErrHelpWidth: () => columns(terminal.errStyle.columns),
      }),
  );
  return root;
}

function addCommand(root: Commander, command: Command, width: number, run: Run): void {
  const words = command.name.split(' ');
  let parent = root;
  for (const word of words.slice(0, -1)) {
    const existing = parent.commands.find((each) => each.name() === word);
    parent = existing ?? addGroup(parent, word, width);
  }
  const last = words.at(-1) ?? '';
  const added = parent.command(last).summary(command.summary);
  added.description(describe(command.description ?? command.summary, command.examples, width));
  if (command.argument !== undefined) added.argument(command.argument);
  for (const { flags, summary, isInternal } of command.options ?? []) {
    added.addOption(new Option(flags, summary).hideHelp(isInternal === true));
  }
  added.action(async () => {
    const flags = added.optsWithGlobals<Record<string, unknown>>();
    await run(command, { words: added.args, flags }, readGlobalOptions(flags));
  });
}

/** A word that only holds commands together; its examples are those of its commands. */
function addGroup(parent: Commander, word: string, width: number): Commander {
  const summary = commandGroups[word] ?? '';
  const examples = commands
    .filter((each) => each.name.startsWith(`${word} `))
    .flatMap((each) => each.examples.slice(0, 1));
  return parent
    .command(word)
    .summary(summary)
    .description(describe(summary, examples, width));
}

/** Examples first: they are what most people look for in a help text. */
function describe(text: string, examples: readonly string[], width: number): string {
  const lines = formatAdvice(examples, width - 2).flat();
  return [text, '', 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Before "--": what comes after it belongs to another program. */
function asks(argv: readonly string[], option: string): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes(option);
}

function readGlobalOptions(flags: Record<string, unknown>): GlobalOptions {
  const lab = flags['lab'];
  return {
    ...(typeof lab === 'string' ? { lab } : {}),
    json: flags['json'] === true,
    yes: flags['yes'] === true,
    real: flags['real'] === true,
    debug: flags['debug'] === true,
    withoutServe: flags['withoutServe'] === true,
  };
}

/** Commander's sentence, its suggestion as something to type, and where to read more. */
function usageError(error: CommanderError, argv: readonly string[]): LabwrightError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const meant = /Did you mean (?:one of )?(.+)\?/.exec(more.join(' '))?.[1] ?? findMeantCommand(argv);
  const names = commands.map((command) => command.name).toSorted((one, other) => other.length - one.length);
  const typed = argv.filter((word) => !word.startsWith('-')).join(' ');
  const command = names.find((name) => typed === name || typed.startsWith(`${name} `));
  const help = command === undefined ? 'labwright help' : `labwright ${command} --help`;
  return new LabwrightError('LW0002', {
    what: first.replaceAll("'", '"'),
    ...(meant === undefined ? {} : { why: `did you mean ${meant}?` }),
    fix: [help],
  });
}

/** "rehearse stpo": `rehearse` alone takes no argument, so commander sees one too many. */
function findMeantCommand(argv: readonly string[]): string | undefined {
  const words = argv.filter((word) => !word.startsWith('-')).slice(0, 2);
  const twoWords = commands.map((command) => command.name).filter((name) => name.startsWith(`${words[0] ?? ''} `));
  const nearest = words.length < 2 ? undefined : nearestName(words.join(' '), twoWords);
  return nearest === words.join(' ') ? undefined : nearest;
}

async function runGuarded(program: Program, command: Command, input: CommandInput): Promise<ExitCode> {
  try {
    return await command.run(program, input);
  } catch (thrown) {
    if (program.interrupt.aborted) {
      program.terminal.err('stopped\n');
      return exitCodes.interrupted;
    }
    const error = asLabwrightError(thrown);
    await reportError(error, program);
    return exitCodeOf(error);
  }
}

function applyToAll(command: Commander, apply: (command: Commander) => void): void {
  apply(command);
  for (const each of command.commands) applyToAll(each, apply);
}
