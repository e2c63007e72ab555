// A machine to run the scripts of jobs on: a real shell with /etc and /var/lib of its own. Only systemd and what the scripts call of a
// cluster's programs are played; what those do on a real machine is seen in the guests. Covers folders of this namespace.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Shell } from '@labwright/cluster/formation/shell';
import { LabwrightError } from '@labwright/core/errors/error';

const run = promisify(execFile);

/** Where the played programs keep what they know. */
export const machineFolder = '/run/machine';

/** A unit of systemd, as far as these scripts know it: one at a time, told by the file with its process. */
const systemd: Readonly<Record<string, string>> = {
  sudo: 'exec "$@"',
  'systemd-run': `
for word; do case "$word" in --property=StandardOutput=append:*) log=\${word#*append:} ;; --property=WorkingDirectory=*) cd "\${word##*=}" ;; esac; done
while case "$1" in --*) true ;; *) false ;; esac; do shift; done
setsid "$@" >> "$log" 2>&1 < /dev/null &
echo $! > ${machineFolder}/unit`,
  systemctl: `
alive() { [ -s ${machineFolder}/unit ] && kill -0 "$(cat ${machineFolder}/unit)" 2> /dev/null; }
case "$1" in
  is-active) alive ;;
  show) if alive; then cat ${machineFolder}/unit; else echo 0; fi ;;
  *) echo "$*" >> ${machineFolder}/told ;;
esac`,
};

export interface StandInMachine {
  /** As over SSH: standard output comes in pieces, and a connection that is cut is LW3003. */
  readonly shell: Shell;
  /** What the played programs were told, a line each. */
  told(): Promise<string>;
  /** Every connection breaks; what systemd runs goes on. */
  cutConnections(): void;
  /** The power of what systemd runs. */
  killUnit(): Promise<void>;
  close(): Promise<void>;
}

export async function makeStandInMachine(programs: Readonly<Record<string, string>>): Promise<StandInMachine> {
  await mkdir(join(machineFolder, 'bin'), { recursive: true });
  for (const [name, text] of Object.entries({ ...systemd, ...programs })) {
    await writeFile(join(machineFolder, 'bin', name), `#!/bin/sh\n${text}\n`);
    await chmod(join(machineFolder, 'bin', name), 0o755);
  }
  // Covered for a test alone: the namespace ends with it.
  for (const path of ['/etc', '/var/lib']) {
    const [upper, work] = [join(machineFolder, `upper${path}`), join(machineFolder, `work${path}`)];
    for (const each of [upper, work]) await mkdir(each, { recursive: true });
    const layers = `lowerdir=${path},upperdir=${upper},workdir=${work}`;
    await run('mount', ['-t', 'overlay', 'overlay', '-o', layers, path]);
  }
  const opened: ChildProcess[] = [];
  const cut = (child: ChildProcess): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
  };
  return {
    shell: async (command, call) => {
      const [program = '', ...argv] = command;
      const child = spawn(program, argv, {
        env: { PATH: `${machineFolder}/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
        stdio: ['pipe', 'pipe', 'pipe'],
        // sshd ends all that a lost session had.
        detached: true,
      });
      opened.push(child);
      const stop = (): void => cut(child);
      call.signal.addEventListener('abort', stop);
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (piece: Buffer) => {
        stdout += String(piece);
        call.onStdout?.(piece);
      });
      child.stderr.on('data', (piece: Buffer) => (stderr += String(piece)));
      child.stdin.on('error', () => undefined);
      child.stdin.end(call.stdin ?? '');
      const [exitCode] = (await once(child, 'close')) as [number | null];
      call.signal.removeEventListener('abort', stop);
      call.signal.throwIfAborted();
      if (exitCode === null) throw new LabwrightError('LW3003', { what: 'the connection broke' });
      return { exitCode, stdout, stderr };
    },
    told: async () => await readFile(join(machineFolder, 'told'), 'utf8').catch(() => ''),
    cutConnections: () => {
      for (const child of opened.splice(0)) cut(child);
    },
    killUnit: async () => {
      process.kill(-Number(await readFile(join(machineFolder, 'unit'), 'utf8')), 'SIGKILL');
    },
    close: async () => {
      for (const child of opened.splice(0)) cut(child);
      for (const path of ['/etc', '/var/lib']) await run('umount', ['-l', path]);
      await rm(machineFolder, { recursive: true, force: true });
    },
  };
}
