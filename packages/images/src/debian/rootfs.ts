// The root file system as one compressed archive: the Debian root without what is one machine's own, and our files over it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { isErrno } from '../build-lock.ts';
import { buildFailure, plainEnvironment } from '../program.ts';
import type { BootLoaderParts } from './boot-loader.ts';
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
  await link(`${wants}/systemd-networkd.service`, '/lib/systemd/system/systemd-networkd.service');
  for (const unit of maskedUnits) await link(`etc/systemd/system/${unit}`, '/dev/null');
  return { directory, paths };
}

/**
 * Copies nothing: tar reads the root and then our files, and the stream is compressed on its way to the file.
 * Returns size and SHA-256 of the file. LW4002 when tar fails or the disk is full.
 */
export async function packRootfs(
  root: string,
  overlay: Overlay,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const exclude = excluded.map((pattern) => `--exclude=${pattern}`);
  const tar = spawn(
    'tar',
    [
      '--create',
      '--file=-',
      '--numeric-owner',
      '--xattrs',
      '--sort=name',
      '--anchored',
      ...exclude,
      '--directory',
      root,
      '.',
      '--directory',
      overlay.directory,
      ...overlay.paths,
    ],
    { env: plainEnvironment, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log: string[] = [];
  createInterface({ input: tar.stderr }).on('line', (line) => log.push(line));
  const ended = new Promise<number>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', (code) => resolve(code ?? 128));
  });
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const what = 'the root file system of the Debian image could not be packed';
  try {
    const compress = createZstdCompress({
      params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    const [exitCode] = await Promise.all([
      ended,
      pipeline(tar.stdout, compress, measure, createWriteStream(file), { signal }),
    ]);
    if (exitCode !== 0) throw buildFailure(what, `tar ended with exit code ${exitCode}`, log);
  } catch (error) {
    signal.throwIfAborted();
    if (isErrno(error, 'ENOSPC')) throw buildFailure(what, 'the disk is full', ['No space left on device']);
    throw error;
  } finally {
    tar.kill('SIGKILL');
  }
  return { size, sha256: hash.digest('hex') };
}
