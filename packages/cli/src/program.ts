// What a command gets: the terminal, the environment and the signals, all as ports.
import type { Clock } from '@labwright/core/ports/clock';
import type { Random } from '@labwright/core/ports/random';
import type { Environment, Folders } from './folders.ts';
import type { Terminal } from './terminal.ts';

export interface GlobalOptions {
  /** The lab file, when the user named one. */
  readonly lab?: string;
  readonly json: boolean;
  readonly yes: boolean;
  readonly real: boolean;
  readonly debug: boolean;
  /** Do the work here although the lab file names the computer that serves. */
  readonly withoutServe: boolean;
}

export interface Program {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly folders: Folders;
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: GlobalOptions;
  /** First Ctrl-C: finish what runs and stop. */
  readonly interrupt: AbortSignal;
  /** Second Ctrl-C: stop now. */
  readonly signal: AbortSignal;
}

/** Exit codes; the same everywhere. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  changesPending: 3,
  unreachable: 4,
  moved: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
