// The Debian image that machines netboot and are installed from: kernel, initramfs and root file system, built once and kept in the cache.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { acquireBuildLock, isErrno } from '../build-lock.ts';
import { ensureDebianRoot, type BuildContext, type DebianRoot, type DebianRootSpec } from '../debian-root.ts';
import { buildBootLoaders } from './boot-loader.ts';
import { buildDiskInitramfs, buildInstallerInitramfs, guestFolder } from './initramfs.ts';
import { readKernelVersion } from './kernel-modules.ts';
import { bootPackages, nodePackages } from './packages.ts';
import { packRootfs, writeOverlay, type Overlay } from './rootfs.ts';

/** Changes whenever the way the image is put together does. Packages and guest files count by themselves. */
const recipe = 5;

export interface ImageFile {
  readonly path: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export interface DebianImage {
  /** SHA-256 over the files' own, hex: equal digests boot the same. */
  readonly digest: string;
  readonly directory: string;
  readonly kernelVersion: string;
  readonly files: {
    /** Linux, for a boot loader. */
    readonly kernel: ImageFile;
    /** Installs a machine, or starts what is on its disk. */
    readonly initrd: ImageFile;
    /** ext4 under zstd, streamed to the disk by the initrd. */
    readonly rootfs: ImageFile;
  };
}

/** Everything but where it is. */
interface Manifest {
  readonly digest: string;
  readonly kernelVersion: string;
  readonly files: Readonly<Record<keyof DebianImage['files'], Omit<ImageFile, 'path'>>>;
}

/** An image with more than every machine has. */
export interface ImageVariant {
  /** For people who look into the cache. */
  readonly name: string;
  /** The system's root: every machine's packages, and more. */
  readonly node: DebianRoot;
  /** Names everything that `makeOverlays` makes its trees from. */
  readonly key: string;
  /** Links in /etc/systemd/system that are left out: "multi-user.target.wants/rpcbind.service". */
  readonly disabledUnits: readonly string[];
  /** Trees that are laid over the root; made in the given folder, which is gone afterwards. */
  readonly makeOverlays: (folder: string) => Promise<readonly Overlay[]>;
}

const nodeRoot: DebianRootSpec = { name: 'node', packages: nodePackages };
const bootRoot: DebianRootSpec = { name: 'node-boot', packages: bootPackages, kind: 'files' };
/** Folders of guest files that are in every image. */
const guestParts = ['initramfs', 'installed'];
const fileNames = { kernel: 'vmlinuz', initrd: 'initrd.img', rootfs: 'rootfs.ext4.zst' } as const;
const manifestName = 'manifest.json';

/** Built when it is not in the cache (about half a minute, as root). Throws what ensureDebianRoot throws. */
export async function ensureDebianImage(context: BuildContext, variant?: ImageVariant): Promise<DebianImage> {
  // One after the other: apt and dpkg keep both cores of a small computer busy anyway.
  const boot = await ensureDebianRoot(bootRoot, context);
  const node = variant?.node ?? (await ensureDebianRoot(nodeRoot, context));
  const name = variant?.name ?? 'debian';
  const directory = join(context.cacheDir, 'images', `${name}-${await imageKey(node, boot, variant)}`);
  const known = await readImage(directory);
  if (known !== undefined) return known;
  await ensureFolder(dirname(directory));
  const lock = await acquireBuildLock(`${directory}.lock`, context.signal, () =>
    context.onProgress(`waiting for another Labwright, which is building the image ${name}`),
  );
  try {
    const built = await readImage(directory);
    if (built !== undefined) return built;
    const building = `${directory}.building`;
    await removeLeftovers(directory);
    await mkdir(building);
    await build(building, { node: node.directory, boot: boot.directory, name, variant }, context);
    await rename(building, directory);
    return imageAt(directory, await readManifest(directory));
  } finally {
    await removeLeftovers(directory);
    await lock.release();
  }
}

interface BuildParts {
  readonly node: string;
  readonly boot: string;
  readonly name: string;
  readonly variant: ImageVariant | undefined;
}

async function build(target: string, parts: BuildParts, context: BuildContext): Promise<void> {
  const { node, boot, name, variant } = parts;
  const { signal, onProgress } = context;
  onProgress(`image ${name}: boot loaders and initramfs`);
  const kernelVersion = await readKernelVersion(node);
  const roots = { node, boot, kernelVersion };
  const [bootLoaders, diskInitramfs, initramfs] = await Promise.all([
    buildBootLoaders(boot, signal),
    buildDiskInitramfs(roots),
    buildInstallerInitramfs(roots, signal),
  ]);
  const overlay = await writeOverlay(join(target, 'overlay'), { kernelVersion, bootLoaders, diskInitramfs });
  const own = join(target, 'variant');
  await mkdir(own);
  const overlays = [overlay, ...((await variant?.makeOverlays(own)) ?? [])];
  onProgress(`image ${name}: packing the root file system`);
  const disabledUnits = variant?.disabledUnits ?? [];
  const rootfs = await packRootfs({ ...roots, overlays, disabledUnits }, join(target, fileNames.rootfs), signal);
  await rm(overlay.directory, { recursive: true });
  await rm(own, { recursive: true });
  await copyFile(join(node, 'boot', `vmlinuz-${kernelVersion}`), join(target, fileNames.kernel));
  await writeFile(join(target, fileNames.initrd), initramfs);
  const files = {
    kernel: await measure(join(target, fileNames.kernel)),
    initrd: await measure(join(target, fileNames.initrd)),
    rootfs,
  };
  const digest = createHash('sha256')
    .update(`${files.kernel.sha256} ${files.initrd.sha256} ${files.rootfs.sha256}`)
    .digest('hex');
  const manifest: Manifest = { digest, kernelVersion, files };
  await writeFile(join(target, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

async function measure(path: string): Promise<Omit<ImageFile, 'path'>> {
  const content = await readFile(path);
  return { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

/** What the image is made from: both roots, every guest file, this recipe, and what the variant is made from. */
async function imageKey(node: DebianRoot, boot: DebianRoot, variant: ImageVariant | undefined): Promise<string> {
  const parts = [recipe, node.key, boot.key, ...(variant === undefined ? [] : [variant.key, variant.disabledUnits])];
  const hash = createHash('sha256').update(JSON.stringify(parts));
  for (const folder of guestParts) {
    for (const name of (await readdir(join(guestFolder, folder))).sort()) {
      hash.update(`\n${folder}/${name}\n`).update(await readFile(join(guestFolder, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function readImage(directory: string): Promise<DebianImage | undefined> {
  try {
    return imageAt(directory, await readManifest(directory));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function readManifest(directory: string): Promise<Manifest> {
  // Ours, and whole: the directory got its name after the file was written.
  return JSON.parse(await readFile(join(directory, manifestName), 'utf8')) as Manifest;
}

function imageAt(directory: string, manifest: Manifest): DebianImage {
  const file = (name: keyof DebianImage['files']): ImageFile => ({
    path: join(directory, fileNames[name]),
    ...manifest.files[name],
  });
  return {
    digest: manifest.digest,
    directory,
    kernelVersion: manifest.kernelVersion,
    files: { kernel: file('kernel'), initrd: file('initrd'), rootfs: file('rootfs') },
  };
}

async function removeLeftovers(directory: string): Promise<void> {
  const prefix = `${basename(directory)}.building`;
  const leftovers = (await readdir(dirname(directory))).filter((name) => name.startsWith(prefix));
  for (const name of leftovers) await rm(join(dirname(directory), name), { recursive: true, force: true });
}
