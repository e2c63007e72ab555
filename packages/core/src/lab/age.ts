// The age cipher (age-encryption.org/v1) behind the ports of encrypted files: binary and armored ones are read; what lies
// beside the lab file is written armored, because it goes where that goes.
import { armor, Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { Secret } from '../ports/secret.ts';
import type { Decrypt } from './encrypted-secrets.ts';

const armorHeader = '-----BEGIN AGE ENCRYPTED FILE-----';

export const decryptAge: Decrypt = async (ciphertext, identities) => {
  const decrypter = new Decrypter();
  for (const identity of listIdentities(identities)) decrypter.addIdentity(identity);
  const head = Buffer.from(ciphertext.subarray(0, 256)).toString('latin1').trimStart();
  const binary = head.startsWith(armorHeader) ? armor.decode(Buffer.from(ciphertext).toString('utf8')) : ciphertext;
  return await decrypter.decrypt(binary);
};

/** Armored; every one of the identities opens it. */
export async function encryptAge(plain: Secret, identities: Secret): Promise<string> {
  const encrypter = new Encrypter();
  for (const identity of listIdentities(identities)) encrypter.addRecipient(await identityToRecipient(identity));
  return armor.encode(await encrypter.encrypt(plain.reveal()));
}

/** Binary, for what is large; every one of the identities opens it. */
export async function encryptAgeBytes(plain: Uint8Array, identities: Secret): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const identity of listIdentities(identities)) encrypter.addRecipient(await identityToRecipient(identity));
  return await encrypter.encrypt(plain);
}

/** The text of a new identity file, as age-keygen writes it. */
export async function makeAgeIdentity(now: number): Promise<Secret> {
  const identity = await generateIdentity();
  const created = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  return new Secret(`# created: ${created}\n# public key: ${await identityToRecipient(identity)}\n${identity}\n`);
}

function listIdentities(identities: Secret): readonly string[] {
  const lines = identities.reveal().split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}
