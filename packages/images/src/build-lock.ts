// One builder at a time for one thing in the cache. The lock file names a process by id and start time, so a killed builder blocks nobody.
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomHex } from '@labwright/core/ports/random';
import { systemClock, systemRandom } from '@labwright/core/ports/system';

export interface BuildLock {
  release(): Promise<void>;
}

/**
 * Waits until the lock is ours. `onWait` is called once, with the process that has it.
 * Creating is one link(2) of a complete file; a dead holder's file is first renamed away, which only one waiter can do.
 */
export async function acquireBuildLock(
  path: string,
  signal: AbortSignal,
  onWait: (holder: number) => void,
): Promise<BuildLock> {
  const own = `${path}.${process.pid}-${randomHex(systemRandom, 4)}`;
  const holder = { pid: process.pid, startTime: await readStartTime(process.pid) };
  await writeFile(own, JSON.stringify(holder));
  try {
    let told = false;
    for (;;) {
      signal.throwIfAborted();
      if (await tryLink(own, path)) return { release: () => rm(path, { force: true }) };
      const current = await readHolder(path);
      if (current === undefined) continue;
      if ((await readStartTime(current.pid)) === current.startTime && current.startTime !== undefined) {
        if (!told) onWait(current.pid);
        told = true;
        await systemClock.sleep(300, signal);
      } else {
        await removeStale(path, current, `${own}.stale`);
      }
    }
  } finally {
    await rm(own, { force: true });
  }
}

interface Holder {
  readonly pid: number;
  readonly startTime: string | undefined;
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'pid' in parsed && typeof parsed.pid === 'number') {
      const startTime = 'startTime' in parsed && typeof parsed.startTime === 'string' ? parsed.startTime : undefined;
      return { pid: parsed.pid, startTime };
    }
    return { pid: 0, startTime: undefined };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    // Not JSON: written by something else, or cut short by a full disk; nobody holds it.
    if (error instanceof SyntaxError) return { pid: 0, startTime: undefined };
    throw error;
  }
}

async function removeStale(path: string, stale: Holder, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  // Another waiter may have been faster and its fresh lock was what we renamed: it goes back.
  const moved = await readHolder(aside);
  if (moved !== undefined && (moved.pid !== stale.pid || moved.startTime !== stale.startTime))
    await tryLink(aside, path);
  await rm(aside, { force: true });
}

/** When a process started, in clock ticks since boot (proc(5), stat field 22); undefined when there is none. */
async function readStartTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
