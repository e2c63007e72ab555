// One builder at a time for one thing in the cache, by a lock of the kernel's on a file (flock(2), taken by util-linux's flock):
// it ends with its holder however that ends, and holds between processes that do not see each other, such as a rehearsal's
// `serve` in a process namespace of its own and a command outside.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { missingProgram } from './program.ts';

export interface BuildLock {
  release(): Promise<void>;
}

/** Waits until the lock is ours; `onWait` is called once if somebody has it. The file stays: removing it would split the lock. */
export async function acquireBuildLock(path: string, signal: AbortSignal, onWait: () => void): Promise<BuildLock> {
  signal.throwIfAborted();
  const lock = (await tryHold(path, ['--nonblock'], signal)) ?? (onWait(), await tryHold(path, [], signal));
  signal.throwIfAborted();
  if (lock === undefined) throw new Error(`flock did not lock ${path}`);
  return lock;
}

// The holder is a `cat` that says a byte when the lock is taken and lives as long as its input: until we close it, or die.
const holder = 'printf l; exec cat >/dev/null';

async function tryHold(path: string, options: readonly string[], signal: AbortSignal): Promise<BuildLock | undefined> {
  signal.throwIfAborted();
  const child = spawn('flock', ['--exclusive', '--no-fork', ...options, path, 'sh', '-c', holder], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const cancel = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const taken = await new Promise<boolean>((resolve, reject) => {
      child.once('error', (error) =>
        reject(isErrno(error, 'ENOENT') ? missingProgram('flock', 'apt-get install util-linux', error) : error),
      );
      child.stdout.once('data', () => resolve(true));
      child.once('close', () => resolve(false));
    });
    if (!taken) return undefined;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  return {
    release: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
