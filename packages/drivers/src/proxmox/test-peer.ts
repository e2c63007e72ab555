// For tests: an HTTPS server on loopback that answers bytes as a test says. It knows nothing of Proxmox.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type Server, createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { type ConnectOptions, type ProxmoxConnection, connectProxmox } from './connection.ts';
import type { FingerprintStore } from './tls-pin.ts';

export interface Certificate {
  readonly key: string;
  readonly pem: string;
}

/** Made by the openssl program, which has to be installed. */
export async function makeCertificate(organisation: string): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'certificate-'));
  try {
    const [keyFile, pemFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const subject = `/O=${organisation}/CN=pve1`;
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const names = ['-subj', subject, '-addext', 'subjectAltName=IP:127.0.0.1'];
    await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...names, '-keyout', keyFile, '-out', pemFile]);
    return { key: await readFile(keyFile, 'utf8'), pem: await readFile(pemFile, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

export interface PeerRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Counts the TCP connections from 1. */
  readonly connection: number;
}

export type PeerAnswer =
  | { readonly status?: number; readonly reason?: string; readonly location?: string; readonly body: unknown }
  /** Closes the connection without a word. */
  | 'hang up';

export interface TestPeer {
  readonly port: number;
  readonly requests: readonly PeerRequest[];
  readonly connections: () => number;
  close(): Promise<void>;
}

export async function openPeer(
  certificate: Certificate,
  answer: (request: PeerRequest) => PeerAnswer,
): Promise<TestPeer> {
  const requests: PeerRequest[] = [];
  const numbers = new Map<Socket, number>();
  const server: Server = createServer({ key: certificate.key, cert: certificate.pem, keepAliveTimeout: 60_000 });
  server.on('secureConnection', (socket: Socket) => numbers.set(socket, numbers.size + 1));
  server.on('request', (incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => (body += text));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'https://peer');
      const request: PeerRequest = {
        method: incoming.method ?? '',
        path: decodeURIComponent(url.pathname),
        query: url.searchParams,
        form: new URLSearchParams(body),
        headers: incoming.headers,
        connection: numbers.get(incoming.socket) ?? 0,
      };
      requests.push(request);
      const given = answer(request);
      if (given === 'hang up') {
        incoming.socket.destroy();
        return;
      }
      const text = typeof given.body === 'string' ? given.body : JSON.stringify(given.body);
      const headers = given.location === undefined ? {} : { location: given.location };
      const type = { 'content-type': 'application/json' };
      outgoing.writeHead(given.status ?? 200, given.reason ?? 'OK', { ...type, ...headers }).end(text);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    connections: () => numbers.size,
    async close() {
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    },
  };
}

export function memoryFingerprints(
  known: Record<string, string> = {},
): FingerprintStore & { known: Record<string, string> } {
  return {
    known,
    get: (host) => Promise.resolve(known[host]),
    set: (host, fingerprint) => {
      known[host] = fingerprint;
      return Promise.resolve();
    },
  };
}

/** A clock on which every sleep is over at once and moves the time on. */
export function makeClock(): Clock & { readonly slept: readonly number[]; advance(ms: number): void } {
  let time = 1_700_000_000_000;
  const slept: number[] = [];
  return {
    slept,
    advance: (ms) => (time += ms),
    now: () => time,
    monotonic: () => time,
    sleep: (ms, signal) => {
      signal.throwIfAborted();
      slept.push(ms);
      time += ms;
      return Promise.resolve();
    },
  };
}

export function connectTo(ports: readonly number[], changes: Partial<ConnectOptions> = {}): ProxmoxConnection {
  return connectProxmox({
    hosts: ports.map((port, index) => ({ name: `pve${index + 1}`, address: '127.0.0.1', port })),
    credentials: { kind: 'token', id: 'labwright@pve!cli', secret: new Secret('a-token-secret') },
    tls: { kind: 'pinned', fingerprints: memoryFingerprints() },
    expect: 'hardware',
    clock: makeClock(),
    log: silentLog,
    ...changes,
  });
}
