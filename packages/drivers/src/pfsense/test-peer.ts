// For tests: an HTTPS server on loopback that takes XML-RPC calls as pfSense's web server does. It shares nothing with the client.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { type ConnectPfsenseOptions, type PfsenseConnection, connectPfsense } from './connection.ts';
import type { RouterPins } from './tls-pin.ts';

export interface Certificate {
  readonly key: string;
  readonly pem: string;
}

/** Made by the openssl program, which has to be installed. */
export async function makeRouterCertificate(
  organisation = 'pfSense webConfigurator Self-Signed Certificate',
): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'certificate-'));
  try {
    const [keyFile, pemFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      ...kind,
      '-subj',
      `/O=${organisation}/CN=gateway`,
      '-keyout',
      keyFile,
      '-out',
      pemFile,
    ]);
    return { key: await readFile(keyFile, 'utf8'), pem: await readFile(pemFile, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

export interface PeerCall {
  readonly method: string;
  /** The text of each string parameter. */
  readonly strings: readonly string[];
  readonly authorization: string;
  readonly body: string;
}

export type PeerAnswer = { readonly status?: number; readonly body: string } | 'hang up' | 'silence';

export interface RouterPeer {
  readonly port: number;
  readonly calls: readonly PeerCall[];
  /** The most calls that were ever under way at one time. */
  readonly busiest: () => number;
  close(): Promise<void>;
}

export async function openRouterPeer(
  certificate: Certificate,
  answer: (call: PeerCall) => PeerAnswer | Promise<PeerAnswer>,
): Promise<RouterPeer> {
  const calls: PeerCall[] = [];
  let [underWay, busiest] = [0, 0];
  const server = createServer({ key: certificate.key, cert: certificate.pem }, (incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => (body += text));
    incoming.on('end', () => {
      const call: PeerCall = {
        method: /<methodName>([^<]*)</.exec(body)?.[1] ?? '',
        strings: [...body.matchAll(/<string>([^<]*)<\/string>/g)].map(([, text = '']) => plainText(text)),
        authorization: incoming.headers.authorization ?? '',
        body,
      };
      calls.push(call);
      underWay += 1;
      busiest = Math.max(busiest, underWay);
      Promise.resolve(answer(call)).then(
        (given) => {
          underWay -= 1;
          if (given === 'hang up') incoming.socket.destroy();
          else if (given !== 'silence')
            outgoing.writeHead(given.status ?? 200, { 'content-type': 'text/xml; charset=utf-8' }).end(given.body);
        },
        (error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    busiest: () => busiest,
    async close() {
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    },
  };
}

const plainText = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#039;', "'")
    .replaceAll('&amp;', '&');
const marked = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const envelope = (inner: string): string =>
  `<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>${inner}</methodResponse>`;

/** As exec_php answers: a struct with the snippet's text. */
export function snippetReply(answer: object): PeerAnswer {
  const member = `<member><name>r</name><value><string>${marked(JSON.stringify(answer))}</string></value></member>`;
  return { body: envelope(`<params><param><value><struct>${member}</struct></value></param></params>`) };
}

export function valueReply(value: string): PeerAnswer {
  return { body: envelope(`<params><param><value>${value}</value></param></params>`) };
}

/** Faults come with status 200. */
export function faultReply(code: number, message: string): PeerAnswer {
  const members = `<member><name>faultCode</name><value><int>${code}</int></value></member><member><name>faultString</name><value><string>${marked(message)}</string></value></member>`;
  return { body: envelope(`<fault><value><struct>${members}</struct></value></fault>`) };
}

export function memoryPins(
  known: Record<string, string> = {},
): RouterPins & { readonly known: Record<string, string> } {
  return {
    known,
    get: (router) => Promise.resolve(known[router]),
    set: (router, fingerprint) => {
      known[router] = fingerprint;
      return Promise.resolve();
    },
  };
}

export function connectTo(port: number, changes: Partial<ConnectPfsenseOptions> = {}): PfsenseConnection {
  return connectPfsense({
    router: { name: 'gateway', address: '127.0.0.1', port },
    user: 'labwright',
    password: new Secret('a & <secret>'),
    pins: memoryPins(),
    expect: 'hardware',
    log: silentLog,
    ...changes,
  });
}
