// The certificate of the router's pages: self-signed as pfSense's own is, and its organisation says that this is a rehearsal, so that no
// client takes it for a real router.
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import type { RouterFiles, RouterPlan } from './router-plan.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 3600 * 1000;
/** pfSense's default: what browsers still take. */
const validDays = 398;

/** Made when it is not there: a client that pinned it finds the same one after a reboot. */
export async function ensureCertificate(plan: RouterPlan, files: RouterFiles): Promise<void> {
  if (await isThere(files.certificate)) return;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const now = new Date().getTime();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `01${randomBytes(8).toString('hex')}`,
      name: [{ CN: [`pfSense-${randomBytes(6).toString('hex')}`] }, { OU: [plan.lab] }, { O: ['Labwright rehearsal'] }],
      notBefore: new Date(now - 3600_000),
      notAfter: new Date(now + validDays * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([
          { type: 'dns', value: `${plan.hostname}.${plan.domain}` },
          { type: 'dns', value: plan.hostname },
          ...[plan.lan.address, ...plan.aliases].map((value) => ({ type: 'ip' as const, value })),
        ]),
      ],
    },
    webcrypto,
  );
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  await writeFile(files.key, `${key}\n`, { mode: 0o600 });
  await writeFile(files.certificate, `${certificate.toString('pem')}\n`);
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false; // The first start.
  }
}
