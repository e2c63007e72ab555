// Reads files that hold secrets, and refuses those that others may read.
import { open, type FileHandle } from 'node:fs/promises';
import { LabwrightError } from '../errors/error.ts';

export interface PrivateFile {
  /** Absolute. */
  readonly path: string;
  /** First sentence of the error when it cannot be read. */
  readonly what: string;
  readonly where: Readonly<Record<string, string>>;
}

/** Throws LW1003 for a file that is missing, too large, not a plain file, or open to group or others. */
export async function readPrivateFile(file: PrivateFile, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const { path, what, where } = file;
  const refuse = (why: string, fix: readonly string[], cause?: unknown): LabwrightError =>
    new LabwrightError('LW1003', { what, where, why, fix, cause });
  signal.throwIfAborted();
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isMissing
      ? refuse('there is no such file', [`make it: umask 077; cat > ${path}`], error)
      : refuse((error as Error).message, [`ls -l ${path}`], error);
  }
  try {
    // Looked at through the open handle, so that what is checked is what is read.
    const { mode, size } = await handle.stat();
    if ((mode & 0o170000) !== 0o100000) throw refuse('it is not a plain file', [`ls -ld ${path}`]);
    // Like ssh: what others can read is not a secret.
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw refuse(`other users may use the file (mode ${octal})`, [`chmod 600 ${path}`]);
    }
    if (size > maxBytes) throw refuse(`a file of ${size} bytes is not one of secrets`, [`ls -l ${path}`]);
    return await handle.readFile({ signal });
  } finally {
    await handle.close();
  }
}
