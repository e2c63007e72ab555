import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armor, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decryptAge } from './age.ts';
import { readEncryptedSecrets } from './encrypted-secrets.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'labwright-age-'))));
afterEach(async () => await rm(directory, { recursive: true }));

async function write(ciphertext: string | Uint8Array, identity: string) {
  const files = { file: join(directory, 'secrets.age'), identityFile: join(directory, 'identity') };
  await writeFile(files.file, ciphertext);
  await writeFile(files.identityFile, `# made by age-keygen\n${identity}\n`);
  await chmod(files.identityFile, 0o600);
  return files;
}

async function encrypt(text: string, identity: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  return await encrypter.encrypt(text);
}

test.each(['binary', 'armored'])('a %s file opens with its identity', async (form) => {
  const identity = await generateIdentity();
  const ciphertext = await encrypt('proxmox: labwright@pve!cli=0000\n', identity);
  const files = await write(form === 'armored' ? armor.encode(ciphertext) : ciphertext, identity);
  const secrets = await readEncryptedSecrets(files, decryptAge, new AbortController().signal);
  expect(secrets.get('proxmox')?.reveal()).toBe('labwright@pve!cli=0000');
});

test('another identity is refused by name of the file, without a word of what is in it', async () => {
  const files = await write(await encrypt('proxmox: hidden\n', await generateIdentity()), await generateIdentity());
  const refused = readEncryptedSecrets(files, decryptAge, new AbortController().signal);
  await expect(refused).rejects.toMatchObject({ code: 'LW1003', where: { file: files.file } });
  await expect(refused).rejects.not.toThrow(/hidden/);
});
