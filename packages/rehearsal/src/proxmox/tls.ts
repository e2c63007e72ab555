// Certificates of the rehearsal: an authority of its own and one certificate a host. Their organisation says what they are, so
// that no client takes an emulated host for a real one.
import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissingFile } from './error.ts';

const rehearsalOrganisation = 'Labwright rehearsal';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const tenYearsMs = 10 * 365 * 24 * 3600 * 1000;

export interface CertifiedHost {
  readonly name: string;
  readonly address: string;
}

interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface RehearsalCertificates {
  readonly authorityFile: string;
  host(name: string): CertificateFiles;
}

interface RehearsalAuthority {
  readonly authorityFile: string;
  /** Makes the host's certificate, or keeps the one there is for this address. */
  ensureHost(host: CertifiedHost): Promise<CertificateFiles>;
}

/** Makes the authority in the directory, or takes up the one that is there. */
async function createRehearsalCa(directory: string): Promise<RehearsalAuthority> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [authorityFile, keyFile] = [join(directory, 'ca.pem'), join(directory, 'ca.key')];
  const authority = (await readPair(authorityFile, keyFile)) ?? (await makeAuthority(authorityFile, keyFile));
  return {
    authorityFile,
    ensureHost: async (host) => {
      const files = {
        certificateFile: join(directory, `${host.name}.pem`),
        keyFile: join(directory, `${host.name}.key`),
      };
      const existing = await readPair(files.certificateFile, files.keyFile);
      const isKept =
        existing !== undefined &&
        coversAddress(existing.certificate, host.address) &&
        existing.certificate.issuer === authority.certificate.subject;
      if (!isKept) await makeHost(host, authority, files);
      return files;
    },
  };
}

/** The authority and a certificate for each host, made where absent. */
export async function ensureCertificates(
  directory: string,
  hosts: readonly CertifiedHost[],
): Promise<RehearsalCertificates> {
  const authority = await createRehearsalCa(directory);
  const files = new Map<string, CertificateFiles>();
  for (const host of hosts) files.set(host.name, await authority.ensureHost(host));
  return {
    authorityFile: authority.authorityFile,
    host: (name) => {
      const found = files.get(name);
      if (found === undefined) throw new RangeError(`no certificate was made for host "${name}"`);
      return found;
    },
  };
}

interface Pair {
  readonly certificate: X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

async function makeAuthority(certificateFile: string, keyFile: string): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: makeSerial(),
      name: `CN=Rehearsal authority ${randomBytes(4).toString('hex')},O=${rehearsalOrganisation}`,
      notBefore: new Date(new Date().getTime() - 3600_000),
      notAfter: new Date(new Date().getTime() + tenYearsMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  await writePair(certificate, keys.privateKey, { certificateFile, keyFile });
  return { certificate, privateKey: keys.privateKey };
}

async function makeHost(host: CertifiedHost, authority: Pair, files: CertificateFiles): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: makeSerial(),
      subject: `CN=${host.name},OU=PVE Cluster Node,O=${rehearsalOrganisation}`,
      issuer: authority.certificate.subject,
      notBefore: new Date(new Date().getTime() - 3600_000),
      notAfter: new Date(new Date().getTime() + tenYearsMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: authority.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([
          { type: 'dns', value: host.name },
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: host.address },
          { type: 'ip', value: '127.0.0.1' },
        ]),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await AuthorityKeyIdentifierExtension.create(authority.certificate, false, webcrypto),
      ],
    },
    webcrypto,
  );
  await writePair(certificate, keys.privateKey, files);
}

async function writePair(
  certificate: X509Certificate,
  key: webcrypto.CryptoKey,
  files: CertificateFiles,
): Promise<void> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key);
  await writeFile(files.keyFile, `${PemConverter.encode(bytes, 'PRIVATE KEY')}\n`, { mode: 0o600 });
  await writeFile(files.certificateFile, `${certificate.toString('pem')}\n`);
}

async function readPair(certificateFile: string, keyFile: string): Promise<Pair | undefined> {
  try {
    const [certificate, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
    const [bytes] = PemConverter.decode(key);
    if (bytes === undefined) return undefined;
    const privateKey = await webcrypto.subtle.importKey('pkcs8', bytes, algorithm, true, ['sign']);
    return { certificate: new X509Certificate(certificate), privateKey };
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}

function coversAddress(certificate: X509Certificate, address: string): boolean {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  return names.some(({ value }) => value === address);
}

function makeSerial(): string {
  return `01${randomBytes(8).toString('hex')}`;
}

/** SHA-256 of a PEM certificate as "AB:CD:...", the way Proxmox shows it. */
export async function getFingerprint(pem: string): Promise<string> {
  const digest = await webcrypto.subtle.digest('SHA-256', new X509Certificate(pem).rawData);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(':');
}
