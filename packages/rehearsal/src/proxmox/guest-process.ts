// Guest processes outlive the emulator, as VMs outlive pvedaemon: they are found again by a PID file and the mark in their
// command line, never by a PID alone, which may be anybody's by then.
import { readFile, rm } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import { isMissingFile } from './error.ts';
import type { GuestUse } from './guest.ts';

/** The PID in the file when that process lives and has the mark in its command line. */
export async function findGuestProcess(pidFile: string, mark: string): Promise<number | undefined> {
  const pid = Number(await readOrNothing(pidFile));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const [commandLine, state] = [await readOrNothing(`/proc/${pid}/cmdline`), await readOrNothing(`/proc/${pid}/stat`)];
  const isZombie = /\) Z /.test(state);
  return !isZombie && commandLine.split('\0').some((argument) => argument.includes(mark)) ? pid : undefined;
}

/** True when the process ended within the time. */
export async function waitForEnd(
  find: () => Promise<number | undefined>,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  while ((await find()) !== undefined) {
    if (clock.nowMs() >= deadlineMs) return false;
    await clock.sleep(20, signal);
  }
  return true;
}

export async function readGuestUse(pid: number): Promise<GuestUse> {
  const [status, stat, uptime] = await Promise.all(
    [`/proc/${pid}/status`, `/proc/${pid}/stat`, '/proc/uptime'].map(readOrNothing),
  );
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1] ?? 0);
  // Field 22, counted after the command's closing bracket; in clock ticks, of which Linux has 100 a second for every user.
  const startTicks = Number((stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ')[19] ?? 0);
  const seconds = Number.parseFloat(uptime ?? '0') - startTicks / 100;
  return { residentBytes: resident * 1024, uptimeSeconds: Math.max(0, Math.floor(seconds)) };
}

export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissingFile(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return '';
    throw error;
  }
}

/** The counters of /proc/net/dev for the cards of a VM: what its tap receives is what the guest sends. */
export function parseTapTraffic(table: string, vmId: number): { readonly inBytes: number; readonly outBytes: number } {
  let [inBytes, outBytes] = [0, 0];
  for (const line of table.split('\n')) {
    const [name = '', counters = ''] = line.trim().split(/:\s*/);
    if (!name.startsWith(`tap${vmId}i`)) continue;
    const columns = counters.split(/\s+/).map(Number);
    outBytes += columns[0] ?? 0;
    inBytes += columns[8] ?? 0;
  }
  return { inBytes, outBytes };
}
