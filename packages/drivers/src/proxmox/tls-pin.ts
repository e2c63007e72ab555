// Whom we talk to: the TLS handshake is judged before the first byte of a request, so before any credential, is sent.
import { isIP } from 'node:net';
import { type PeerCertificate, type TLSSocket, connect } from 'node:tls';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import type { buildConnector } from 'undici';
import { keyedQueue } from '@labwright/core/engine/keyed-queue';

/** Remembers the certificate of each host between runs. Values are SHA-256 fingerprints as Proxmox prints them (AA:BB:…). */
export interface FingerprintStore {
  get(host: string): Promise<string | undefined>;
  set(host: string, fingerprint: string): Promise<void>;
}

export type TlsPolicy =
  /** Trust on first contact, then only the very same certificate. */
  { readonly kind: 'pinned'; readonly fingerprints: FingerprintStore } | { readonly kind: 'ca'; readonly pem: string };

/** Which of the two worlds this connection is for; a certificate of the other one is refused. */
export type Expectation = 'rehearsal' | 'hardware';

export interface HostAddress {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface Identification {
  readonly tls: TlsPolicy;
  readonly expect: Expectation;
  readonly connectTimeoutMs: number;
  readonly log: Log;
}

/** The organisation that every certificate of a rehearsal names. */
const rehearsalOrganisation = 'Labwright rehearsal';

/** No connection came about, so nothing of the request was sent: any other host may be asked instead. */
export class ConnectFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConnectFailure';
  }
}

/** Somebody answers there, and it is not Proxmox: its API is never without TLS. */
export class NoTls extends ConnectFailure {
  constructor(port: number, cause: unknown) {
    super(`what answers at port ${port} does not speak TLS, so it is not Proxmox's API`, cause);
    this.name = 'NoTls';
  }
}

/** undici's way to a socket: connect, shake hands, judge the certificate, and only then hand the socket over. */
export function identifyingConnector(host: HostAddress, identification: Identification): buildConnector.connector {
  // One judgement at a time: of two first contacts only one may set the pin, the other is compared with it.
  const judgements = keyedQueue();
  const never = new AbortController().signal;
  const judge = (certificate: PeerCertificate): Promise<void> =>
    judgements.run([host.name], never, () => judgeCertificate(certificate, host, identification));
  return (_options, callback) => {
    openIdentified(host, identification, judge).then(
      (socket) => {
        callback(null, socket);
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : new ConnectFailure(String(error)), null);
      },
    );
  };
}

async function openIdentified(
  host: HostAddress,
  { tls, connectTimeoutMs }: Identification,
  judge: (certificate: PeerCertificate) => Promise<void>,
): Promise<TLSSocket> {
  const socket = connect({
    host: host.address,
    port: host.port,
    servername: isIP(host.address) === 0 ? host.address : '',
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // A pinned certificate is Proxmox's own (signed by a CA on the host itself), so it is judged by its fingerprint below.
    ...(tls.kind === 'ca' ? { ca: tls.pem } : { rejectUnauthorized: false }),
  });
  try {
    await handshake(socket, host, connectTimeoutMs);
    await judge(socket.getPeerCertificate());
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function handshake(socket: TLSSocket, host: HostAddress, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onTimeout = (): void => {
    reject(new ConnectFailure(`no TLS connection within ${timeoutMs} ms`));
  };
  const onError = (error: NodeJS.ErrnoException): void => {
    if (isCertificateProblem(error)) reject(untrusted(host, error));
    else if (isNoTls(error)) reject(new NoTls(host.port, error));
    else reject(new ConnectFailure(error.message || String(error.code), error));
  };
  const onClose = (): void => {
    reject(new ConnectFailure('the connection was closed during the TLS handshake'));
  };
  socket.setTimeout(timeoutMs, onTimeout);
  socket.once('secureConnect', resolve).once('error', onError).once('close', onClose);
  try {
    await promise;
  } finally {
    socket.setTimeout(0);
    socket.off('timeout', onTimeout).off('secureConnect', resolve).off('close', onClose).off('error', onError);
    // Between here and undici's own listeners an error has nobody else to hear it; the next use of the socket reports it.
    socket.once('error', () => undefined);
  }
}

/** The codes OpenSSL and Node give for a chain or a name that does not fit. */
function isCertificateProblem(error: NodeJS.ErrnoException): boolean {
  return /CERT|SIGNATURE|ISSUER|ALTNAME|CRL|INVALID_CA|PURPOSE/.test(error.code ?? '');
}

/** What OpenSSL says to bytes that are no record of TLS, as an HTTP or SSH server sends them. */
function isNoTls({ code }: NodeJS.ErrnoException): boolean {
  return /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTPS?_(PROXY_)?REQUEST)$/.test(
    code ?? '',
  );
}

async function judgeCertificate(certificate: PeerCertificate, host: HostAddress, of: Identification): Promise<void> {
  const organisations = [certificate.subject?.O, certificate.issuer?.O].flat();
  const world: Expectation = organisations.includes(rehearsalOrganisation) ? 'rehearsal' : 'hardware';
  if (world !== of.expect) throw wrongWorld(host, world);
  if (of.tls.kind === 'ca') return;

  const seen = certificate.fingerprint256;
  const known = await of.tls.fingerprints.get(host.name);
  if (known === undefined) {
    await of.tls.fingerprints.set(host.name, seen);
    of.log.info('certificate of a Proxmox host trusted on first contact', { host: host.name, fingerprint: seen });
    return;
  }
  if (normalFingerprint(known) !== normalFingerprint(seen)) throw wrongPin(host, known, seen);
}

const normalFingerprint = (text: string): string => text.replaceAll(':', '').toUpperCase();
const placeOf = (host: HostAddress): Record<string, string> => ({
  host: host.name,
  address: `${host.address}:${host.port}`,
});

function wrongWorld(host: HostAddress, world: Expectation): LabwrightError {
  return world === 'rehearsal'
    ? new LabwrightError('LW2007', {
        what: `host ${host.name} belongs to a rehearsal, but this command is for hardware`,
        where: placeOf(host),
        why: `its certificate names the organisation "${rehearsalOrganisation}"; nothing was sent to it`,
        fix: ['run the command without --real', `or set the address of ${host.name} in the lab file to the real host`],
      })
    : new LabwrightError('LW2007', {
        what: `host ${host.name} is not part of the rehearsal, but this command is for the rehearsal`,
        where: placeOf(host),
        why: `its certificate does not name the organisation "${rehearsalOrganisation}"; nothing was sent to it`,
        fix: ['stop the rehearsal (labwright rehearse stop) and start it again', 'or add --real to mean hardware'],
      });
}

function wrongPin(host: HostAddress, known: string, seen: string): LabwrightError {
  return new LabwrightError('LW2007', {
    what: `host ${host.name} shows another certificate than at the first contact, so nothing was sent to it`,
    where: { ...placeOf(host), known, seen },
    why: 'its certificate was renewed or the host was installed again, or another computer answers on its address',
    fix: [
      `compare on the host: openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pveproxy-ssl.pem (or pve-ssl.pem)`,
      `if it is the one seen here: labwright doctor --trust ${host.name}`,
    ],
  });
}

function untrusted(host: HostAddress, error: NodeJS.ErrnoException): LabwrightError {
  return new LabwrightError('LW2007', {
    what: `the certificate of host ${host.name} is not signed by the lab file's CA for this address`,
    where: placeOf(host),
    why: `${error.message} (${error.code ?? 'no code'}); nothing was sent to it`,
    fix: [
      'set proxmox.tls.ca to the CA that signed it: /etc/pve/pve-root-ca.pem on a host, unless it has a certificate of its own',
      'or set proxmox.tls: pinned to trust the certificate of the first contact',
    ],
    cause: error,
  });
}
