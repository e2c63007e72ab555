// The lock files of one host, held in memory because one process is the whole host: waiting has an end, and Proxmox's text.
import type { Clock } from './clock.ts';
import { refusal } from './error.ts';

export const vmLockPath = (vmId: number): string => `/var/lock/qemu-server/lock-${vmId}.conf`;
export const storageLockPath = (storage: string): string => `/var/lock/pve-manager/pve-storage-${storage}`;

/** However short the scaled waits are, the work under a lock takes the time that it takes. */
const shortestWaitMs = 250;

export interface HostLocks {
  /** Runs the work alone under the path's lock; refuses with "got timeout" when it does not come free in time. */
  hold<T>(path: string, waitSeconds: number, work: () => Promise<T>): Promise<T>;
  /** Keeps the lock until the answer is called: for a fault, and for whoever holds it longer than one piece of work. */
  take(path: string, waitSeconds: number): Promise<() => void>;
}

export function makeHostLocks(clock: Clock): HostLocks {
  const waiting = new Map<string, (() => void)[]>();

  async function take(path: string, waitSeconds: number): Promise<() => void> {
    const queue = waiting.get(path);
    if (queue === undefined) {
      waiting.set(path, []);
      return () => release(path);
    }
    const expired = new AbortController();
    const turn = new Promise<true>((resolve) => {
      const grant = (): void => resolve(true);
      queue.push(grant);
      expired.signal.addEventListener('abort', () => queue.splice(queue.indexOf(grant), 1), { once: true });
    });
    const granted = new AbortController();
    const timeout = clock.sleep(Math.max(clock.scaledMs(waitSeconds), shortestWaitMs), granted.signal).then(
      () => false as const,
      () => true as const,
    );
    if (await Promise.race([turn, timeout])) {
      granted.abort();
      return () => release(path);
    }
    expired.abort();
    throw refusal(`can't lock file '${path}' - got timeout`);
  }

  function release(path: string): void {
    const next = waiting.get(path)?.shift();
    if (next === undefined) waiting.delete(path);
    else next();
  }

  return {
    take,
    hold: async (path, waitSeconds, work) => {
      const free = await take(path, waitSeconds);
      try {
        return await work();
      } finally {
        free();
      }
    },
  };
}
