// The command line: the command table given to commander, and what a command throws turned into words and an exit code.
import { asLabwrightError, type LabwrightError } from '@labwright/core/errors/error';
import { LabFileError } from '@labwright/core/lab/read-lab';
import { formatDiagnostics } from '@labwright/core/lab/format-diagnostics';
import { Command as Commander, CommanderError } from 'commander';
import type { Command, CommandInput } from './command.ts';
import { commands } from './commands/commands.ts';
import { exitCodes, type ExitCode, type GlobalOptions, type Program } from './program.ts';
import { formatError } from './render/error.ts';

export type ProgramBase = Omit<Program, 'options'>;

/** Runs one command line; never throws. */
export async function runCommandLine(argv: readonly string[], base: ProgramBase): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done;
  const root = new Commander('labwright')
    .description('A home datacenter as a platform, from one file.')
    .option('--lab <file>', 'the lab file (default: lab.yaml here)')
    .option('--json', 'results as JSON', false)
    .option('--yes', 'answer yes to questions', false)
    .option('--real', 'mean hardware although a rehearsal runs here', false)
    .option('--without-serve', 'work here although the lab file says where it is served', false)
    .option('--debug', 'show what is behind an error', false)
    .addHelpText('after', '\nExamples:\n  labwright rehearse --detach\n  labwright plan\n  labwright rehearse stop\n');
  for (const command of commands) {
    addCommand(root, command, async (input, options) => {
      exitCode = await runGuarded({ ...base, options }, command, input);
    });
  }
  applyToAll(root, (each) =>
    each.exitOverride().configureOutput({
      writeOut: (text) => base.terminal.out(text),
      writeErr: (text) => base.terminal.err(text),
      getOutHelpWidth: () => Math.min(base.terminal.columns, 100),
      getErrHelpWidth: () => Math.min(base.terminal.columns, 100),
    }),
  );
  try {
    await root.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help asked for is a result; help shown because nothing was asked for, or a typing mistake, is not.
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
}

/** Words that only hold commands together. */
const groups: Readonly<Record<string, string>> = {
  config: 'the lab file on its own: check, show, schema',
  machine: 'one machine: rebuild',
};

function addCommand(
  root: Commander,
  command: Command,
  run: (input: CommandInput, options: GlobalOptions) => Promise<void>,
): void {
  const words = command.name.split(' ');
  let parent = root;
  for (const word of words.slice(0, -1)) {
    parent = parent.commands.find((each) => each.name() === word) ?? parent.command(word).summary(groups[word] ?? '');
  }
  const last = words.at(-1) ?? '';
  const added = parent.commands.find((each) => each.name() === last) ?? parent.command(last);
  added.summary(command.summary).description(command.summary);
  if (command.argument !== undefined) added.argument(command.argument);
  for (const option of command.options ?? []) added.option(option.flags, option.summary);
  added.addHelpText('after', `\nExamples:\n${command.examples.map((each) => `  ${each}`).join('\n')}\n`);
  added.action(async () => {
    const flags = added.optsWithGlobals<Record<string, unknown>>();
    await run({ words: added.args, flags }, readGlobalOptions(flags));
  });
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

async function runGuarded(program: Program, command: Command, input: CommandInput): Promise<ExitCode> {
  try {
    return await command.run(program, input);
  } catch (thrown) {
    if (program.interrupt.aborted) {
      program.terminal.err('stopped\n');
      return exitCodes.interrupted;
    }
    const error = asLabwrightError(thrown);
    reportError(error, program);
    return exitCodeOf(error);
  }
}

export function reportError(error: LabwrightError, program: Pick<Program, 'terminal' | 'options'>): void {
  const { terminal, options } = program;
  if (options.json) terminal.out(`${JSON.stringify({ error: error.toJSON() })}\n`);
  else if (error instanceof LabFileError) {
    terminal.err(formatDiagnostics(error.diagnostics, error.source, { width: terminal.columns }));
  } else terminal.err(formatError(error.toJSON(), terminal));
  if (options.debug || error.code === 'LW0001') terminal.err(`${formatChain(error)}\n`);
}

function formatChain(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${formatChain(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

export function exitCodeOf(error: LabwrightError): ExitCode {
  switch (error.kind) {
    case 'config':
    case 'usage':
      return exitCodes.usage;
    case 'unreachable':
      return exitCodes.unreachable;
    case 'conflict':
      return error.code === 'LW5001' ? exitCodes.moved : exitCodes.failed;
    case 'interrupted':
      return exitCodes.interrupted;
    case 'denied':
    case 'refused':
    case 'timeout':
    case 'environment':
    case 'bug':
      return exitCodes.failed;
  }
  return exitCodes.failed;
}

function applyToAll(command: Commander, apply: (command: Commander) => void): void {
  apply(command);
  for (const each of command.commands) applyToAll(each, apply);
}
