// The age-encrypted file of secrets beside the lab file: one map, key to secret, in YAML or JSON.
import { isMap, isScalar, parseDocument } from 'yaml';
import { LabwrightError } from '../errors/error.ts';
import { Secret } from '../ports/secret.ts';
import { readPrivateFile } from './private-file.ts';
import { readFile } from 'node:fs/promises';

/** Secrets by key, decrypted in memory only. */
export interface EncryptedSecrets {
  /** Undefined when the file has no such key. */
  get(key: string): Secret | undefined;
}

/**
 * The cipher, as a port: takes the file and the text of an age identity file (lines AGE-SECRET-KEY-1…, comments with #),
 * and rejects when no identity opens it. Binary and armored files both.
 */
export type Decrypt = (ciphertext: Uint8Array, identities: Secret) => Promise<Uint8Array>;

export interface EncryptedSecretsFiles {
  /** Absolute. */
  readonly file: string;
  /** Absolute; mode 0600, or a systemd credential. */
  readonly identityFile: string;
}

const maxFileBytes = 1024 * 1024;

/** Throws LW1003. */
export async function readEncryptedSecrets(
  { file, identityFile }: EncryptedSecretsFiles,
  decrypt: Decrypt,
  signal: AbortSignal,
): Promise<EncryptedSecrets> {
  const where = { file, identity: identityFile };
  const identity = await readPrivateFile(
    { path: identityFile, what: 'the identity that opens the secrets file could not be read', where },
    maxFileBytes,
    signal,
  );
  let plain: Uint8Array;
  try {
    plain = await decrypt(await readFile(file, { signal }), new Secret(Buffer.from(identity).toString('utf8')));
  } catch (error) {
    if (signal.aborted) throw error;
    throw new LabwrightError('LW1003', {
      what: 'the encrypted secrets file could not be opened',
      where,
      why: error instanceof Error ? error.message : String(error),
      fix: [`check by hand: age --decrypt --identity ${identityFile} ${file} > /dev/null`],
      cause: error,
    });
  }
  return parseSecrets(Buffer.from(plain).toString('utf8'), file);
}

/** JSON is YAML too. A mistake is told by line only: the text is secret. */
function parseSecrets(text: string, file: string): EncryptedSecrets {
  const document = parseDocument(text, { stringKeys: true, prettyErrors: false, logLevel: 'silent' });
  const refuse = (why: string): LabwrightError =>
    new LabwrightError('LW1003', {
      what: 'the encrypted secrets file does not hold a map of secrets',
      where: { file },
      why,
      fix: ['write one line a secret: proxmox: THE-SECRET'],
    });
  const [error] = document.errors;
  if (error !== undefined) throw refuse(`line ${text.slice(0, error.pos[0]).split('\n').length} is not YAML or JSON`);
  if (!isMap(document.contents)) throw refuse('it is not a map');
  const secrets = new Map<string, Secret>();
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '';
    // The source keeps a PIN such as 0042 as it was written.
    const secret = isScalar(value) ? (typeof value.value === 'string' ? value.value : value.source) : undefined;
    if (secret === undefined || secret === '') throw refuse(`the value of "${name}" is not text`);
    secrets.set(name, new Secret(secret));
  }
  return { get: (key) => secrets.get(key) };
}
