// Labwright's own SSH key: made once, kept in a file that only its owner can read.
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import ssh2 from 'ssh2';
import { type KeyPair, generateEd25519 } from './key-format.ts';

/** Private half in OpenSSH's own format, unencrypted; public half as a line of authorized_keys. */
export type SshIdentity = KeyPair;

const comment = 'labwright';

/** A new Ed25519 key. */
export function generateSshKey(): SshIdentity {
  return generateEd25519(comment);
}

/** The public half of a private key; undefined when the text is not an unencrypted private key. */
export function parseSshIdentity(text: string): SshIdentity | undefined {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error || !key.isPrivateKey()) return undefined;
  const publicKey = `${key.type} ${key.getPublicSSH().toString('base64')} ${key.comment || comment}`;
  return { privateKey: new Secret(text), publicKey };
}

/**
 * The key of this file, made (with its folder) when there is none. Two processes at once end up with the same key.
 * Throws LW0005 when the file cannot be read or written, holds something else, or others may read it.
 */
export async function readOrCreateSshIdentity(path: string): Promise<SshIdentity> {
  try {
    return (await readIdentity(path)) ?? (await createIdentity(path));
  } catch (error) {
    if (error instanceof LabwrightError) throw error;
    throw new LabwrightError('LW0005', {
      what: `the SSH key ${path} could not be read or made`,
      where: { file: path },
      why: error instanceof Error ? error.message : String(error),
      fix: [`give the user that runs Labwright its folder: ls -ld ${dirname(path)}`],
      cause: error,
    });
  }
}

async function readIdentity(path: string): Promise<SshIdentity | undefined> {
  let mode: number;
  try {
    ({ mode } = await stat(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if ((mode & 0o077) !== 0) {
    throw new LabwrightError('LW0005', {
      what: `the SSH key ${path} can be read by others`,
      where: { file: path },
      why: `its mode is ${(mode & 0o777).toString(8)}; whoever reads it is root on every machine of the lab`,
      fix: [`chmod 600 ${path}`, 'if others may have read it: remove it, and labwright machine rebuild each machine'],
    });
  }
  const identity = parseSshIdentity(await readFile(path, 'utf8'));
  if (identity !== undefined) return identity;
  throw new LabwrightError('LW0005', {
    what: `${path} is not an SSH private key without a passphrase`,
    where: { file: path },
    fix: [`see what it is: ssh-keygen -y -f ${path}`, 'move it away, and Labwright makes a new key'],
  });
}

/** Written beside, then linked into place: the name never stands for half a key, and the first of two writers wins. */
async function createIdentity(path: string): Promise<SshIdentity> {
  const identity = generateSshKey();
  await ensureFolder(dirname(path), { mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(identity.privateKey.reveal());
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    return identity;
  } catch (error) {
    const first = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await readIdentity(path) : undefined;
    if (first === undefined) throw error;
    return first;
  } finally {
    await rm(draft, { force: true });
  }
}
