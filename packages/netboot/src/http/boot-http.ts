// The HTTP side of netboot: script, kernel, initramfs, root file system, Ignition, progress and the phone call home.
//
//   GET, HEAD  /b/TOKEN/{boot.ipxe,autoexec.ipxe,kernel,initrd,rootfs,ignition.json} and boot loaders
//   GET, HEAD  /labwright.{pxe,efi,ipxe}   in 'router' mode; see static-files.ts
//   POST       /b/TOKEN/progress   text: STAGE DETAIL
//   POST       /phone-home         signed by the header labwright-signature
//   GET, HEAD  /v2/..., /kubernetes/...   see artifacts.ts
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { finished } from 'node:stream/promises';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type {
  BootArtifacts,
  BootImages,
  BootNetwork,
  IgnitionAnswer,
  PhoneHomeAnswer,
  BootMachine,
} from '../boot-network.ts';
import { isImageFileName, parseBootPath, redactPath, scriptNames, type ImageFileName } from '../boot-routes.ts';
import { renderIpxeScript } from '../ipxe/script.ts';
import type { BootSession } from '../session/boot-session.ts';
import type { BootSessions } from '../session/boot-sessions.ts';
import type { Refusals } from '../session/refusals.ts';
import { listenError } from '../sockets/listen-error.ts';
import { isIpxeAgent, type FindStaticFile, type StaticFile } from '../static/static-files.ts';
import { answerArtifact, parseArtifactPath } from './artifacts.ts';
import { parseProgress } from './progress-report.ts';
import { replyBytes, replyFile, replyNotReady, replyNothing, replyText, type Exchange } from './reply.ts';
import { readBody } from './request-body.ts';

const signatureHeader = 'labwright-signature';

export interface BootHttpOptions {
  readonly network: BootNetwork;
  readonly sessions: BootSessions;
  readonly images: BootImages;
  readonly artifacts?: BootArtifacts;
  readonly loaders: ReadonlyMap<string, Uint8Array>;
  readonly findStatic: FindStaticFile;
  readonly renderIgnition: (
    machine: BootMachine,
    acceptHeader: string | undefined,
  ) => IgnitionAnswer | Promise<IgnitionAnswer>;
  readonly phoneHome: (body: Uint8Array, signature: string, peer: string) => Promise<PhoneHomeAnswer>;
  readonly onReady: (machine: string, peer: string) => void;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BootHttp {
  readonly port: number;
  /** Lets running transfers end for a while, then cuts them. */
  close(): Promise<void>;
}

const largestProgressBytes = 4 * 1024;
const largestPhoneHomeBytes = 64 * 1024;
const drainMs = 5_000;
/** iPXE gives up on a server that is silent for long; an image that is not there by then gets a 503. */
const imagePatienceMs = 3_000;

export async function startBootHttp(options: BootHttpOptions): Promise<BootHttp> {
  const { network, log, clock } = options;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const handled = handle(options, { request, response, signal: stopping.signal });
    const settled = handled.finally(() => running.delete(settled));
    running.add(settled);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 15_000;
  server.maxConnections = 512;
  // A reader that takes nothing for this long is gone.
  server.setTimeout(60_000);
  await listen(server, network.address, network.httpPort);
  return { port: portOf(server), close };

  async function handle(handlers: BootHttpOptions, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      await answer(handlers, exchange);
      // Until the last byte is with the kernel, closing the server would cut it.
      await finished(response, { readable: false });
    } catch (error) {
      const fields = { peer: peerOf(request), path: redactPath(request.url ?? ''), error: String(error) };
      if (response.headersSent) {
        // The client went away, or the file failed under us: a cut connection is all that can be said now.
        log.debug('an HTTP transfer broke off', fields);
        response.destroy();
        return;
      }
      log.error('an HTTP request failed on our side', fields);
      replyNotReady(exchange, 'something failed here; try again');
    }
  }

  async function close(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    const waiting = new AbortController();
    const waited = clock.sleep(drainMs, waiting.signal).catch(() => undefined);
    await Promise.race([Promise.all(running), waited]);
    waiting.abort();
    stopping.abort();
    await Promise.all(running);
    server.closeAllConnections();
    await closed;
  }
}

async function answer(options: BootHttpOptions, exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const path = (request.url ?? '').replace(/\?.*$/s, '');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (request.method === 'POST' && /^\/+phone-home$/.test(path)) return takePhoneCall(options, exchange);
  const artifact = options.artifacts === undefined ? undefined : parseArtifactPath(path);
  if (options.artifacts !== undefined && artifact !== undefined) {
    if (!isRead) return refuse(options, exchange, 405, `${request.method ?? 'nothing'} is not for ${redactPath(path)}`);
    return await answerArtifact(options.artifacts, exchange, artifact, parseNamespace(request.url ?? ''));
  }
  const route = parseBootPath(path);
  if (route === undefined && isRead) {
    const seemsIpxe = isIpxeAgent(request.headers['user-agent']);
    const file = await options.findStatic(path, { address: peerOf(request), seemsIpxe });
    if (file !== undefined) return replyStatic(options, exchange, file);
  }
  if (route === undefined) return refuse(options, exchange, 404, `there is no ${redactPath(path)}`);
  const redeemed = options.sessions.redeem(route.token, peerOf(request));
  if (redeemed.kind === 'refused') return refuse(options, exchange, 403, redeemed.reason);
  const { session } = redeemed;
  if (request.method === 'POST' && route.name === 'progress') return takeProgress(options, exchange, session);
  if (!isRead) return refuse(options, exchange, 405, `${request.method ?? 'nothing'} is not for ${route.name}`);
  const first = parseFirstByte(request);
  // A HEAD or a resumed transfer is not the moment the stage begins.
  if (request.method === 'GET' && first === 0) options.sessions.see(session, { type: 'requested', name: route.name });
  if (scriptNames.has(route.name)) {
    const script = renderIpxeScript(session.machine, options.network, session.token);
    return replyBytes(exchange, 200, 'text/plain; charset=utf-8', new TextEncoder().encode(script));
  }
  if (isImageFileName(route.name)) return sendImageFile(options, exchange, session, route.name);
  if (route.name === 'ignition.json') return sendIgnition(options, exchange, session);
  const loader = options.loaders.get(route.name);
  if (loader !== undefined) return replyBytes(exchange, 200, 'application/efi', loader);
  refuse(options, exchange, 404, `${session.machine.name} asked for ${route.name}, which does not exist`);
}

function replyStatic(options: BootHttpOptions, exchange: Exchange, file: StaticFile): void {
  if (file.kind === 'refused') return refuse(options, exchange, 403, file.reason);
  const isGet = exchange.request.method === 'GET';
  if (file.kind === 'script') {
    if (isGet && file.boots) options.sessions.see(file.session, { type: 'requested', name: 'boot.ipxe' });
    return replyBytes(exchange, 200, 'text/plain; charset=utf-8', new TextEncoder().encode(file.text));
  }
  if (isGet) options.sessions.see(file.session, { type: 'loader-requested', file: file.loader });
  replyBytes(exchange, 200, 'application/efi', file.content);
  if (isGet) options.sessions.see(file.session, { type: 'loader-sent', file: file.loader });
}

async function sendImageFile(
  options: BootHttpOptions,
  exchange: Exchange,
  session: BootSession,
  name: ImageFileName,
): Promise<void> {
  const image = await imageInTime(options, session.machine.image);
  if (image === undefined) return replyNotReady(exchange, `image ${session.machine.image} is not ready yet`);
  const { path, size } = image[name];
  const onSent = (sentBytes: number): void =>
    options.sessions.see(session, { type: 'transferring', name, sentBytes, sizeBytes: size });
  if ((await replyFile(exchange, { path, size, onSent })) === 'sent') return;
  options.log.error('an image file is not as long as it should be', { image: session.machine.image, file: name, size });
  replyNotReady(exchange, `image ${session.machine.image} is not ready yet`);
}

async function imageInTime(options: BootHttpOptions, name: string): ReturnType<BootImages['get']> {
  const waiting = new AbortController();
  const waited = options.clock.sleep(imagePatienceMs, waiting.signal).catch(() => undefined);
  try {
    return await Promise.race([options.images.get(name), waited.then(() => undefined)]);
  } catch (error) {
    options.log.error('an image could not be provided', { image: name, error: String(error) });
    return undefined;
  } finally {
    waiting.abort();
  }
}

async function sendIgnition(options: BootHttpOptions, exchange: Exchange, session: BootSession): Promise<void> {
  const { status, contentType, body } = await options.renderIgnition(session.machine, exchange.request.headers.accept);
  replyBytes(exchange, status, contentType, new TextEncoder().encode(body));
}

async function takeProgress(options: BootHttpOptions, exchange: Exchange, session: BootSession): Promise<void> {
  const body = await readBody(exchange.request, largestProgressBytes);
  if (body === undefined) return refuse(options, exchange, 413, 'the progress report is too long');
  const report = parseProgress(new TextDecoder().decode(body));
  if (report === undefined) {
    return refuse(options, exchange, 400, `${session.machine.name} sent a progress report that says nothing`);
  }
  options.sessions.see(session, { type: 'progress', ...report });
  replyNothing(exchange, 204);
}

async function takePhoneCall(options: BootHttpOptions, exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const signature = request.headers[signatureHeader];
  if (typeof signature !== 'string' || signature === '') {
    return refuse(options, exchange, 401, 'a phone call without a signature');
  }
  const body = await readBody(request, largestPhoneHomeBytes);
  if (body === undefined) return refuse(options, exchange, 413, 'a phone call that is too long');
  const peer = peerOf(request);
  const { status, machine, reason } = await options.phoneHome(body, signature, peer);
  if (status !== 204) return refuse(options, exchange, status, `a phone call was refused: ${reason ?? 'no reason'}`);
  if (machine !== undefined) options.onReady(machine, peer);
  replyNothing(exchange, 204);
}

function refuse(options: BootHttpOptions, exchange: Exchange, status: number, reason: string): void {
  options.refusals.refuse('http', peerOf(exchange.request), reason);
  // What was not read of a body must not be taken for the next request.
  if (!exchange.request.complete) exchange.response.setHeader('connection', 'close');
  replyText(exchange, status, 'refused');
}

/** The registry that containerd asks us instead of. */
function parseNamespace(url: string): string | undefined {
  return new URLSearchParams(/\?(.*)$/s.exec(url)?.[1] ?? '').get('ns') ?? undefined;
}

function parseFirstByte(request: IncomingMessage): number {
  return Number(/^bytes=(\d{1,15})-/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

function peerOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? 'unknown';
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  try {
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (error) {
    throw await listenError({ protocol: 'tcp', address, port, purpose: 'the HTTP boot server' }, error);
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
