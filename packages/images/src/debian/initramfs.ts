// The two initramfs images: one that installs over the network, and a small one that an installed machine boots its own disk with.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { encodeCpio, type ArchiveEntry } from '../cpio.ts';
import { readEntry, readProgramsWithLibraries } from './foreign-program.ts';
import { readKernelModules } from './kernel-modules.ts';

export const guestFolder = join(import.meta.dirname, '../guest');

const ignition = '/usr/lib/dracut/modules.d/30ignition/ignition';
const newPlaces: Readonly<Record<string, string>> = { [ignition.slice(1)]: 'usr/bin/ignition' };
/** Programs beside busybox, which has all the rest. */
const installerPrograms = [
  '/usr/bin/zstd',
  '/sbin/sgdisk',
  '/sbin/tune2fs',
  '/sbin/resize2fs',
  '/sbin/blkid',
  '/sbin/kexec',
];
/** Ignition calls these with --root; the last for a unit that shall not run. */
const programsOfRoot = ['useradd', 'usermod', 'userdel', 'groupadd', 'groupdel', 'passwd', 'systemctl'];
/** Wait for the disk only: no network, no Ignition. */
const diskParts = ['console.sh', 'devices.sh', 'mark.sh', 'boot.sh'];

interface Roots {
  /** The installed system, for its kernel's modules. */
  readonly node: string;
  /** The unpacked boot packages, for programs. */
  readonly boot: string;
  readonly kernelVersion: string;
}

/** For booting over the network: everything an installation needs. */
export async function buildInstallerInitramfs(roots: Roots, signal: AbortSignal): Promise<Uint8Array> {
  const programs = await readProgramsWithLibraries(roots.boot, [...installerPrograms, ignition], signal);
  const parts = (await readdir(join(guestFolder, 'initramfs'))).filter((name) => name.endsWith('.sh'));
  const entries = [
    ...(await commonEntries(roots, parts)),
    ...(await readKernelModules(roots.node, roots.kernelVersion, ['disk', 'network'])),
    ...programs.map((entry): ArchiveEntry => ({ ...entry, path: newPlaces[entry.path] ?? entry.path })),
    await readGuestFile('ignition-setfiles', 'usr/sbin/setfiles'),
    await readGuestFile('ignition-in-root', 'usr/sbin/useradd'),
    ...programsOfRoot
      .slice(1)
      .map((name): ArchiveEntry => ({ kind: 'link', path: `usr/sbin/${name}`, target: 'useradd' })),
  ];
  return await pack(entries);
}

/** For booting the machine's own disk. */
export async function buildDiskInitramfs(roots: Roots): Promise<Uint8Array> {
  return await pack([
    ...(await commonEntries(roots, diskParts)),
    ...(await readKernelModules(roots.node, roots.kernelVersion, ['disk'])),
  ]);
}

async function commonEntries(roots: Roots, parts: readonly string[]): Promise<readonly ArchiveEntry[]> {
  return [
    await readGuestFile('init', 'init'),
    ...(await Promise.all(parts.map(async (part) => await readGuestFile(part, `lib/labwright/${part}`)))),
    await readEntry(roots.boot, '/bin/busybox'),
    // busybox looks for the applets it is called as in /bin; sh must be there before the first line of init runs.
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    // The kernel opens the console before init mounts anything.
    { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
  ];
}

async function readGuestFile(name: string, path: string): Promise<ArchiveEntry> {
  const content = await readFile(join(guestFolder, 'initramfs', name));
  return { kind: 'file', path, mode: name.endsWith('.sh') ? 0o644 : 0o755, content };
}

/** Adds the folders, and compresses with zstd, which Debian's kernels unpack themselves. */
async function pack(files: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const folders = new Set(['dev', 'etc', 'proc', 'run', 'sys', 'sysroot', 'tmp']);
  for (const { path } of files) {
    const words = path.split('/');
    for (let depth = 1; depth < words.length; depth++) folders.add(words.slice(0, depth).join('/'));
  }
  const directories = [...folders].sort().map((path): ArchiveEntry => ({ kind: 'directory', path, mode: 0o755 }));
  return await promisify(zstdCompress)(encodeCpio([...directories, ...files]), {
    params: { [constants.ZSTD_c_compressionLevel]: 9 },
  });
}
