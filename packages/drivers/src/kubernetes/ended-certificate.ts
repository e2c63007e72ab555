// Whose certificate it is that has ended. The error of a handshake does not tell: of several faults of a certificate it names the
// last that was found, and that is its end, also where the certificate is of an authority that nobody here knows.
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect } from 'node:tls';
import type { ClusterLogin } from './connection.ts';

/**
 * Looks at the certificate that is shown at the endpoint: whether the cluster's own authority signed it, for the name that the
 * cluster has, whenever it ends. Only a handshake is made, without our login, in which whoever answers proves to have the key.
 * Throws when none comes about, and the signal's reason.
 */
export async function fetchIsOwnCertificate(
  { endpoint, ca }: Pick<ClusterLogin, 'endpoint' | 'ca'>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  signal.throwIfAborted();
  const socket = connect({
    host: endpoint.address,
    port: endpoint.port,
    servername: endpoint.serverName,
    minVersion: 'TLSv1.2',
    // Nothing is sent: what is shown is judged below.
    rejectUnauthorized: false,
  });
  const { promise: shaken, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => {
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  socket.setTimeout(timeoutMs, () => {
    reject(new Error(`no TLS connection within ${timeoutMs} ms`));
  });
  socket.once('secureConnect', resolve);
  // Stays on: what comes after the handshake is of no interest, and must have somebody to hear it.
  socket.on('error', reject);
  socket.once('close', () => {
    reject(new Error('the connection was closed during the TLS handshake'));
  });
  try {
    await shaken;
    const shown = socket.getPeerX509Certificate();
    return shown !== undefined && isSignedBy(shown, ca) && isNamed(shown, endpoint.serverName);
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function isSignedBy(shown: X509Certificate, ca: string): boolean {
  const authority = new X509Certificate(ca);
  return shown.checkIssued(authority) && shown.verify(authority.publicKey);
}

function isNamed(shown: X509Certificate, name: string): boolean {
  return checkServerIdentity(name, shown.toLegacyObject()) === undefined;
}
