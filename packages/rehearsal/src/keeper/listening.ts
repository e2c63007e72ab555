// Whether a process's network namespace has a listening TCP port, as the kernel tells it: nothing is connected to.
import { readFile } from 'node:fs/promises';

/** State "listening" in /proc/net/tcp (include/net/tcp_states.h). */
const listen = '0A';

/** True for a port that is listened on, by a table as in /proc/net/tcp or /proc/net/tcp6. */
export function hasListener(table: string, port: number): boolean {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').some((line) => {
    //   sl  local_address rem_address   st …
    const [, local, , state] = line.trim().split(/\s+/);
    return state === listen && local?.endsWith(ending) === true;
  });
}

/** False also when the process is gone. */
export async function isListening(pid: number, port: number): Promise<boolean> {
  for (const file of ['tcp', 'tcp6']) {
    try {
      if (hasListener(await readFile(`/proc/${pid}/net/${file}`, 'utf8'), port)) return true;
    } catch {
      // It ended, or this kernel has no IPv6.
    }
  }
  return false;
}
