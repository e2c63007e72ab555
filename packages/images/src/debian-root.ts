// Debian root trees in the cache, made by mmdebstrap from this computer's own mirror: for the node image and for tools run by chroot.
import { createHash } from 'node:crypto';
import { access, readdir, rename, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { LabwrightError } from '@labwright/core/errors/error';
import { readAptSources } from './apt-sources.ts';
import { acquireBuildLock, isErrno } from './build-lock.ts';
import { buildFailure, missingProgram, runOrFail, runProgram } from './program.ts';

/** Changes whenever the way a root is made does; roots made another way are not used. */
const recipe = 1;

export interface DebianRootSpec {
  /** For people who look into the cache: "tools". */
  readonly name: string;
  readonly packages: readonly string[];
  readonly suite?: 'bookworm' | 'trixie';
  /** 'system' (the default) is a root to run programs in by chroot; 'files' only unpacks the packages and runs nothing of them. */
  readonly kind?: 'system' | 'files';
}

export interface BuildContext {
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  /** One short sentence for a person whenever something new begins. */
  readonly onProgress: (message: string) => void;
}

export interface DebianRoot {
  readonly directory: string;
  /** Names what the root was made from; equal keys, equal recipe and packages. */
  readonly key: string;
}

/**
 * The root tree, built once: under a name of its own, then renamed, so that what is there is whole.
 * Needs root. Throws LW0004 (mmdebstrap), LW0007 (not root), LW4002 (failed; disk full is named).
 */
export async function ensureDebianRoot(spec: DebianRootSpec, context: BuildContext): Promise<DebianRoot> {
  const key = rootKey(spec);
  const roots = join(context.cacheDir, 'debian-roots');
  const directory = join(roots, `${spec.name}-${key}`);
  if (await exists(directory)) return { directory, key };
  if (process.getuid?.() !== 0) {
    throw new LabwrightError('LW0007', {
      what: `the Debian root "${spec.name}" can only be built by root`,
      fix: ['run the same command with sudo, once; what it builds stays in the cache'],
    });
  }
  await ensureFolder(roots);
  const lock = await acquireBuildLock(`${directory}.lock`, context.signal, () =>
    context.onProgress(`waiting for another Labwright, which is building the Debian root "${spec.name}"`),
  );
  try {
    if (await exists(directory)) return { directory, key };
    await removeLeftovers(directory, context.signal);
    const building = `${directory}.building`;
    await build(spec, building, context);
    await rename(building, directory);
    return { directory, key };
  } finally {
    await removeLeftovers(directory, new AbortController().signal);
    await lock.release();
  }
}

/** Suite, kind, packages (in any order) and recipe, as 16 hex digits. */
export function rootKey(spec: DebianRootSpec): string {
  const input = [recipe, spec.suite ?? 'bookworm', spec.kind ?? 'system', ...[...new Set(spec.packages)].sort()];
  return createHash('sha256').update(JSON.stringify(input)).digest('hex').slice(0, 16);
}

async function build(spec: DebianRootSpec, target: string, context: BuildContext): Promise<void> {
  const suite = spec.suite ?? 'bookworm';
  const sources = await readAptSources(suite, context.signal);
  context.onProgress(`building the Debian root "${spec.name}" (${spec.packages.length} packages and what they need)`);
  const { exitCode, log } = await runProgram({
    // In namespaces of its own, so that what it mounts is gone with it however it ends; and it ends with this process.
    program: 'setpriv',
    args: [
      '--pdeathsig',
      'KILL',
      'unshare',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'mmdebstrap',
      ...mmdebstrapArguments(spec, target, sources),
    ],
    // The kernel package would make an initramfs for a machine that is not this one, which takes a third of the build.
    environment: { INITRD: 'No' },
    signal: context.signal,
    install: 'apt-get install util-linux',
    onLine: (line) => {
      const step = /^I: (downloading|extracting|installing .*)/.exec(line);
      if (step?.[1] !== undefined) context.onProgress(`Debian root "${spec.name}": ${step[1]}`);
    },
  });
  if (exitCode === 0) return;
  // unshare answers 127 for a program that is not there (execvp(3), as shells do).
  if (exitCode === 127) throw missingProgram('mmdebstrap', 'apt-get install mmdebstrap');
  const what = `the Debian root "${spec.name}" could not be built`;
  const { bavail, bsize } = await statfs(dirname(target));
  const full = bavail * bsize < 64 * 2 ** 20 ? ['No space left on device'] : [];
  throw buildFailure(what, `mmdebstrap ended with exit code ${exitCode}`, [...log, ...full]);
}

/** Exported for its test. */
export function mmdebstrapArguments(
  spec: DebianRootSpec,
  target: string,
  sources: readonly string[],
): readonly string[] {
  return [
    `--variant=${spec.kind === 'files' ? 'extract' : 'minbase'}`,
    '--format=directory',
    '--mode=root',
    // The build is thrown away when it is cut short, so nothing needs to be flushed on the way.
    '--dpkgopt=force-unsafe-io',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=path-exclude=/usr/share/info/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    `--include=${[...new Set(spec.packages)].sort().join(',')}`,
    spec.suite ?? 'bookworm',
    target,
    ...sources,
  ];
}

/** Unfinished trees of builders that are gone: only called with the lock held. Never crosses into a mounted file system. */
async function removeLeftovers(directory: string, signal: AbortSignal): Promise<void> {
  const prefix = `${basename(directory)}.building`;
  const leftovers = (await readdir(dirname(directory))).filter((name) => name.startsWith(prefix));
  for (const name of leftovers) {
    await runOrFail(
      {
        program: 'rm',
        args: ['-rf', '--one-file-system', join(dirname(directory), name)],
        signal,
        install: 'apt-get install coreutils',
      },
      `the unfinished build ${name} could not be removed`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
