// Enters and leaves a rehearsal from the user's side. All of it lives in namespaces of its own under one init process:
// when that dies the kernel ends every process and with them every namespace, mount, tap and bridge.
//
//   unshare ── init (sh, pid 1 inside) ── keeper ── ip netns exec … ── emulators, gateway, serve, guests
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { topologyFile } from '../lab/topology.ts';

const keeperMain = fileURLToPath(new URL('./main.ts', import.meta.url));

// /run is the rehearsal's own, so that `ip netns` leaves no trace in the user's. The shell stays as init and reaps.
const initScript =
  'mount --make-rprivate / && mount -t tmpfs -o mode=755 rehearsal /run && mkdir -p /run/netns /run/lock /run/sshd && ' +
  '{ "$@" & wait "$!"; }';

export interface KeeperStart {
  readonly stateDirectory: string;
  readonly nodeArguments: readonly string[];
  readonly logFile: string;
  /** Descriptors handed down, as 3 and on: a socket stays in the network namespace it was opened in. */
  readonly descriptors: readonly number[];
}

/** Starts the keeper in namespaces of its own, detached from this process. Its output goes to the log file. */
export function startKeeper({ stateDirectory, nodeArguments, logFile, descriptors }: KeeperStart): ChildProcess {
  const output = openSync(logFile, 'a');
  try {
    const child = spawn(
      'unshare',
      [
        ...['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', '--kill-child=KILL', '--mount-proc'],
        ...['sh', '-c', initScript, 'labwright-rehearsal'],
        ...[process.execPath, ...nodeArguments, keeperMain, topologyFile(stateDirectory)],
      ],
      { detached: true, stdio: ['ignore', output, output, ...descriptors], cwd: stateDirectory },
    );
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** The init process of the rehearsal with this state, as the user's side numbers it; undefined when none runs. */
export async function findInit(stateDirectory: string): Promise<number | undefined> {
  const file = topologyFile(stateDirectory);
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const argv = (await readProc(entry, 'cmdline')).split('\0');
    if (!argv.includes('labwright-rehearsal') || !argv.includes(file)) continue;
    // "NSpid: 4711 1": number 1 in the innermost namespace.
    if (/^NSpid:.*\t1$/m.test(await readProc(entry, 'status'))) return Number(entry);
  }
  return undefined;
}

/** Ends the rehearsal and resolves when its last process is gone; nothing to do is fine. */
export async function endRehearsal(stateDirectory: string, signal: AbortSignal): Promise<boolean> {
  const init = await findInit(stateDirectory);
  if (init === undefined) return false;
  process.kill(init, 'SIGKILL');
  // The kernel lets pid 1 become a zombie only after every other process of its namespace is gone.
  while (/^State:\t[^Z]/m.test(await readProc(String(init), 'status'))) await delay(20, undefined, { signal });
  return true;
}

/** Arguments of `nsenter` that run a command as a device of the rehearsal. */
export function enterDevice(init: number, device: string, command: readonly string[]): readonly string[] {
  return [
    ...['--target', String(init), '--mount', '--pid', `--net=/proc/${init}/root/run/netns/${device}`],
    ...['--', ...command],
  ];
}

async function readProc(pid: string, file: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It ended while we looked.
  }
}
