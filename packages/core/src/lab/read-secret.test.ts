import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readEncryptedSecrets, type Decrypt } from './encrypted-secrets.ts';
import { readSecret } from './read-secret.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'secrets-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

const { signal } = new AbortController();
const read = (reference: Parameters<typeof readSecret>[0], environment: Record<string, string> = {}) =>
  readSecret(reference, 'proxmox.token', { environment, directory }, signal);

async function writeSecret(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

describe('a secret from the environment', () => {
  test('is its value without the line end', async () => {
    const secret = await read({ env: 'TOKEN' }, { TOKEN: 'hunter2\n' });
    expect(secret.reveal()).toBe('hunter2');
  });

  test.each<[string, Record<string, string>]>([
    ['not set', {}],
    ['empty', { TOKEN: ' ' }],
  ])('that is %s is told so', async (state, environment) => {
    await expect(read({ env: 'TOKEN' }, environment)).rejects.toMatchObject({
      code: 'LW1003',
      why: `the environment variable TOKEN is ${state}`,
    });
  });
});

describe('a secret from a file', () => {
  test('is read relative to the lab file', async () => {
    await writeSecret('token', 'hunter2\n');
    expect((await read({ file: 'token' })).reveal()).toBe('hunter2');
  });

  test.each([0o640, 0o604, 0o660, 0o610])(
    'that others may use (%o) is refused with the command that closes it',
    async (mode) => {
      const path = await writeSecret('open', 'hunter2\n', mode);
      const error: unknown = await read({ file: 'open' }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'LW1003', fix: [`chmod 600 ${path}`] });
      expect(JSON.stringify(error)).not.toContain('hunter2');
    },
  );

  test('that is missing, empty, a folder or far too large is refused', async () => {
    await writeSecret('empty', '\n');
    await writeSecret('large', 'x'.repeat(100_000));
    for (const file of ['none', 'empty', '.', 'large']) {
      await expect(read({ file })).rejects.toMatchObject({ code: 'LW1003' });
    }
  });
});

describe('a secret from the encrypted file', () => {
  // The cipher is a port; here it is one of Node's instead of age.
  const keyOf = (identity: string): Buffer => createHash('sha256').update(identity).digest();
  const nonce = Buffer.alloc(12);
  const encrypt = (text: string, identity: string): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', keyOf(identity), nonce);
    return Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  };
  const decrypt: Decrypt = (ciphertext, identities) => {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(identities.reveal()), nonce);
    decipher.setAuthTag(ciphertext.slice(-16));
    return Promise.try(() => Buffer.concat([decipher.update(ciphertext.slice(0, -16)), decipher.final()]));
  };
  const openSecrets = async (text: string, identity = 'right', mode = 0o600) => {
    const file = join(directory, 'secrets.age');
    await writeFile(file, encrypt(text, 'right'));
    const identityFile = await writeSecret('identity', identity, mode);
    return readEncryptedSecrets({ file, identityFile }, decrypt, signal);
  };

  test.each(['proxmox: hunter2\npin: 0042\n', '{"proxmox": "hunter2", "pin": "0042"}'])('%j', async (text) => {
    const encrypted = await openSecrets(text);
    const secret = await readSecret(
      { age: 'proxmox' },
      'proxmox.token',
      { environment: {}, directory, encrypted },
      signal,
    );
    expect(secret.reveal()).toBe('hunter2');
    expect(encrypted.get('pin')?.reveal()).toBe('0042');
    await expect(
      readSecret({ age: 'none' }, 'proxmox.token', { environment: {}, directory, encrypted }, signal),
    ).rejects.toMatchObject({ code: 'LW1003', why: 'the encrypted secrets file has no key "none"' });
  });

  test('another identity does not open it, and one that others may read is refused', async () => {
    await expect(openSecrets('a: b', 'wrong')).rejects.toMatchObject({ code: 'LW1003' });
    await expect(openSecrets('a: b', 'right', 0o644)).rejects.toMatchObject({ code: 'LW1003' });
  });

  test.each(['hunter2', '- hunter2', 'a: {b: hunter2}', 'a: "hunter2'])(
    '%j is refused without being shown',
    async (text) => {
      const error: unknown = await openSecrets(text).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'LW1003' });
      expect(JSON.stringify(error)).not.toContain('hunter2');
    },
  );

  test('is refused when no file was opened', async () => {
    await expect(read({ age: 'proxmox' })).rejects.toMatchObject({ code: 'LW1003' });
  });
});
