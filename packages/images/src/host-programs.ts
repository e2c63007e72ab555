// Programs of the user's own machine: found, and installed where that is allowed and asked for.
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';

export interface HostProgram {
  readonly program: string;
  /** The Debian package it is in; one that brings no daemon. */
  readonly packageName: string;
}

export interface HostProgramContext {
  /** For PATH, and handed to apt. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
}

/** What building Debian roots and images takes. */
export const imagePrograms: readonly HostProgram[] = [
  { program: 'mmdebstrap', packageName: 'mmdebstrap' },
  { program: 'unshare', packageName: 'util-linux' },
];

/** Installs what is missing where it may (root on a Debian), otherwise throws LW0004 with the one line to run. */
export async function ensureHostPrograms(needed: readonly HostProgram[], context: HostProgramContext): Promise<void> {
  const missing = await findMissingPrograms(needed, context);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((each) => each.packageName))];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() === 0 && (await findProgram('apt-get', context)) !== undefined) {
    context.onProgress(`installing ${packages.join(', ')} (once)`);
    await runApt(['apt-get', 'update', '-q'], context);
    await runApt(install, context);
    if ((await findMissingPrograms(needed, context)).length === 0) return;
  }
  throw new LabwrightError('LW0004', {
    what: `${missing.map((each) => each.program).join(', ')} must be installed first`,
    fix: [`sudo ${install.join(' ')}`],
  });
}

/** Those that are not installed. */
export async function findMissingPrograms(
  needed: readonly HostProgram[],
  context: Pick<HostProgramContext, 'environment'>,
): Promise<readonly HostProgram[]> {
  const found = await Promise.all(needed.map(async (each) => await findProgram(each.program, context)));
  return needed.filter((_, at) => found[at] === undefined);
}

async function findProgram(
  name: string,
  context: Pick<HostProgramContext, 'environment'>,
): Promise<string | undefined> {
  // sbin is not in every user's path, and is where some of these live.
  const folders = [...(context.environment['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      continue; // Not in this folder.
    }
  }
  return undefined;
}

async function runApt(command: readonly string[], context: HostProgramContext): Promise<void> {
  const [file = '', ...argv] = command;
  const child = spawn(file, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...context.environment, DEBIAN_FRONTEND: 'noninteractive' },
    signal: context.signal,
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      lines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      lines.splice(0, Math.max(0, lines.length - 20));
    });
  }
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (exitCode === 0) return;
  throw new LabwrightError('LW0006', {
    what: `${command.slice(0, 2).join(' ')} failed`,
    where: { command: command.join(' ') },
    log: lines,
    fix: [`run it yourself and look at what it says: ${command.join(' ')}`],
  });
}
