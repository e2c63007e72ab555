// The peer of the formation benchmark: the same cluster made by hand, by scripts beside this repository (../shared/floor), run in a
// Debian root of their own so that nothing is installed on this computer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, access } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDebianRoot, type BuildContext } from '@labwright/images/debian-root';

const programs = [
  ...['qemu-system-x86', 'qemu-utils', 'e2fsprogs', 'etcd-server', 'gcc', 'libc6-dev', 'python3', 'bc'],
  ...['iproute2', 'util-linux', 'procps'],
];

export interface Floor {
  /** Seconds from the start of QEMU to three nodes Ready, and the guests' own milestones. */
  measure(): Promise<{ readonly seconds: number; readonly milestones: readonly string[] }>;
}

/** Builds the floor's disk once. `scripts` is its folder, `binaries` that of the Kubernetes release it runs. */
export async function makeFloor(scripts: string, binaries: string, context: BuildContext): Promise<Floor> {
  const work = join(context.cacheDir, 'floor');
  await mkdir(work, { recursive: true });
  const root = await ensureDebianRoot({ name: 'floor', packages: programs }, context);
  const inside = async (command: readonly string[]): Promise<string> =>
    await run('unshare', [
      ...['--mount', '--pid', '--fork', '--kill-child', 'sh', '-euc', seat, 'floor'],
      ...[root.directory, work, scripts, binaries, ...command],
    ]);
  if (!(await exists(join(work, 'disk.img')))) {
    const include = /--include=(\S+)/.exec(await readFile(join(scripts, 'make-image.sh'), 'utf8'))?.[1];
    if (include === undefined) throw new Error(`${scripts}/make-image.sh names no packages`);
    // From the apt sources of this computer, which the script would not ask.
    const guest = await ensureDebianRoot({ name: 'floor-guest', packages: include.split(',') }, context);
    await run('unshare', ['--mount', 'sh', '-euc', packGuest, 'floor', guest.directory, work]);
    await inside(['bash', '/media/make-image.sh', '/mnt', '/opt']);
  }
  return {
    measure: async () => {
      const output = await inside(['bash', '/media/run.sh', '/mnt']);
      const seconds = Number(/^floor: ([\d.]+) s/m.exec(output)?.[1]);
      if (!Number.isFinite(seconds)) throw new Error(`the floor did not end:\n${output}`);
      return { seconds, milestones: output.split('\n').filter((line) => line.includes('FLOOR')) };
    },
  };
}

// Our roots come without an initramfs, and the floor boots with Debian's own.
const packGuest = `
root=$1 work=$2
mount --make-rprivate /
rm -rf "$work/tree"
cp -a "$root" "$work/tree"
mount -t proc proc "$work/tree/proc"
chroot "$work/tree" update-initramfs -c -k all
umount "$work/tree/proc"
tar --numeric-owner -C "$work/tree" -cf "$work/rootfs.tar" .
rm -rf "$work/tree"
`;

// Not chroot: a process in one may make no user namespace, which the floor does. Mounts end with this mount namespace.
const seat = `
root=$1 work=$2 scripts=$3 binaries=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$work" "$root/mnt"
mount --bind "$scripts" "$root/media"
mount --bind "$binaries" "$root/opt"
cd "$root"
pivot_root . srv
umount -l /srv
cd /
exec "$@"
`;

async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  const output = Buffer.concat(parts).toString('utf8');
  if (exitCode !== 0) throw new Error(`${program} ended with exit code ${exitCode}:\n${output.slice(-2000)}`);
  return output;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
