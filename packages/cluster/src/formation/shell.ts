// How this package reaches a machine's shell: by a connection that somebody else has pinned to the machine's host key.
import type { HostName } from '@labwright/core/addresses/names';

export interface ShellResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellCall {
  readonly stdin?: string | Uint8Array;
  readonly onStdout?: (piece: Uint8Array) => void;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Runs a command (words, no shell line) as the lab's user, who may use sudo. Throws LW3003 and LW3004. */
export type Shell = (command: readonly string[], call: ShellCall) => Promise<ShellResult>;

/**
 * The shell of a machine. Throws LW3004 for one that has not phoned home with its host key since it was installed: nothing is
 * sent to a machine that cannot be recognised.
 */
export type OpenShell = (machine: HostName) => Shell;
