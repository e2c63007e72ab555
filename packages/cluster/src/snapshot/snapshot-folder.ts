// The folder that snapshots are kept in: one encrypted file each, whole or not there, with what it is in its name.
//
//   home-20261122T170000Z-r12345-scheduled.etcd.age
//   lab  taken, UTC       revision reason
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import type { LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { lookMs, transferMs, untilAnswered } from './folder-answer.ts';
import { verifySnapshot, type SnapshotSummary } from './verify-snapshot.ts';

/** Encrypts and decrypts with the identity that also keeps the cluster's keys. Both throw LW1003. */
export interface SnapshotCipher {
  seal(plain: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  open(sealed: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

export type SnapshotReason = 'scheduled' | 'asked' | 'before-upgrade';

export interface StoredSnapshot {
  readonly file: string;
  /** Milliseconds since 1970 UTC. */
  readonly takenAt: number;
  readonly revision: bigint;
  readonly reason: string;
}

export interface SnapshotFolder {
  /** Absolute. */
  readonly path: string;
  readonly lab: LabId;
  readonly cipher: SnapshotCipher;
}

const pattern = /^(.+)-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-r(\d+)-([a-z-]+)\.etcd\.age$/;

/**
 * This lab's, newest first; other files are none of our business. None when there is no such folder yet. Throws LW0005, also when the
 * folder does not answer.
 */
export async function listSnapshots(
  { path, lab }: Pick<SnapshotFolder, 'path' | 'lab'>,
  signal: AbortSignal,
): Promise<readonly StoredSnapshot[]> {
  let names: readonly string[];
  try {
    names = await untilAnswered(path, { timeoutMs: lookMs, signal }, async () => await readdir(path));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabwrightError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable(path, error);
  }
  return names
    .flatMap((name) => parseName(path, lab, name) ?? [])
    .toSorted((one, other) => other.takenAt - one.takenAt);
}

/**
 * Verifies, encrypts, writes, reads back and verifies again: what is in the folder afterwards can be restored. Throws LW6034,
 * LW0005 for the folder, LW1003 for the identity.
 */
export async function writeToFolder(
  folder: SnapshotFolder,
  plain: Uint8Array,
  { takenAt, reason }: { readonly takenAt: number; readonly reason: SnapshotReason },
  signal: AbortSignal,
): Promise<StoredSnapshot & { readonly summary: SnapshotSummary }> {
  const summary = verifySnapshot(plain);
  const file = join(folder.path, formatName(folder.lab, takenAt, summary.revision, reason));
  const sealed = await folder.cipher.seal(plain, signal);
  const limits = { timeoutMs: transferMs(sealed.length), signal };
  await untilAnswered(folder.path, limits, async () => await writeWhole(folder.path, file, sealed));
  const again = await readSnapshot(file, folder.cipher, signal);
  if (again.summary.sha256 !== summary.sha256) throw changedOnDisk(file);
  return { file, takenAt, revision: summary.revision, reason, summary };
}

/** Decrypts when it is encrypted, and verifies. Throws LW0005, LW1003 and LW6034. */
export async function readSnapshot(
  file: string,
  cipher: SnapshotCipher,
  signal: AbortSignal,
): Promise<{ readonly plain: Uint8Array; readonly summary: SnapshotSummary }> {
  let bytes: Uint8Array;
  try {
    const folder = dirname(file);
    const { size } = await untilAnswered(folder, { timeoutMs: lookMs, signal }, async () => await stat(file));
    const limits = { timeoutMs: transferMs(size), signal };
    bytes = await untilAnswered(folder, limits, async () => await readFile(file, { signal }));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabwrightError) throw error;
    throw unusable(file, error);
  }
  const isSealed = Buffer.from(bytes.subarray(0, 21)).toString('latin1') === 'age-encryption.org/v1';
  const plain = isSealed ? await openSealed(file, bytes, cipher, signal) : bytes;
  return { plain, summary: verifySnapshot(plain) };
}

/** Of those that nobody's schedule makes, each kind. Who asks for one, or upgrades, wants it there for longer than a week. */
const keptOfOthers = 10;

/** Removes the oldest of that kind, and of no other; gives the files that were removed. */
export async function pruneSnapshots(
  folder: SnapshotFolder,
  reason: SnapshotReason,
  keepScheduled: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ofKind = (await listSnapshots(folder, signal)).filter((snapshot) => snapshot.reason === reason);
  const surplus = ofKind.slice(reason === 'scheduled' ? keepScheduled : keptOfOthers);
  await untilAnswered(folder.path, { timeoutMs: lookMs, signal }, async () => {
    for (const { file } of surplus) await rm(file, { force: true });
  });
  return surplus.map(({ file }) => file);
}

async function openSealed(
  file: string,
  bytes: Uint8Array,
  cipher: SnapshotCipher,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await cipher.open(bytes, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LabwrightError) throw error;
    throw new LabwrightError('LW6034', {
      what: 'the snapshot cannot be decrypted, so it is not used',
      where: { file },
      why: error instanceof Error ? error.message : String(error),
      fix: ['use the identity it was encrypted for: secrets.identityFile in the lab file', 'use another snapshot'],
      cause: error,
    });
  }
}

async function writeWhole(folder: string, file: string, content: Uint8Array): Promise<void> {
  const draft = `${file}.new`;
  try {
    await ensureFolder(folder, { mode: 0o700 });
    await rm(draft, { force: true });
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw unusable(file, error);
  }
}

function formatName(lab: LabId, takenAt: number, revision: bigint, reason: SnapshotReason): string {
  const time = new Date(takenAt).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${lab}-${time}-r${revision}-${reason}.etcd.age`;
}

function parseName(folder: string, lab: LabId, name: string): StoredSnapshot | undefined {
  const match = pattern.exec(name);
  if (match?.[1] !== lab) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(2, 8).map(Number);
  const takenAt = Date.UTC(year, month - 1, day, hour, minute, second);
  return { file: join(folder, name), takenAt, revision: BigInt(match[8] ?? 0), reason: match[9] ?? '' };
}

const unusable = (path: string, cause: unknown): LabwrightError =>
  new LabwrightError('LW0005', {
    what: 'a snapshot could not be read or written',
    where: { path },
    why: cause instanceof Error ? cause.message : String(cause),
    fix: ['check that the folder is there and mounted: kubernetes.snapshots.to in the lab file'],
    cause,
  });

const changedOnDisk = (file: string): LabwrightError =>
  new LabwrightError('LW6034', {
    what: 'the snapshot was written and reads back as something else',
    where: { file },
    why: 'its content is not what was written: the disk or the network share damages files',
    fix: ['check that disk', 'kubernetes.snapshots.to: another folder'],
  });
