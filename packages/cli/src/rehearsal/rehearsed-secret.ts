// Secrets in a rehearsal: a value of its own for each reference of the lab file, the same one for everybody who asks. The real
// ones are not needed, so that a lab can be rehearsed where they are not, and none of them ends up in an emulated device.
import { createHmac } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretRef } from '@labwright/core/lab/lab-values';
import { randomHex, type Random } from '@labwright/core/ports/random';
import { Secret } from '@labwright/core/ports/secret';

const seedFile = (stateDirectory: string): string => join(stateDirectory, 'secret-seed');

export async function writeSecretSeed(stateDirectory: string, random: Random): Promise<void> {
  await writeFile(seedFile(stateDirectory), randomHex(random, 32), { mode: 0o600 });
}

/** 32 hex digits: `{env: DB_PASSWORD}` has the same at the database and in the cluster. */
export async function readRehearsedSecret(stateDirectory: string, reference: SecretRef): Promise<Secret> {
  const { env, file, age } = reference;
  const seed = await readFile(seedFile(stateDirectory), 'utf8');
  return new Secret(createHmac('sha256', seed).update(JSON.stringify({ env, file, age })).digest('hex').slice(0, 32));
}
