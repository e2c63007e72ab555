// A command as data: help, completion and documentation come from the same table that runs it.
import type { ExitCode, Program } from './program.ts';

export interface CommandOption {
  /** As commander takes it: "--only <area>". */
  readonly flags: string;
  readonly summary: string;
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
  readonly summary: string;
  readonly options?: readonly CommandOption[];
  readonly examples: readonly string[];
  readonly run: (program: Program, input: CommandInput) => Promise<ExitCode>;
}
