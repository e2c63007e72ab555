// Whether the folder of snapshots is where they belong. A NAS that is not mounted leaves an empty folder on the local disk, and
// snapshots written there would be lost with the machine they are to outlive.
import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import * as z from 'zod';
import { lookMs, untilAnswered } from './folder-answer.ts';

export interface SnapshotExport {
  readonly nas: string;
  readonly address: string;
  readonly path: string;
}

export interface FolderMountOptions {
  /** Absolute; need not be there yet. */
  readonly folder: string;
  /** The NAS exports of the lab file that are for snapshots: with one, the folder has to be on a network mount. */
  readonly exports: readonly SnapshotExport[];
  /** A file of ours that remembers which mount the folder was on. */
  readonly memory: string;
  /** As /proc/self/mountinfo has it. */
  readonly readMounts?: () => Promise<string>;
  readonly signal: AbortSignal;
}

export interface Mount {
  readonly point: string;
  /** "nfs4" */
  readonly type: string;
  /** "10.1.0.20:/volume1/etcd" */
  readonly source: string;
}

/**
 * Throws LW0005 for a folder that is not on a mount that it has to be on, or was on before, and for one that does not answer. Makes
 * no folder.
 */
export async function assertFolderMounted(options: FolderMountOptions): Promise<void> {
  const { folder, exports, memory, readMounts = readOwnMounts, signal } = options;
  // The way there has an automount do its work before it is looked at.
  const place = await untilAnswered(folder, { timeoutMs: lookMs, signal }, async () => await findExisting(folder));
  const mount = findMount(await readMounts(), place);
  if (mount === undefined) return;
  const [wanted] = exports;
  if (wanted !== undefined && !networkTypes.test(mount.type)) throw notOnNas(folder, mount, wanted);
  const before = await readMemory(memory, folder);
  if (before !== undefined && isAbove(mount.point, before)) throw notMounted(folder, mount, before, memory);
  if (mount.point !== '/' && mount.point !== before) {
    await writeFile(memory, `${JSON.stringify({ folder, point: mount.point })}\n`, { mode: 0o600 });
  }
}

const networkTypes = /^(nfs\d?|cifs|smb3|fuse\.sshfs)$/;

/** The mount that a path is on; an automount alone, with nothing mounted by it, is none. Undefined for an empty table. */
export function findMount(table: string, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of table.split('\n')) {
    const [own = '', rest = ''] = line.split(' - ', 2);
    const point = unescape(own.split(' ')[4] ?? '');
    const [type = '', source = ''] = rest.split(' ');
    if (point === '' || type === 'autofs' || (point !== path && !isAbove(point, path))) continue;
    // Of two on one place the later hides the earlier.
    if (found === undefined || point.length >= found.point.length) found = { point, type, source: unescape(source) };
  }
  return found;
}

const readOwnMounts = async (): Promise<string> => await readFile('/proc/self/mountinfo', 'utf8');

/** Blanks and the like are \040 in the table. */
const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

const isAbove = (point: string, path: string): boolean =>
  point !== path && path.startsWith(point === '/' ? '/' : `${point}/`);

/** The folder, or what there is of the way to it; links followed. */
async function findExisting(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      await stat(path);
      return await realpath(path);
    } catch (error) {
      if (path === dirname(path)) throw unusable(folder, error);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(folder, error);
    }
  }
}

const memorySchema = z.object({ folder: z.string(), point: z.string() });

/** Undefined when nothing is remembered of this folder. */
async function readMemory(file: string, folder: string): Promise<string | undefined> {
  try {
    const known = memorySchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return known.folder === folder ? known.point : undefined;
  } catch {
    return undefined;
  }
}

const otherFolder = 'kubernetes.snapshots.to: another folder';

const notOnNas = (folder: string, mount: Mount, { nas, address, path }: SnapshotExport): LabwrightError =>
  new LabwrightError('LW0005', {
    what: 'no snapshot is written: its folder is not on the NAS',
    where: { path: folder },
    why: `${nas} exports ${path} for snapshots, and the folder is on ${mount.point} (${mount.type} of ${mount.source})`,
    fix: [
      `sudo mount -t nfs ${address}:${path} ${folder}   and a line in /etc/fstab`,
      'kubernetes.snapshots.to: the folder where it is mounted',
      `for: data at that export, when snapshots are to be kept elsewhere`,
    ],
  });

const notMounted = (folder: string, mount: Mount, before: string, memory: string): LabwrightError =>
  new LabwrightError('LW0005', {
    what: 'no snapshot is written: what its folder was on is not mounted',
    where: { path: folder },
    why: `earlier ones are on the mount ${before}, which is not there; now the folder would be on ${mount.point}`,
    fix: [`sudo mount ${before}`, otherFolder, `rm ${memory}   if it is to be on this disk from now on`],
  });

const unusable = (folder: string, cause: unknown): LabwrightError =>
  new LabwrightError('LW0005', {
    what: 'the folder of snapshots cannot be looked at',
    where: { path: folder },
    why: cause instanceof Error ? cause.message : String(cause),
    fix: ['look whether the NAS answers: a mount of one that does not may have gone stale', otherFolder],
    cause,
  });
