// Reads a lab file from disk.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LabwrightError } from '../errors/error.ts';
import type { Diagnostic } from './diagnostic.ts';
import { formatCount, formatDiagnostics, formatPosition } from './format-diagnostics.ts';
import { maxSourceLength } from './lab-document.ts';
import { parseLab, type ParsedLab } from './parse-lab.ts';

export interface LabFile extends ParsedLab {
  /** Absolute path of the file. */
  readonly path: string;
  /** Absolute; relative paths in the file start here. */
  readonly directory: string;
  readonly source: string;
  /** Of what the file says, whatever its layout and comments: the same for everyone who reads it with this version of Labwright. */
  readonly digest: string;
}

/** LW1002 with the diagnostics themselves, for a caller that renders them at its own width; `log` has them at 80 columns. */
export class LabFileError extends LabwrightError {
  readonly diagnostics: readonly Diagnostic[];
  readonly source: string;

  constructor(diagnostics: readonly Diagnostic[], source: string) {
    const [first] = diagnostics;
    super('LW1002', {
      what: formatCount(diagnostics).replace(/\.$/, ''),
      ...(first === undefined ? {} : { where: { file: formatPosition(first.position) }, why: first.message }),
      ...(first === undefined ? {} : { fix: [first.fix] }),
      log: formatDiagnostics(diagnostics, source, { width: 80 }).trimEnd().split('\n'),
    });
    this.diagnostics = diagnostics;
    this.source = source;
  }
}

/**
 * `shownAs` is what messages call it: the path as the user gave it. Throws LW1001 when the file cannot be read, and
 * LabFileError (LW1002) with every problem it has.
 */
export async function readLab(path: string, shownAs: string = path): Promise<LabFile> {
  const absolute = resolve(path);
  const source = await readSource(shownAs, absolute);
  const parsed = parseLab(source, shownAs);
  if (parsed.lab === undefined) throw new LabFileError(parsed.diagnostics, source);
  const digest = createHash('sha256').update(JSON.stringify(parsed.lab)).digest('hex');
  return { ...parsed, path: absolute, directory: dirname(absolute), source, digest };
}

async function readSource(path: string, absolute: string): Promise<string> {
  try {
    const found = await stat(absolute);
    // A pipe that nobody writes to would be waited for without end, and a device may have none.
    if (!found.isFile() && !found.isDirectory()) {
      throw new LabwrightError('LW1001', {
        what: `the lab file ${path} could not be read`,
        where: { file: absolute },
        why: 'it is a pipe or a device, not a file',
        fix: ['write it to a file, and name that with --lab'],
      });
    }
    const { size } = found;
    // Not read whole: a wrong path may lead to a disk image.
    if (size > 4 * maxSourceLength) {
      throw new LabwrightError('LW1001', {
        what: `${path} has ${Math.ceil(size / 1024)} KiB; a lab file has at most ${maxSourceLength / 1024}`,
        where: { file: absolute },
        fix: ['name the lab file with --lab'],
      });
    }
    return await readFile(absolute, 'utf8');
  } catch (error) {
    if (error instanceof LabwrightError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new LabwrightError('LW1001', {
      what: `the lab file ${path} could not be read`,
      where: { file: absolute },
      why: readFailures[code ?? ''] ?? (error as Error).message,
      fix: [readFixes[code ?? ''] ?? `ls -l ${path}`],
      cause: error,
    });
  }
}

const readFixes: Readonly<Record<string, string>> = {
  ENOENT: 'write one (examples/home/lab.yaml is a start), or name it with --lab',
  ENOTDIR: 'name it with --lab',
  EISDIR: 'name the file in it with --lab',
};

const readFailures: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
};
