// The web server of the router's pages, of which only xmlrpc.php is there: HTTPS as nginx gives it, a few PHP workers behind it, and
// login protection in front. No login is asked for: a client sends its own with every call.
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from './fault.ts';
import type { LoginProtection } from './login-protection.ts';
import type { Php } from './php-process.ts';
import { messageOf, RouterError } from './router-error.ts';
import { makeSlots, type Slots } from './slots.ts';

/** How php/www/xmlrpc.php ends after a login that it refused. */
const deniedExitCode = 10;
const maxBodyBytes = 200 * 1024 * 1024;
/** nginx's fastcgi_read_timeout on pfSense: the work goes on, the client is told 504. */
const upstreamTimeoutMs = 180_000;

export interface WebFrontOptions {
  /** One that the router does not have (any more) is left out. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly workers: number;
  readonly php: Php;
  readonly faults: Faults;
  readonly protection: LoginProtection;
  readonly log: (line: string) => void;
}

export interface WebFront {
  close(): Promise<void>;
}

export async function openWebFront(options: WebFrontOptions): Promise<WebFront> {
  const slots = makeSlots(options.workers);
  const connections = new Set<Socket>();
  const pages: TlsServer = createTlsServer(
    { cert: options.certificate, key: options.key, ALPNProtocols: ['http/1.1'], keepAliveTimeout: 75_000 },
    (request, response) => {
      answer(request, response, slots, options).catch((error: unknown) => {
        options.log(`xmlrpc.php: ${messageOf(error)}`);
        response.destroy();
      });
    },
  );
  // A client that speaks no TLS or no HTTP is none of ours.
  pages.on('tlsClientError', (_, socket) => socket.destroy());
  pages.on('clientError', (_, socket) => socket.destroy());
  const onConnection = (socket: Socket): void => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    // The packet filter drops what a blocked address sends: it waits for an answer that does not come.
    if (!options.protection.isBlocked(plainAddress(socket))) pages.emit('connection', socket);
  };
  const doors: Server[] = [];
  for (const address of options.addresses) {
    const door = createServer(onConnection);
    door.listen(options.port, address);
    try {
      await once(door, 'listening');
      doors.push(door);
    } catch (error) {
      options.log(`no pages on ${address}: ${messageOf(error)}`);
    }
  }
  if (doors.length === 0) throw new RouterError('the pages have no address', 'see the lines above');
  return {
    close: async () => {
      const closed = doors.map(async (door) => await once(door, 'close'));
      for (const door of doors) door.close();
      for (const socket of connections) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function plainAddress(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  slots: Slots,
  { php, faults, protection, log }: WebFrontOptions,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  const body = await readBody(request);
  if (path !== '/xmlrpc.php') {
    sendPlain(response, path === '/' ? 200 : 404);
    return;
  }
  if (body === undefined) {
    sendPlain(response, 413);
    return;
  }
  const slow = faults.take('slow');
  if (slow !== undefined) await delay(slow.seconds * 1000);
  const bad = faults.take('answer');
  const cut = faults.take('cut');
  const isDone = bad?.isCarriedOut !== false && cut?.isCarriedOut !== false;
  const address = plainAddress(request.socket);
  const call = { address, authorization: request.headers.authorization ?? '', body: body.toString('base64') };
  const work = isDone ? slots.run(async () => await php.answer(JSON.stringify(call))) : undefined;
  const giveUp = new AbortController();
  const result = await Promise.race([
    work,
    delay(upstreamTimeoutMs, 'late' as const, { signal: giveUp.signal, ref: false }).catch(() => 'late' as const),
  ]);
  giveUp.abort();
  if (typeof result === 'object' && result.exitCode === deniedExitCode) protection.addFailure(address);
  if (cut !== undefined) {
    request.socket.destroy();
    return;
  }
  if (bad !== undefined || result === undefined) {
    sendPlain(response, bad?.status ?? 500);
    return;
  }
  if (result === 'late') {
    sendPlain(response, 504);
    return;
  }
  if (![0, deniedExitCode].includes(result.exitCode)) {
    log(`xmlrpc.php ended with exit code ${result.exitCode}; see php.log`);
    sendPlain(response, 500);
    return;
  }
  response.writeHead(200, {
    Server: 'nginx',
    'Content-Type': 'text/xml; charset=utf-8',
    'Content-Length': result.output.length,
  });
  response.end(result.output);
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

const reasons: Readonly<Record<number, string>> = {
  200: 'pfSense - Login (emulated by Labwright)',
  404: '404 Not Found',
  413: '413 Request Entity Too Large',
  500: '500 Internal Server Error',
  502: '502 Bad Gateway',
  504: '504 Gateway Time-out',
};

function sendPlain(response: ServerResponse, status: number): void {
  const text = `<html><head><title>${reasons[status] ?? status}</title></head></html>\n`;
  response.writeHead(status, { Server: 'nginx', 'Content-Type': 'text/html', 'Content-Length': text.length });
  response.end(text);
}
