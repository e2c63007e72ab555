// Folders of ours, made where they are missing.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * With every folder above that is missing, each of that mode. Throws what the system says, with its `code`, also where Node's own
 * recursive mkdir never ends: /proc is there, and nothing can be made in it because "there is no such folder".
 */
export async function ensureFolder(path: string, { mode = 0o777 }: { readonly mode?: number } = {}): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await ensureFolder(dirname(path), { mode });
    await makeLast(path, mode);
  }
}

async function makeLast(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Somebody else was faster.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
