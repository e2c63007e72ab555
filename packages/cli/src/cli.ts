// The command line: the command table given to commander, and each command run with its ports.
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import { nearestName } from '@labwright/core/lab/nearest-name';
import { readVersion } from '@labwright/daemon/version';
import { Command as Commander, CommanderError, Option } from 'commander';
import type { Command, CommandInput } from './command.ts';
import { commandGroups, commands } from './commands/commands.ts';
import { describeCommand, findHelpTopic, fitLines, formatItem, formatRootNotes, wordsOf } from './help.ts';
import { exitCodes, type ExitCode, type GlobalOptions, type Program } from './program.ts';
import { exitCodeOf, reportError } from './report-error.ts';
import { plainTerminal } from './terminal.ts';

export interface ProgramBase extends Omit<Program, 'options' | 'directory'> {
  /** Undefined when the folder the program was started in is no longer there. */
  readonly directory: string | undefined;
}

const rootExamples = [
  'labwright rehearse --detach   bring the lab up on this computer',
  'labwright doctor              what is missing here, and how to get it',
  'labwright plan                what would change, and nothing is changed',
  'labwright rehearse stop       end the rehearsal and remove everything of it',
];

/** Runs one command line; never throws. */
export async function runCommandLine(argv: readonly string[], given: ProgramBase): Promise<ExitCode> {
  const isPlain = asks(argv, '--plain') || given.environment['LABWRIGHT_ACCESSIBLE'] === '1';
  const base = isPlain ? { ...given, terminal: plainTerminal(given.terminal) } : given;
  let exitCode: ExitCode = exitCodes.done;
  if (asks(argv, '--version') || asks(argv, '-V')) {
    const version = await readVersion();
    base.terminal.out(
      asks(argv, '--json') ? `${JSON.stringify({ version }, undefined, 2)}\n` : `labwright ${version}\n`,
    );
    return exitCodes.done;
  }
  const root = buildCommands(base, asks(argv, '--json'), async (command, input, options) => {
    exitCode = await runGuarded({ ...base, directory: findDirectory(base, command), options }, command, input);
  });
  try {
    const topic = findHelpTopic(argv);
    if (topic !== undefined) {
      assertTopic(topic);
      findCommander(root, topic).outputHelp();
      return exitCodes.done;
    }
    await root.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    // Help asked for is a result; help shown because nothing was asked for, or a typing mistake, is not.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done;
    const isMissing = thrown instanceof CommanderError && thrown.code === 'commander.help';
    if (isMissing && !asks(argv, '--json')) return exitCodes.usage;
    const error = thrown instanceof CommanderError ? usageError(thrown, argv) : asLabwrightError(thrown);
    const options = { ...readGlobalOptions({}), json: asks(argv, '--json'), debug: asks(argv, '--debug') };
    await reportError(error, { terminal: base.terminal, options });
    return exitCodeOf(error);
  }
}

/** Throws LW0005. */
function findDirectory({ directory }: ProgramBase, { isStandalone }: Command): string {
  if (directory !== undefined) return directory;
  if (isStandalone === true) return '/';
  throw new LabwrightError('LW0005', {
    what: 'the current folder no longer exists',
    why: 'it was removed or moved after the shell went there',
    fix: ['cd to a folder that is there'],
  });
}

/** Throws LW0002. */
function assertTopic(topic: string): void {
  if (topic === '' || Object.hasOwn(commandGroups, topic) || commands.some(({ name }) => name === topic)) return;
  const meant = findMeantCommand(topic.split(' '));
  throw new LabwrightError('LW0002', {
    what: `there is no command "${topic}"`,
    ...(meant === undefined ? {} : { why: `did you mean ${meant}?` }),
    fix: ['labwright help'],
  });
}

function findCommander(root: Commander, topic: string): Commander {
  return topic
    .split(' ')
    .reduce((parent, word) => parent.commands.find((each) => each.name() === word) ?? parent, root);
}

type Run = (command: Command, input: CommandInput, options: GlobalOptions) => Promise<void>;

function buildCommands({ terminal }: ProgramBase, isJson: boolean, run: Run): Commander {
  const columns = (width: number): number => Math.min(width, 100);
  const width = columns(terminal.outStyle.columns);
  const root = new Commander('labwright')
    .description(describeCommand('A home datacenter as a platform, from one file.', rootExamples, width))
    .option('--lab <file>', 'the lab file (default: lab.yaml here)')
    .option('--json', 'results and errors as JSON')
    .option('--yes', 'answer yes to questions')
    .option('--plain', 'no colour, nothing redrawn, words beside symbols')
    .option('--real', 'mean hardware although a rehearsal runs here')
    .option('--without-serve', 'work here although the lab file says where it is served')
    .option('--debug', 'show what is behind an error')
    .option('-V, --version', 'the version of Labwright')
    .addHelpText('after', formatRootNotes(width));
  for (const command of commands) addCommand(root, command, width, run);
  applyToAll(root, (each) =>
    each
      .exitOverride()
      .helpCommand(false)
      .helpOption('-h, --help', 'this text')
      // Our own suggestions: commander finds words alike that only share a letter or two.
      .showSuggestionAfterError(false)
      .configureHelp({
        subcommandTerm: (command) => command.name(),
        formatItem: (term, widest, text) => formatItem(term, widest, text, width),
        boxWrap: (text) => text,
      })
      .configureOutput({
        writeOut: (text) => terminal.out(fitLines(text, width)),
        // Help because nothing was asked for; mistakes are told by us.
        writeErr: (text) => {
          if (!isJson) terminal.err(fitLines(text, columns(terminal.errStyle.columns)));
        },
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
  added.description(describeCommand(command.description ?? command.summary, command.examples, width));
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
    .description(describeCommand(summary, examples, width));
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

/** Commander's sentence, what was probably meant, and where to read more. */
function usageError(error: CommanderError, argv: readonly string[]): LabwrightError {
  const words = wordsOf(argv);
  if (error.code === 'commander.help') {
    return new LabwrightError('LW0002', { what: 'no command was given', fix: ['labwright help'] });
  }
  const typed = words.join(' ');
  const command = commands
    .toSorted((one, other) => other.name.length - one.name.length)
    .find(({ name }) => typed === name || typed.startsWith(`${name} `));
  const topic = command?.name ?? Object.keys(commandGroups).find((group) => group === words[0]);
  const [said = ''] = error.message.replace(/^error: /, '').split('\n');
  const meant = error.code === 'commander.unknownOption' ? findMeantOption(said, command) : findMeantCommand(words);
  return new LabwrightError('LW0002', {
    what: describeMistake(error.code, words, command) ?? said.replaceAll("'", '"'),
    ...(meant === undefined ? {} : { why: `did you mean ${meant}?` }),
    fix: [topic === undefined ? 'labwright help' : `labwright ${topic} --help`],
  });
}

/** Where commander's sentence is about arguments and the person meant a command. */
function describeMistake(code: string, words: readonly string[], command: Command | undefined): string | undefined {
  if (code === 'commander.unknownCommand') {
    const isBelow = Object.hasOwn(commandGroups, words[0] ?? '');
    return `there is no command "${words.slice(0, isBelow ? 2 : 1).join(' ')}"`;
  }
  if (code !== 'commander.excessArguments' || command === undefined) return undefined;
  const extra = words.slice(command.name.split(' ').length);
  const isGroup = commands.some(({ name }) => name.startsWith(`${command.name} `));
  if (isGroup) return `there is no command "${command.name} ${extra[0] ?? ''}"`;
  return command.argument === undefined
    ? `${command.name} takes no argument, and there is "${extra.join(' ')}"`
    : `${command.name} takes one argument, and there are ${extra.length}: ${extra.join(' ')}`;
}

const globalFlags = [
  '--lab',
  '--json',
  '--yes',
  '--plain',
  '--real',
  '--without-serve',
  '--debug',
  '--version',
  '--help',
];

function findMeantOption(message: string, command: Command | undefined): string | undefined {
  const typed = /'--?([^'=]+)/.exec(message)?.[1] ?? '';
  const own = (command?.options ?? []).filter(({ isInternal }) => isInternal !== true);
  const names = [...own.map(({ flags }) => flags.split(' ')[0] ?? ''), ...globalFlags].map((flag) => flag.slice(2));
  const meant = nearestName(typed, names);
  return meant === undefined ? undefined : `--${meant}`;
}

/** Compared word by word: "rehearse help" is not nearly "rehearse stop" because of what they share. */
function findMeantCommand([first = '', second]: readonly string[]): string | undefined {
  const names = commands.map((command) => command.name);
  const below = names.filter((name) => name.startsWith(`${first} `)).map((name) => name.slice(first.length + 1));
  if (below.length > 0) {
    const meant = second === undefined ? undefined : nearestName(second, [...below, 'help']);
    return meant === undefined || meant === second ? undefined : `${first} ${meant}`;
  }
  const meant = nearestName(first, [...new Set(names.map((name) => name.split(' ')[0] ?? '')), 'help']);
  return meant === first ? undefined : meant;
}

async function runGuarded(program: Program, command: Command, input: CommandInput): Promise<ExitCode> {
  try {
    return await command.run(program, input);
  } catch (thrown) {
    if (program.interrupt.aborted) {
      if (program.options.json) await reportError(new LabwrightError('LW0003', { what: 'interrupted' }), program);
      else program.terminal.err('stopped\n');
      return exitCodes.interrupted;
    }
    const error = nameFolder(asLabwrightError(thrown), program);
    await reportError(error, program);
    return exitCodeOf(error);
  }
}

/** A folder of ours that cannot be used has a variable that sets it. */
function nameFolder(error: LabwrightError, { folders }: Program): LabwrightError {
  if (error.code !== 'LW0005' || error.fix.some((fix) => fix.includes('XDG_'))) return error;
  const places = [error.message, ...Object.values(error.where)].join(' ');
  const found = [
    { variable: 'XDG_STATE_HOME', folder: folders.state },
    { variable: 'XDG_CACHE_HOME', folder: folders.cache },
  ].find(({ folder }) => places.includes(folder));
  if (found === undefined) return error;
  const { why, where, fix, log, cause } = error;
  return new LabwrightError('LW0005', {
    what: error.message,
    where,
    ...(why === undefined ? {} : { why }),
    fix: [...fix, `set ${found.variable} to a folder you may write to`],
    log,
    cause,
  });
}

function applyToAll(command: Commander, apply: (command: Commander) => void): void {
  apply(command);
  for (const each of command.commands) applyToAll(each, apply);
}
