// Guests for fast tests: a sleeping process each, which is started, found again, paused and ended as a QEMU guest is, but
// boots nothing. Its disks are empty files of the right size.
import { spawn } from 'node:child_process';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { Clock } from './clock.ts';
import { refusal } from './error.ts';
import { findGuestProcess, readGuestUse, removeFiles, waitForEnd } from './guest-process.ts';
import type { GuestFile, Guests, Images } from './guest.ts';

const emptyImages: Images = {
  create: makeEmptyFile,
  createFirmwareVariables: async (file, kind) => {
    const bytes = kind === '4m' ? 528 * 1024 : 128 * 1024;
    await makeEmptyFile(file, bytes);
    return bytes;
  },
  resize: (file, bytes) => truncate(file.path, bytes),
};

async function makeEmptyFile(file: GuestFile, bytes: number): Promise<void> {
  await mkdir(dirname(file.path), { recursive: true });
  await writeFile(file.path, '', { flag: 'wx', mode: 0o600 });
  await truncate(file.path, bytes);
}

export async function openStandInGuests(runDirectory: string, clock: Clock): Promise<Guests> {
  await mkdir(runDirectory, { recursive: true });
  const paused = new Set<number>();
  const pidFile = (vmId: number): string => join(runDirectory, `${vmId}.pid`);
  const mark = (vmId: number): string => `stand-in for the guest of ${pidFile(vmId)}`;
  const getPid = (vmId: number): Promise<number | undefined> => findGuestProcess(pidFile(vmId), mark(vmId));
  const send = async (vmId: number, signal: NodeJS.Signals): Promise<void> => {
    const pid = await getPid(vmId);
    if (pid !== undefined) process.kill(pid, signal);
  };

  return {
    start: async ({ vmId }) => {
      const child = spawn('sleep', ['2147483647'], { argv0: mark(vmId), detached: true, stdio: 'ignore' });
      await once(child, 'spawn');
      child.unref();
      await writeFile(pidFile(vmId), String(child.pid), { mode: 0o600 });
      const deadlineMs = clock.nowMs() + 5_000;
      while ((await getPid(vmId)) === undefined) {
        if (clock.nowMs() > deadlineMs) throw refusal('start failed: the stand-in process ended');
        await clock.sleep(5);
      }
    },
    getPid,
    getRunState: async (vmId) => (paused.has(vmId) ? 'paused' : 'running'),
    getUse: async (vmId) => {
      const pid = await getPid(vmId);
      return pid === undefined ? { residentBytes: 0, uptimeSeconds: 0 } : readGuestUse(pid);
    },
    powerDown: (vmId) => send(vmId, 'SIGTERM'),
    quit: (vmId) => send(vmId, 'SIGTERM'),
    reset: async () => {},
    pause: async (vmId) => void paused.add(vmId),
    resume: async (vmId) => void paused.delete(vmId),
    signal: async (vmId, name) => {
      await send(vmId, name);
      await waitForEnd(() => getPid(vmId), clock, 5_000);
    },
    resizeDisk: async () => {},
    runAgent: async () => {
      throw refusal('QEMU guest agent is not running');
    },
    cleanUp: async (vmId) => {
      paused.delete(vmId);
      await removeFiles([pidFile(vmId)]);
    },
    images: emptyImages,
    version: { machine: 'pc-i440fx-7.2', emulator: '7.2.0' },
  };
}
