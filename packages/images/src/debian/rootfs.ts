// The root file system, compressed: the Debian root without what is one machine's own, and our files over it.
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { isErrno } from '../build-lock.ts';
import { buildFailure, plainEnvironment } from '../program.ts';
import type { BootLoaderParts } from './boot-loader.ts';
import { runFromRoot } from './foreign-program.ts';
import { guestFolder } from './initramfs.ts';
import { maskedUnits } from './packages.ts';

export interface OverlayParts {
  readonly kernelVersion: string;
  readonly bootLoaders: BootLoaderParts;
  readonly diskInitramfs: Uint8Array;
}

/** Only files and links are listed: folders keep the modes they have in the root. */
export interface Overlay {
  readonly directory: string;
  readonly paths: readonly string[];
}

/** Members of the root that do not go into the archive: of the build, or one machine's own. */
const excluded = [
  './boot/initrd.img-*',
  './dev/*',
  './etc/.pwd.lock',
  './etc/dpkg/dpkg.cfg.d/99mmdebstrap',
  './etc/ssh/ssh_host_*',
  './etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service',
  './proc/*',
  './run/*',
  './sys/*',
  './tmp/*',
  './var/cache/apt/*',
  './var/cache/debconf/*-old',
  './var/lib/apt/lists/*',
  './var/lib/dbus/machine-id',
  './var/log/*.log',
  './var/log/apt/*',
];

/** Writes our files as a tree of its own, to be archived after the root and so over it. */
export async function writeOverlay(directory: string, parts: OverlayParts): Promise<Overlay> {
  const paths: string[] = [];
  const place = async (path: string): Promise<string> => {
    paths.push(path);
    await mkdir(dirname(join(directory, path)), { recursive: true });
    return join(directory, path);
  };
  const put = async (path: string, content: string | Uint8Array, mode = 0o644): Promise<void> => {
    const file = await place(path);
    await writeFile(file, content);
    // Not by writeFile, which leaves out what the umask forbids.
    await chmod(file, mode);
  };
  const link = async (path: string, target: string): Promise<void> => await symlink(target, await place(path));
  const guest = async (name: string): Promise<Uint8Array> => await readFile(join(guestFolder, 'installed', name));

  await put('usr/lib/labwright/phone-home', await guest('phone-home'), 0o755);
  await put('usr/lib/labwright/boot/boot.img', parts.bootLoaders.bootSector);
  await put('usr/lib/labwright/boot/core.img', parts.bootLoaders.core);
  await put('usr/lib/labwright/boot/esp.img', parts.bootLoaders.esp);
  await put('usr/lib/labwright/boot/grub.cfg', await guest('grub.cfg'));
  await put(`boot/initrd.img-${parts.kernelVersion}`, parts.diskInitramfs);
  await link('vmlinuz', `boot/vmlinuz-${parts.kernelVersion}`);
  await link('initrd.img', `boot/initrd.img-${parts.kernelVersion}`);
  await put('etc/ssh/sshd_config.d/labwright.conf', await guest('sshd.conf'));
  await put('etc/dpkg/dpkg.cfg.d/labwright-no-docs', await guest('no-docs.cfg'));
  // systemd takes an empty file for "not set yet"; the installation writes the machine's own.
  await put('etc/machine-id', '');
  await put('etc/hostname', 'unconfigured\n');
  await put('etc/hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n');
  await put('etc/resolv.conf', '');
  // Ignition relabels unless this file tells it that there is no SELinux.
  await put('etc/selinux/config', 'SELINUX=disabled\nSELINUXTYPE=default\n');
  const wants = 'etc/systemd/system/multi-user.target.wants';
  await put('etc/systemd/system/labwright-phone-home.service', await guest('labwright-phone-home.service'));
  await link(`${wants}/labwright-phone-home.service`, '/etc/systemd/system/labwright-phone-home.service');
  await put('etc/systemd/system/labwright-timesync.timer', await guest('labwright-timesync.timer'));
  await link(
    'etc/systemd/system/timers.target.wants/labwright-timesync.timer',
    '/etc/systemd/system/labwright-timesync.timer',
  );
  await put('etc/systemd/system/labwright-grow.service', await guest('labwright-grow.service'));
  await link(`${wants}/labwright-grow.service`, '/etc/systemd/system/labwright-grow.service');
  await put('etc/udev/rules.d/70-labwright-grow.rules', await guest('labwright-grow.rules'));
  await put('usr/lib/labwright/partitions/root.conf', await guest('root-partition.conf'));
  await link(`${wants}/systemd-networkd.service`, '/lib/systemd/system/systemd-networkd.service');
  for (const unit of maskedUnits) await link(`etc/systemd/system/${unit}`, '/dev/null');
  return { directory, paths };
}

export interface RootfsParts {
  /** The installed system's root. */
  readonly node: string;
  /** The unpacked boot packages, for mkfs. */
  readonly boot: string;
  /** Laid over the root in this order. */
  readonly overlays: readonly Overlay[];
  /** Links in /etc/systemd/system that are left out. */
  readonly disabledUnits: readonly string[];
}

/** Small for a disk, and large enough for a system that writes logs. */
const journalMiB = 32;

/**
 * An ext4 file system as a machine's disk will hold it, as small as it can be, compressed. Writing it as a whole costs a guest
 * without KVM a third of what unpacking 12,000 files does; the installation grows it to its partition.
 * Returns size and SHA-256 of the file. LW4002 when a program fails or the disk is full.
 */
export async function packRootfs(
  parts: RootfsParts,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const [staging, image] = [`${file}.tree`, `${file}.ext4`];
  try {
    await mkdir(staging);
    await copyTree(parts, staging, signal);
    await makeFileSystem(parts.boot, staging, image, signal);
    return await compress(image, file, signal);
  } finally {
    await rm(staging, { recursive: true, force: true });
    await rm(image, { force: true });
  }
}

const what = 'the root file system of the Debian image could not be packed';

/** The root first, then our files over it. */
async function copyTree(parts: RootfsParts, target: string, signal: AbortSignal): Promise<void> {
  const units = parts.disabledUnits.map((unit) => `./etc/systemd/system/${unit}`);
  const exclude = [...excluded, ...units].map((pattern) => `--exclude=${pattern}`);
  const options = ['--create', '--file=-', '--numeric-owner', '--xattrs', '--anchored', ...exclude];
  const overlays = parts.overlays.flatMap(({ directory, paths }) => ['-C', directory, ...paths]);
  const reader = spawn('tar', [...options, '-C', parts.node, '.', ...overlays], {
    env: plainEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const writer = spawn(
    'tar',
    ['--extract', '--file=-', '--numeric-owner', '--same-owner', '--xattrs', '--xattrs-include=*', '-C', target],
    { env: plainEnvironment, stdio: ['pipe', 'ignore', 'pipe'], signal },
  );
  const log: string[] = [];
  for (const program of [reader, writer])
    createInterface({ input: program.stderr }).on('line', (line) => log.push(line));
  const ends = Promise.all([reader, writer].map(untilEnd));
  try {
    await pipeline(reader.stdout, writer.stdin, { signal });
  } catch (error) {
    signal.throwIfAborted();
    // The writer went away; what it said before that is the reason.
    if (!isErrno(error, 'EPIPE')) throw error;
  }
  const exitCodes = await ends;
  const failed = exitCodes.find((exitCode) => exitCode !== 0);
  if (failed !== undefined) throw buildFailure(what, `tar ended with exit code ${failed}`, log);
}

async function untilEnd(program: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    program.once('error', reject);
    program.once('close', (code) => resolve(code ?? 128));
  });
}

/**
 * As small as its contents: every block more is one that a guest without KVM writes. The checksum seed lets a machine give it a
 * UUID of its own at no cost.
 */
async function makeFileSystem(boot: string, tree: string, image: string, signal: AbortSignal): Promise<void> {
  const contentMiB = Math.ceil((await countBlocks(tree)) / 256);
  await writeFile(image, '');
  // Beside the contents: the journal, and tables of blocks and inodes, a fiftieth.
  await truncate(image, (Math.ceil(contentMiB * 1.03) + journalMiB + 12) * 2 ** 20);
  const features = ['-O', 'metadata_csum_seed', '-b', '4096', '-I', '256', '-i', '16384', '-m', '0'];
  const journal = ['-J', `size=${journalMiB}`, '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'];
  const options = ['-q', '-F', ...features, ...journal, '-L', 'labwright-root', '-d', tree, image];
  await runFromRoot(boot, '/sbin/mkfs.ext4', options, signal);
}

/** Blocks of 4096 bytes that the files and folders of a tree take; a file with several names is counted once. */
async function countBlocks(tree: string): Promise<number> {
  const seen = new Set<string>();
  let blocks = 0;
  for (const entry of await readdir(tree, { withFileTypes: true, recursive: true })) {
    const { size, dev, ino, nlink } = await lstat(join(entry.parentPath, entry.name));
    const key = `${dev}:${ino}`;
    if (nlink > 1 && seen.has(key)) continue;
    seen.add(key);
    // The target of a short link lies in the inode.
    if (!entry.isSymbolicLink() || size >= 60) blocks += Math.ceil(size / 4096);
  }
  return blocks;
}

async function compress(
  image: string,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  // Below zero literals are stored as they are: a quarter more to send, and a third less work for a machine without KVM, to which
  // unpacking costs twice what receiving does.
  const zstd = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: -1, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  try {
    await pipeline(createReadStream(image), zstd, measure, createWriteStream(file), { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isErrno(error, 'ENOSPC')) throw buildFailure(what, 'the disk is full', ['No space left on device']);
    throw error;
  }
  return { size, sha256: hash.digest('hex') };
}
