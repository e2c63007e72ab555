// Fetches a secret that the lab file names: from the environment, a file only you can read, or the encrypted file beside it.
import { resolve } from 'node:path';
import { LabwrightError } from '../errors/error.ts';
import { Secret } from '../ports/secret.ts';
import { readPrivateFile, type PrivateFile } from './private-file.ts';
import type { EncryptedSecrets } from './encrypted-secrets.ts';
import type { SecretRef } from './lab-values.ts';

export interface SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Relative files start here: the folder of the lab file. */
  readonly directory: string;
  /** Opened by readEncryptedSecrets when the lab file names a secret by {age: KEY}. */
  readonly encrypted?: EncryptedSecrets;
}

/** A secret is a line; a larger file is the wrong file. */
const maxSecretBytes = 64 * 1024;

/** Throws LW1003. `path` is where the lab file names it: "proxmox.token". The value never appears in an error. */
export async function readSecret(
  reference: SecretRef,
  path: string,
  sources: SecretSources,
  signal: AbortSignal,
): Promise<Secret> {
  if (reference.env !== undefined) return secretFromEnvironment(reference.env, path, sources.environment);
  if (reference.file !== undefined) return secretFromFile(reference.file, path, sources.directory, signal);
  return secretFromEncrypted(reference.age ?? '', path, sources);
}

function secretFromEnvironment(name: string, path: string, environment: SecretSources['environment']): Secret {
  const value = environment[name];
  if (value !== undefined && value.trim() !== '') return new Secret(value.trim());
  throw new LabwrightError('LW1003', {
    what: `the secret ${path} is not there`,
    where: { 'lab file': `${path}: {env: ${name}}` },
    why: `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}`,
    fix: [`read -rs ${name} && export ${name}`],
  });
}

async function secretFromFile(file: string, path: string, directory: string, signal: AbortSignal): Promise<Secret> {
  const absolute = resolve(directory, file);
  const source: PrivateFile = {
    path: absolute,
    what: `the secret ${path} could not be read`,
    where: { 'lab file': `${path}: {file: ${file}}`, file: absolute },
  };
  const value = Buffer.from(await readPrivateFile(source, maxSecretBytes, signal))
    .toString('utf8')
    .trim();
  if (value !== '') return new Secret(value);
  throw new LabwrightError('LW1003', {
    what: source.what,
    where: source.where,
    why: 'the file is empty',
    fix: [`write the secret into ${absolute}`],
  });
}

function secretFromEncrypted(key: string, path: string, { encrypted }: SecretSources): Secret {
  const where = { 'lab file': `${path}: {age: ${key}}` };
  const secret = encrypted?.get(key);
  if (secret !== undefined) return secret;
  throw new LabwrightError('LW1003', {
    what: `the secret ${path} is not there`,
    where,
    ...(encrypted === undefined
      ? { why: 'the encrypted secrets file was not opened', fix: ['name the secret by {env: NAME} or {file: PATH}'] }
      : { why: `the encrypted secrets file has no key "${key}"`, fix: [`add ${key} to the encrypted file`] }),
  });
}
