// Whom we talk to: the certificate of the router is judged before the first byte of a request, so before the password, is sent.
import { isIP } from 'node:net';
import { type PeerCertificate, type TLSSocket, connect } from 'node:tls';
import { keyedQueue } from '@labwright/core/engine/keyed-queue';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import type { buildConnector } from 'undici';

/** Remembers the certificate of the router between runs, as SHA-256 with colons (AA:BB:…). */
export interface RouterPins {
  get(router: string): Promise<string | undefined>;
  set(router: string, fingerprint: string): Promise<void>;
}

export interface RouterAddress {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface RouterIdentification {
  readonly pins: RouterPins;
  /** Which of the two worlds this connection is for; a certificate of the other one is refused. */
  readonly expect: 'rehearsal' | 'hardware';
  readonly connectTimeoutMs: number;
  readonly log: Log;
}

/** The organisation that every certificate of a rehearsal names. */
const rehearsalOrganisation = 'Labwright rehearsal';

/** No connection came about, so nothing of the request was sent. */
export class RouterConnectFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RouterConnectFailure';
  }
}

/** undici's way to a socket: connect, shake hands, judge the certificate, and only then hand the socket over. */
export function routerConnector(router: RouterAddress, identification: RouterIdentification): buildConnector.connector {
  // One judgement at a time: of two first contacts only one may set the pin, the other is compared with it.
  const judgements = keyedQueue();
  const never = new AbortController().signal;
  return (_options, callback) => {
    openSocket(router, identification.connectTimeoutMs)
      .then(async (socket) => {
        try {
          await judgements.run([router.name], never, () => judge(socket.getPeerCertificate(), router, identification));
          return socket;
        } catch (error) {
          socket.destroy();
          throw error;
        }
      })
      .then(
        (socket) => {
          callback(null, socket);
        },
        (error: unknown) => {
          callback(error instanceof Error ? error : new RouterConnectFailure(String(error)), null);
        },
      );
  };
}

async function openSocket(router: RouterAddress, timeoutMs: number): Promise<TLSSocket> {
  const socket = connect({
    host: router.address,
    port: router.port,
    servername: isIP(router.address) === 0 ? router.address : '',
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // pfSense signs its own certificate, so it is judged by its fingerprint.
    rejectUnauthorized: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onTimeout = (): void => {
    reject(new RouterConnectFailure(`no TLS connection within ${timeoutMs} ms`));
  };
  const onError = (error: NodeJS.ErrnoException): void => {
    reject(new RouterConnectFailure(error.message || String(error.code), error));
  };
  const onClose = (): void => {
    reject(new RouterConnectFailure('the connection was closed during the TLS handshake'));
  };
  socket.setTimeout(timeoutMs, onTimeout);
  socket.once('secureConnect', resolve).once('error', onError).once('close', onClose);
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.setTimeout(0);
    socket.off('timeout', onTimeout).off('secureConnect', resolve).off('close', onClose).off('error', onError);
    // Between here and undici's own listeners an error has nobody else to hear it; the next use of the socket reports it.
    socket.once('error', () => undefined);
  }
}

async function judge(certificate: PeerCertificate, router: RouterAddress, of: RouterIdentification): Promise<void> {
  const organisations = [certificate.subject?.O, certificate.issuer?.O].flat();
  const world = organisations.includes(rehearsalOrganisation) ? 'rehearsal' : 'hardware';
  const where = { router: router.name, address: `${router.address}:${router.port}` };
  if (world !== of.expect) {
    throw new LabwrightError('LW8003', {
      what: `the router ${router.name} ${world === 'rehearsal' ? 'belongs to a rehearsal' : 'is not part of the rehearsal'}, and this command is for ${of.expect === 'rehearsal' ? 'the rehearsal' : 'hardware'}`,
      where,
      why: `its certificate ${world === 'rehearsal' ? 'names' : 'does not name'} the organisation "${rehearsalOrganisation}"; nothing was sent to it`,
      fix: [
        'run the command in the other world (--real means hardware)',
        'or correct router.address and router.port in the lab file',
      ],
    });
  }
  const seen = certificate.fingerprint256;
  const known = await of.pins.get(router.name);
  if (known === undefined) {
    await of.pins.set(router.name, seen);
    of.log.info('certificate of the router trusted on first contact', { router: router.name, fingerprint: seen });
    return;
  }
  if (plain(known) === plain(seen)) return;
  throw new LabwrightError('LW8003', {
    what: `the router ${router.name} shows another certificate than at the first contact, so nothing was sent to it`,
    where: { ...where, known, seen },
    why: 'its certificate was renewed or it was installed again, or another computer answers on its address',
    fix: [
      'compare on the router: System > Certificates, the one that System > Advanced > SSL/TLS Certificate names',
      `if it is the one seen here: labwright doctor --trust ${router.name}`,
    ],
  });
}

const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toUpperCase();
