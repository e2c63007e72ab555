// Writes a file that must not be there yet and that only its owner may read.
import { randomUUID } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensureFolder } from '../ports/folder.ts';
import { LabwrightError } from '../errors/error.ts';

export type WriteOutcome = 'written' | 'existed';

/**
 * Mode 0600, its folder made 0700 where missing. The name never stands for half a file, and what stands there already is kept:
 * of two writers the first wins. On disk when it resolves. Throws LW0005.
 */
export async function writeNewFile(path: string, content: string): Promise<WriteOutcome> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await ensureFolder(dirname(path), { mode: 0o700 });
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    await syncFolder(dirname(path));
    return 'written';
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return 'existed';
    throw new LabwrightError('LW0005', {
      what: `${path} could not be written`,
      where: { file: path },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: [`give the user that runs Labwright its folder: ls -ld ${dirname(path)}`],
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
