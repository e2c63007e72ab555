// Runs a program of a Debian root inside that root, in namespaces of its own: what it mounts and starts is gone with it.
import { LabwrightError } from '@labwright/core/errors/error';
import { runOrFail } from './program.ts';

export interface RootRun {
  readonly root: string;
  /** Path in the root. */
  readonly program: string;
  readonly args: readonly string[];
  /** Folders of this computer at places in the root that exist there. */
  readonly binds: readonly { readonly from: string; readonly to: string }[];
  /** 'none' (the default) is a network of its own with nothing in it. */
  readonly network?: 'none' | 'ours';
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** $1 the root, $2 how many binds follow as pairs, then the program. Memory is put over /run and /tmp, which stay as they are. */
const enter = [
  'root=$1; count=$2; shift 2',
  'mount -t proc proc "$root/proc"',
  'mount -t sysfs -o ro sysfs "$root/sys"',
  'mount --rbind /dev "$root/dev"',
  'mount -t tmpfs tmpfs "$root/run"',
  'mount -t tmpfs tmpfs "$root/tmp"',
  'while [ "$count" -gt 0 ]; do mount --bind "$1" "$root/$2"; shift 2; count=$((count - 1)); done',
  'exec chroot "$root" "$@"',
].join('\n');

/** What it wrote to standard output. LW4002 when it fails, LW0007 without root. */
export async function runInRoot(run: RootRun, what: string): Promise<Uint8Array> {
  if (process.getuid?.() !== 0) {
    throw new LabwrightError('LW0007', {
      what,
      why: 'only root may run programs inside a Debian root',
      fix: ['run the same command with sudo, once; what it builds stays in the cache'],
    });
  }
  const binds = run.binds.flatMap(({ from, to }) => [from, to]);
  return await runOrFail(
    {
      program: 'setpriv',
      args: [
        ...['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--ipc', '--fork', '--kill-child'],
        ...(run.network === 'ours' ? [] : ['--net']),
        ...['sh', '-ec', enter, 'sh', run.root, String(run.binds.length), ...binds, run.program, ...run.args],
      ],
      ...(run.environment === undefined ? {} : { environment: run.environment }),
      ...(run.onLine === undefined ? {} : { onLine: run.onLine }),
      signal: run.signal,
      install: 'apt-get install util-linux',
    },
    what,
  );
}
