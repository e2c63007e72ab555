// The rehearsal's certificates: an authority of its own, hosts that say what they are, and the same ones at the next start.
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureCertificates, getFingerprint } from './tls.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pve-tls-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const read = async (file: string): Promise<X509Certificate> => new X509Certificate(await readFile(file));

it('certifies hosts by address under one authority', async () => {
  const certificates = await ensureCertificates(directory, [{ name: 'pve1', address: '10.1.0.11' }]);
  const [authority, host] = [
    await read(certificates.authorityFile),
    await read(certificates.host('pve1').certificateFile),
  ];
  expect(host.verify(authority.publicKey)).toBe(true);
  expect(host.checkIP('10.1.0.11')).toBe('10.1.0.11');
  expect(host.subject).toContain('O=Labwright rehearsal');
  expect(authority.ca).toBe(true);
  expect(await getFingerprint(host.toString())).toBe(host.fingerprint256);
  expect((await stat(certificates.host('pve1').keyFile)).mode & 0o777).toBe(0o600);
});

it('keeps a certificate until the address changes', async () => {
  const fingerprint = async (address: string): Promise<string> => {
    const certificates = await ensureCertificates(directory, [{ name: 'pve1', address }]);
    return (await read(certificates.host('pve1').certificateFile)).fingerprint256;
  };
  const first = await fingerprint('10.1.0.11');
  expect(await fingerprint('10.1.0.11')).toBe(first);
  expect(await fingerprint('10.1.0.12')).not.toBe(first);
});
