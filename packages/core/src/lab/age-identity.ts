// The age identity that opens a lab's encrypted files: a file the lab file names, or a systemd credential.
import { access } from 'node:fs/promises';
import { LabwrightError } from '../errors/error.ts';
import type { Clock } from '../ports/clock.ts';
import { Secret } from '../ports/secret.ts';
import { makeAgeIdentity } from './age.ts';
import { readPrivateFile } from './private-file.ts';
import { writeNewFile } from './new-file.ts';

export type AgeIdentitySource =
  | {
      readonly kind: 'file';
      /** Absolute. */
      readonly path: string;
      /** Whether it may be made when it is missing: never for a systemd credential. */
      readonly isMadeWhenMissing: boolean;
    }
  /** The lab file names none, and systemd gives none. */
  | { readonly kind: 'none' };

const maxBytes = 64 * 1024;

/**
 * The identities of the file. Throws LW1003 when there is no source, or the file is missing or open to others. A missing one
 * is made only where `encrypted`, the files it would have to open, are all missing too: next to one of those, a missing
 * identity is a lost or unmounted one, and a new one would hide that.
 */
export async function readOrMakeAgeIdentity(
  source: AgeIdentitySource,
  encrypted: readonly string[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Secret> {
  const path = await assertAgeIdentity(source, encrypted);
  if (source.kind === 'file' && source.isMadeWhenMissing && !(await exists(path))) {
    await writeNewFile(path, (await makeAgeIdentity(clock.now())).reveal());
  }
  const bytes = await readPrivateFile(
    { path, what: 'the identity that opens the encrypted files could not be read', where: { identity: path } },
    maxBytes,
    signal,
  );
  return new Secret(Buffer.from(bytes).toString('utf8'));
}

/** The path of an identity that is there or may be made. Throws LW1003 as readOrMakeAgeIdentity does; makes and reads nothing. */
export async function assertAgeIdentity(source: AgeIdentitySource, encrypted: readonly string[]): Promise<string> {
  if (source.kind === 'none') throw noIdentity();
  const { path, isMadeWhenMissing } = source;
  if (!isMadeWhenMissing || (await exists(path))) return path;
  const opened = await findExisting(encrypted);
  if (opened !== undefined) throw lostIdentity(path, opened);
  return path;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function findExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

function noIdentity(): LabwrightError {
  return new LabwrightError('LW1003', {
    what: 'there is no identity that the keys of the cluster could be encrypted for',
    where: { 'lab file': 'secrets.identityFile' },
    why: 'the lab file names none, and there is no systemd credential labwright-age',
    fix: [
      'secrets: { identityFile: ~/.config/labwright/identity }   it is made there; keep a copy of it elsewhere',
      'or LoadCredential=labwright-age:PATH in the systemd unit, with a file that age-keygen made',
    ],
  });
}

function lostIdentity(path: string, encrypted: string): LabwrightError {
  return new LabwrightError('LW1003', {
    what: `the identity that opens ${encrypted} is missing`,
    where: { identity: path, file: encrypted },
    why: 'there is no such file; a new identity could not open what was encrypted for the old one',
    fix: [`put the identity back from your copy: ${path}`],
  });
}
