// Runs a program to its end: argument array in, last log lines kept, killed when the signal is aborted.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LabwrightError } from '@labwright/core/errors/error';

export interface ProgramRun {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to a minimal environment; nothing of the caller's is handed on. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it runs; our own folder without it. */
  readonly directory?: string;
  readonly signal: AbortSignal;
  /** Every line of standard error, and of standard output unless it is collected. */
  readonly onLine?: (line: string) => void;
  /** How to get the program, as a command. */
  readonly install: string;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  /** The last 20 lines the program said, oldest first. */
  readonly log: readonly string[];
}

/** Environment that makes messages English and finds the programs of the system. */
export const plainEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
};

/** LW0004 when the program is not there; the signal's reason when it is aborted, after the program has gone. Never throws for an exit code. */
export async function runProgram(run: ProgramRun): Promise<ProgramResult> {
  run.signal.throwIfAborted();
  const child = spawn(run.program, run.args, {
    env: { ...plainEnvironment, ...run.environment },
    cwd: run.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  const collected: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => collected.push(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (log.length > 20) log.shift();
    run.onLine?.(line);
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  run.signal.addEventListener('abort', kill, { once: true });
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 128));
    });
    run.signal.throwIfAborted();
    return { exitCode, stdout: Buffer.concat(collected), log };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw missingProgram(run.program, run.install, error);
    throw error;
  } finally {
    run.signal.removeEventListener('abort', kill);
  }
}

/** As runProgram, and any exit code but 0 is LW4002 with the last lines. */
export async function runOrFail(run: ProgramRun, what: string): Promise<Uint8Array> {
  const { exitCode, stdout, log } = await runProgram(run);
  if (exitCode !== 0) throw buildFailure(what, `${run.program} ended with exit code ${exitCode}`, log);
  return stdout;
}

export function missingProgram(program: string, install: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW0004', {
    what: `the program ${program} is not installed`,
    where: { program },
    fix: [install],
    cause,
  });
}

const diskFull = /No space left on device|not enough free space|ENOSPC/i;

/** LW4002; a full disk is told by the program's own words. */
export function buildFailure(what: string, why: string, log: readonly string[]): LabwrightError {
  const full = log.some((line) => diskFull.test(line));
  return new LabwrightError('LW4002', {
    what,
    why: full ? 'the disk that holds the image cache is full' : why,
    fix: full
      ? ['free space there (a build needs about 2 GiB), and run the command again']
      : ['run the command again; the lines above are the last of the build'],
    log: log.slice(-20),
  });
}
