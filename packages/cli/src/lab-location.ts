// Which lab a command means: the rehearsal that runs in this directory, or the lab file here.
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import { rehearsalFolder } from './folders.ts';
import type { Program } from './program.ts';
import { findRehearsal, type RunningRehearsal } from './rehearsal/record.ts';

export type LabLocation =
  | { readonly kind: 'rehearsal'; readonly labFile: string; readonly rehearsal: RunningRehearsal }
  | { readonly kind: 'hardware'; readonly labFile: string };

const exampleLabFile = join(import.meta.dirname, '../../../examples/home/lab.yaml');

/** While a rehearsal runs in a directory every command there means it, unless it says --real. */
export async function locateLab(program: Program): Promise<LabLocation> {
  if (!program.options.real) {
    const rehearsal = await findRehearsal(rehearsalFolder(program.folders, program.directory));
    if (rehearsal !== undefined) return { kind: 'rehearsal', labFile: rehearsal.labFile, rehearsal };
  }
  return { kind: 'hardware', labFile: await locateLabFile(program) };
}

/** The lab file to rehearse: the one named, the one here, or the example that comes with Labwright. */
export async function locateLabFileToRehearse(program: Program): Promise<{ file: string; isExample: boolean }> {
  if (program.options.lab !== undefined)
    return { file: resolve(program.directory, program.options.lab), isExample: false };
  const here = join(program.directory, 'lab.yaml');
  return (await isThere(here)) ? { file: here, isExample: false } : { file: exampleLabFile, isExample: true };
}

/** Throws LW1001 when there is none. */
export async function locateLabFile(program: Program): Promise<string> {
  if (program.options.lab !== undefined) return resolve(program.directory, program.options.lab);
  const here = join(program.directory, 'lab.yaml');
  if (await isThere(here)) return here;
  throw new LabwrightError('LW1001', {
    what: 'there is no lab file here, and no rehearsal runs in this directory',
    where: { file: here },
    fix: [
      'labwright rehearse            try the example that comes with Labwright, nothing of yours is touched',
      'labwright --lab FILE …        name the lab file',
    ],
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
