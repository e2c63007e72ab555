// Certificates of the cluster: authorities, and what they sign. ECDSA P-256 throughout, because RSA keys take seconds to make
// where a machine is emulated; every Kubernetes since 1.20 takes it.
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
  type JsonName,
} from '@peculiar/x509';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  webcrypto,
  X509Certificate as NodeCertificate,
} from 'node:crypto';
import { Secret } from '@labwright/core/ports/secret';

/** A certificate and its private key, both PEM; the key in PKCS #8. */
export interface KeyAndCertificate {
  readonly certificate: string;
  readonly privateKey: Secret;
}

/** One that signs others. */
export type Authority = KeyAndCertificate;

export interface LeafSpec {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  /** Milliseconds since 1970 UTC. */
  readonly notAfter: number;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 3600_000;
const authorityDays = 3650;
/** A machine whose clock is behind must not take a new certificate for one of the future. */
const backdatedMs = 3600_000;

/** Makes an authority that signs itself, for ten years. */
export async function makeAuthority(commonName: string, now: number): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: makeSerial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + authorityDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: formatCertificate(certificate), privateKey: await exportKey(keys.privateKey) };
}

/** Makes a key and has the authority sign its certificate. It never outlives the authority. */
export async function issueLeaf(authority: Authority, spec: LeafSpec, now: number): Promise<KeyAndCertificate> {
  const issuer = new X509Certificate(authority.certificate);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const alternatives = [
    ...(spec.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(spec.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: makeSerial(),
    subject: subjectOf(spec),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(Math.max(now - backdatedMs, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(spec.notAfter, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.privateKey),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(spec.usages.map((usage) => usageIds[usage])),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(alternatives.length === 0 ? [] : [new SubjectAlternativeNameExtension(alternatives)]),
    ],
  });
  return { certificate: formatCertificate(certificate), privateKey: await exportKey(keys.privateKey) };
}

const usageIds = { client: ExtendedKeyUsage.clientAuth, server: ExtendedKeyUsage.serverAuth } as const;

/** An object, because names such as "home+rehearsal" mean something else in a name written as text (RFC 4514). */
function subjectOf({ organizations = [], commonName }: LeafSpec): JsonName {
  return [...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }];
}

/** A key pair alone, as service account tokens are signed with. */
export async function makeSigningKeys(): Promise<{ readonly publicKey: string; readonly privateKey: Secret }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const bytes = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  return { publicKey: `${PemConverter.encode(bytes, 'PUBLIC KEY')}\n`, privateKey: await exportKey(keys.privateKey) };
}

/** "sha256:…" of the public key (SubjectPublicKeyInfo), as kubeadm's caCertHashes has it. */
export function formatAuthorityPin(certificate: string): string {
  const key = new NodeCertificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** Milliseconds since 1970 UTC. */
export function getExpiry(certificate: string): number {
  return new NodeCertificate(certificate).validToDate.getTime();
}

/** Whether key and certificate belong together. */
export function isPair({ certificate, privateKey }: KeyAndCertificate): boolean {
  return new NodeCertificate(certificate).checkPrivateKey(createPrivateKey(privateKey.reveal()));
}

/** Whether the public half, as PEM, is of this private key. */
export function isKeyPair(publicKey: string, privateKey: Secret): boolean {
  return createPublicKey(publicKey).equals(createPublicKey(privateKey.reveal()));
}

function formatCertificate(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<Secret> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key);
  return new Secret(`${PemConverter.encode(bytes, 'PRIVATE KEY')}\n`);
}

async function importKey(key: Secret): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key.reveal()).export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, true, ['sign']);
}

/** Positive and never with a leading zero byte (RFC 5280 §4.1.2.2). */
function makeSerial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}
