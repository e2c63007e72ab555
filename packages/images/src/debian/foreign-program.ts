// Programs of an unpacked Debian root: run here through their own loader, or taken along with their libraries.
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ArchiveEntry } from '../cpio.ts';
import { runOrFail } from '../program.ts';

const loader = '/lib64/ld-linux-x86-64.so.2';
const libraryFolders = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'];

/** What the program wrote to standard output. LW4002 when it failed. */
export async function runFromRoot(
  root: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Uint8Array> {
  return await runOrFail(
    {
      program: join(root, loader),
      args: [...loaderArguments(root), join(root, program), ...args],
      // mtools looks for DOS character sets beside its C library.
      environment: { GCONV_PATH: join(root, '/usr/lib/x86_64-linux-gnu/gconv') },
      signal,
      install: 'clear the image cache: the unpacked packages there are not complete',
    },
    `${program} failed while the Debian image was being built`,
  );
}

/**
 * The programs and every library they load, each at its path in the root, links resolved. Programs may be static or scripts, or
 * libraries (".so") that others open by name.
 */
export async function readProgramsWithLibraries(
  root: string,
  programs: readonly string[],
  signal: AbortSignal,
): Promise<readonly ArchiveEntry[]> {
  const paths = new Set<string>();
  for (const program of programs) {
    paths.add(program);
    for (const library of await listLibraries(root, program, signal)) paths.add(library);
  }
  return await Promise.all([...paths].sort().map(async (path) => await readEntry(root, path)));
}

export async function readEntry(root: string, path: string, as: string = path): Promise<ArchiveEntry> {
  try {
    const content = await readFile(await realpath(join(root, path)));
    const mode =
      content.subarray(0, 4).toString('latin1') === '\u007fELF' || content.subarray(0, 2).toString('latin1') === '#!'
        ? 0o755
        : 0o644;
    return { kind: 'file', path: as.slice(1), mode, content };
  } catch (error) {
    throw new LabwrightError('LW4002', {
      what: `${path} is missing in the Debian root that the image is made from`,
      where: { root },
      fix: ['clear the image cache and run the command again'],
      cause: error,
    });
  }
}

async function listLibraries(root: string, program: string, signal: AbortSignal): Promise<readonly string[]> {
  // A library never names an interpreter, a static program does not either.
  if (!program.endsWith('.so') && !(await readFile(join(root, program))).includes(`${loader}\0`)) return [];
  const listed = await runOrFail(
    {
      program: join(root, loader),
      args: [...loaderArguments(root), '--list', join(root, program)],
      signal,
      install: 'clear the image cache',
    },
    `the libraries of ${program} could not be found`,
  );
  return parseLibraryList(Buffer.from(listed).toString('utf8'), root);
}

/** Paths inside the root from the loader's list ("libc.so.6 => /root/lib/libc.so.6 (0x...)"), and the loader itself. */
function parseLibraryList(listed: string, root: string): readonly string[] {
  const found = listed.split('\n').flatMap((line) => {
    const path = / => (\S+) \(0x/.exec(line)?.[1];
    return path !== undefined && path.startsWith(`${root}/`) ? [path.slice(root.length)] : [];
  });
  return [...new Set([loader, ...found])];
}

function loaderArguments(root: string): readonly string[] {
  return ['--library-path', libraryFolders.map((folder) => join(root, folder)).join(':')];
}
