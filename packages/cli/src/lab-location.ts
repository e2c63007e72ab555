// Which lab a command means: the rehearsal that runs in this directory, or the lab file here.
import { access, realpath } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import { readLab, type LabFile } from '@labwright/core/lab/read-lab';
import { rehearsalFolder } from './folders.ts';
import { settleMirror } from './kubernetes-mirror.ts';
import type { Program } from './program.ts';
import { findRehearsal, type RunningRehearsal } from './rehearsal/record.ts';

export type LabLocation =
  | { readonly kind: 'rehearsal'; readonly labFile: string; readonly rehearsal: RunningRehearsal }
  | { readonly kind: 'hardware'; readonly labFile: string };

const exampleLabFile = join(import.meta.dirname, '../../../examples/home/lab.yaml');

/**
 * For commands that ask a lab: while a rehearsal runs in a directory every command there means it, unless it says --real.
 * Throws LW0002 when --lab names another file than the rehearsed one, and LW1001 when there is none.
 */
export async function locateLab(program: Program): Promise<LabLocation> {
  const rehearsal = await findRehearsalHere(program);
  if (rehearsal === undefined) return { kind: 'hardware', labFile: await locateLabFile(program) };
  if ((await chooseFile(program, rehearsal.labFile)) === 'another') throw anotherLab(program, rehearsal);
  return { kind: 'rehearsal', labFile: rehearsal.labFile, rehearsal };
}

/** For commands that only read a lab file: the one named with --lab, whatever runs here. Throws LW1001. */
export async function locateLabFileAlone(program: Program): Promise<LabLocation> {
  const rehearsal = await findRehearsalHere(program);
  const isMeant = rehearsal !== undefined && (await chooseFile(program, rehearsal.labFile)) === 'rehearsed';
  if (isMeant) return { kind: 'rehearsal', labFile: rehearsal.labFile, rehearsal };
  return { kind: 'hardware', labFile: await locateLabFile(program) };
}

async function findRehearsalHere(program: Program): Promise<RunningRehearsal | undefined> {
  if (program.options.real) return undefined;
  return await findRehearsal(rehearsalFolder(program.folders, program.directory));
}

function anotherLab(program: Program, rehearsal: RunningRehearsal): LabwrightError {
  return new LabwrightError('LW0002', {
    what: `a rehearsal of another lab file than ${program.options.lab ?? ''} runs in this directory`,
    where: { rehearsed: rehearsal.labFile },
    why: 'while it runs, commands here mean it and not hardware',
    fix: [
      'the same command without --lab   to mean the rehearsal',
      'the same command with --real   to mean the hardware of that file',
      'labwright rehearse stop   to end the rehearsal',
    ],
  });
}

/** Whether the command line means the rehearsed lab file: by not naming one, or by naming it, also by a link. */
export async function chooseFile(
  { options, directory }: Pick<Program, 'directory'> & { readonly options: Pick<Program['options'], 'lab'> },
  rehearsed: string,
): Promise<'rehearsed' | 'another'> {
  if (options.lab === undefined) return 'rehearsed';
  const [named, other] = await Promise.all([resolve(directory, options.lab), rehearsed].map(followLinks));
  return named === other ? 'rehearsed' : 'another';
}

async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path; // Not there: whoever reads it says so.
  }
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
      'labwright rehearse   try the example that comes with Labwright, nothing of yours is touched',
      'labwright --lab FILE …   name the lab file',
    ],
  });
}

/** Throws LW1001 and LW1002; their messages call the file as the user did. */
export async function readLabFile(program: Program, labFile: string): Promise<LabFile> {
  const read = await readLab(labFile, nameForUser(program, labFile));
  return { ...read, lab: settleMirror(read.lab, labFile, program) };
}

/** The path as the user gave it, or the shortest way there from here. */
export function nameForUser(
  { options, directory }: Pick<Program, 'directory'> & { readonly options: Pick<Program['options'], 'lab'> },
  labFile: string,
): string {
  if (options.lab !== undefined && resolve(directory, options.lab) === labFile) return options.lab;
  const fromHere = relative(directory, labFile);
  return fromHere.startsWith('..') ? labFile : fromHere;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
