// Certificates for the fixture, made by the openssl program: an authority, servers of it, and logins.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

/** A key pair as files. */
export interface KeyFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

const openssl = async (...argv: readonly string[]): Promise<string> =>
  (await promisify(execFile)('openssl', argv)).stdout;

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makeAuthority(directory: string, name: string): Promise<KeyPair> {
  const files = filesOf(directory, name);
  const extensions = [
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign,digitalSignature',
  ];
  const output = ['-keyout', files.keyFile, '-out', files.certificateFile];
  await openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, ...extensions, ...output);
  return await readKeyPair(files);
}

export type CertificateUse =
  /** Names and addresses that a server answers at; peers of etcd also are clients of each other. */
  | { readonly kind: 'server'; readonly names: readonly string[] }
  /** Groups as Kubernetes has them: "system:masters". */
  | { readonly kind: 'client'; readonly user: string; readonly groups?: readonly string[] };

/** Writes NAME.crt and NAME.key into the directory. */
export async function issueCertificate(
  directory: string,
  name: string,
  authority: KeyPair,
  use: CertificateUse,
): Promise<KeyFiles> {
  const files = filesOf(directory, name);
  const [caFile, caKeyFile, request, extensions] = ['ca.crt', 'ca.key', 'csr', 'ext'].map((end) =>
    join(directory, `${name}.${end}`),
  ) as [string, string, string, string];
  const names =
    use.kind === 'server' ? use.names.map((each) => `${isIP(each) === 0 ? 'DNS' : 'IP'}:${each}`).join(',') : '';
  const subject =
    use.kind === 'server'
      ? `/CN=${name}`
      : `${(use.groups ?? []).map((group) => `/O=${group}`).join('')}/CN=${use.user}`;
  await Promise.all([
    writeFile(caFile, authority.certificate),
    writeFile(caKeyFile, authority.key, { mode: 0o600 }),
    writeFile(
      extensions,
      use.kind === 'server'
        ? `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`
        : 'extendedKeyUsage=clientAuth\n',
    ),
    openssl('req', '-new', ...newKey, '-subj', subject, '-keyout', files.keyFile, '-out', request),
  ]);
  const signer = ['-CA', caFile, '-CAkey', caKeyFile, '-set_serial', `0x${serial()}`];
  await openssl(
    'x509',
    '-req',
    '-in',
    request,
    ...signer,
    '-days',
    '2',
    '-extfile',
    extensions,
    '-out',
    files.certificateFile,
  );
  return files;
}

export async function readKeyPair(files: KeyFiles): Promise<KeyPair> {
  const [certificate, key] = await Promise.all([
    readFile(files.certificateFile, 'utf8'),
    readFile(files.keyFile, 'utf8'),
  ]);
  return { certificate, key };
}

/** An RSA pair without certificate, for service accounts: kube-controller-manager of 1.20 signs with RSA or ECDSA in PKCS#1 or SEC1. */
export async function makeServiceAccountKey(directory: string): Promise<{ publicFile: string; privateFile: string }> {
  const [publicFile, privateFile] = [join(directory, 'sa.pub'), join(directory, 'sa.key')];
  await openssl('genrsa', '-traditional', '-out', privateFile, '2048');
  await openssl('rsa', '-in', privateFile, '-pubout', '-out', publicFile);
  return { publicFile, privateFile };
}

function filesOf(directory: string, name: string): KeyFiles {
  return { certificateFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
}

let issued = 0;
/** Unique among certificates of one test process, which is all that a test's authority signs. */
function serial(): string {
  issued += 1;
  return (process.pid * 65_536 + issued).toString(16);
}
