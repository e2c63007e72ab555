// The age cipher (age-encryption.org/v1) behind the port of encrypted-secrets: binary and armored files.
import { armor, Decrypter } from 'age-encryption';
import type { Decrypt } from './encrypted-secrets.ts';

const armorHeader = '-----BEGIN AGE ENCRYPTED FILE-----';

export const decryptAge: Decrypt = async (ciphertext, identities) => {
  const decrypter = new Decrypter();
  for (const line of identities.reveal().split(/\r?\n/)) {
    const identity = line.trim();
    if (identity !== '' && !identity.startsWith('#')) decrypter.addIdentity(identity);
  }
  const head = Buffer.from(ciphertext.subarray(0, 256)).toString('latin1').trimStart();
  const binary = head.startsWith(armorHeader) ? armor.decode(Buffer.from(ciphertext).toString('utf8')) : ciphertext;
  return await decrypter.decrypt(binary);
};
