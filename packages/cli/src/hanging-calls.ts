// The end of a process in which a call to the system hangs: a folder on a NAS that is switched off. Node waits for the thread of such a
// call, also in `process.exit`, so the process would never end.
import type { Terminal } from './terminal.ts';

const patienceMs = 3_000;

/** To be called when everything is done: the process ends as ever, or a moment later without the call that hangs. */
export function endWithoutHangingCalls({ err }: Pick<Terminal, 'err'>, waitMs = patienceMs): void {
  const end = (): void => {
    if (!process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) return;
    err('a file or folder does not answer, perhaps on a NAS that is off; this ends without it\n');
    // Another program takes the place of this one: its threads are gone then, and the exit code stays.
    process.execve?.('/bin/sh', ['sh', '-c', 'exit "$1"', 'sh', String(process.exitCode ?? 0)]);
  };
  // It keeps no process alive.
  AbortSignal.timeout(waitMs).addEventListener('abort', end);
}
