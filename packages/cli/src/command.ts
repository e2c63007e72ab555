// A command as data: help, completion and documentation come from the same table that runs it.
import type { ExitCode, Program } from './program.ts';

interface CommandOption {
  /** As commander takes it: "--only <area>". */
  readonly flags: string;
  readonly summary: string;
  /** Labwright itself uses it; not in the help. */
  readonly isInternal?: boolean;
}

export interface CommandInput {
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

export interface Command {
  /** "rehearse stop" */
  readonly name: string;
  /** "<name>", "[plan]", "<command...>" */
  readonly argument?: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** For the command's own help, where there is more to say; wrapped to the terminal. */
  readonly description?: string;
  /** It needs no lab, no state and no folder to stand in. */
  readonly isStandalone?: boolean;
  readonly options?: readonly CommandOption[];
  /** "labwright plan   what it does": two or more spaces before a comment. */
  readonly examples: readonly string[];
  readonly run: (program: Program, input: CommandInput) => Promise<ExitCode>;
}
