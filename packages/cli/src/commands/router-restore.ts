// `router restore FILE`: shows what a backup would change on the router, asks, keeps what is there in a file, and restores it.
//
//   FILE ──read here──▶ compared where the lab is served ──shown──▶ agreed to ──▶ a backup of now beside FILE ──▶ written once
//
// What is agreed to carries the hash of the configuration that was shown: the router is not touched when it is another one by then.
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { RouterRestoreAnswer } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabClient } from '@labwright/daemon/api/client';
import type { CommandInput } from '../command.ts';
import { confirmByName } from '../confirm.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatRestore, formatRestored, restoreQuestion } from '../render/router-restore.ts';
import { assertManaged, backupName, routerAlone, writeBackup } from './router.ts';

/** As many bytes as a configuration is read of. */
const mostBytes = 32 * 1024 * 1024;

export async function routerRestore(program: Program, { words: [named = ''] }: CommandInput): Promise<ExitCode> {
  const file = resolve(program.directory, named);
  const text = await readBackupFile(file);
  return await withLab(program, { ...routerAlone, check: assertManaged }, async (session) => {
    const { client } = session;
    const { terminal, options, interrupt } = program;
    const seen = await client.routerRestore({ text }, interrupt);
    if (!options.json) terminal.out(formatRestore(seen, terminal.outStyle));
    if (seen.sections.length === 0) {
      if (options.json) print(program, seen, null);
      return exitCodes.done;
    }
    const loss = `the loss of what was changed on ${seen.router} since that backup`;
    await confirmByName(program, session, { question: restoreQuestion(seen), loss });
    const kept = join(dirname(file), backupName(program, seen.router));
    await keepPresent(client, seen, kept, interrupt);
    if (!options.json) terminal.err(`  What is on ${seen.router} now is kept in ${kept}\n`);
    const done = await client.routerRestore({ text, agreedTo: seen.hash }, interrupt);
    if (options.json) print(program, done, kept);
    else terminal.out(formatRestored(done, terminal.outStyle));
    return Object.keys(done.done?.failed ?? {}).length > 0 ? exitCodes.failed : exitCodes.done;
  });
}

/** Throws LW8007 when it is not what was shown. */
async function keepPresent(
  client: Pick<LabClient, 'routerBackup'>,
  { router, hash }: Pick<RouterRestoreAnswer, 'router' | 'hash'>,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const present = await client.routerBackup(signal);
  if (present.hash !== hash) {
    throw new LabwrightError('LW8007', {
      what: `the router ${router} was changed since the differences were shown; nothing was restored`,
      where: { router },
      fix: ['run the command again, and look at them anew'],
    });
  }
  await writeBackup(file, present.text);
}

function print({ terminal }: Program, answer: RouterRestoreAnswer, kept: string | null): void {
  const { hash: _, ...rest } = answer;
  terminal.out(`${JSON.stringify({ ...rest, kept }, undefined, 2)}\n`);
}

/** Throws LW0005 for one that cannot be read, and LW8012 for one that is too large or no text. */
export async function readBackupFile(path: string): Promise<string> {
  const bytes = await readBounded(path);
  if (bytes.length > mostBytes) throw noBackup(path, `it is larger than ${mostBytes / 1024 / 1024} MiB`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof TypeError) throw noBackup(path, 'it is no text in UTF-8, as pfSense writes it');
    throw cause;
  }
}

/** One byte more than may be, at most. */
async function readBounded(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, mostBytes) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === bytes.length) break;
    }
    return bytes.subarray(0, length);
  } catch (cause) {
    throw new LabwrightError('LW0005', {
      what: `${path} could not be read`,
      where: { file: path },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: ['name the file of a backup: labwright router restore FILE'],
      cause,
    });
  }
}

function noBackup(path: string, why: string): LabwrightError {
  return new LabwrightError('LW8012', {
    what: `${path} is no backup of a router; nothing was changed`,
    where: { file: path },
    why,
    fix: ['labwright router backup   makes files that can be restored'],
  });
}
