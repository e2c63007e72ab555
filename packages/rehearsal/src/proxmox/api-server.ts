// The HTTPS server on port 8006: pveproxy's transport with its limits, headers and ways of saying no.
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { once } from 'node:events';
import { dispatch, identify } from './dispatch.ts';
import { ApiError, messageOf } from './error.ts';
import type { NodeContext } from './node-context.ts';
import { askPeer } from './peer-proxy.ts';
import { hasTooManyHeaders, parseParameters, readBody } from './request.ts';

const idleMs = 5_000;
const maxRequestsPerConnection = 100;
const compressAboveBytes = 1024;

export interface ApiServer {
  /** Opens the port, after a fault closed it too. */
  listen(): Promise<void>;
  /** Closes the port and every connection: what a host that is down looks like. */
  close(): Promise<void>;
}

export interface ApiServerOptions {
  readonly context: NodeContext;
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  /** Something the emulator did not expect, for its log. */
  readonly onFailure: (text: string) => void;
}

type Format = 'json' | 'extjs';

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly contentType?: string | undefined;
  readonly body: Buffer;
}

export function makeApiServer(options: ApiServerOptions): ApiServer {
  const { context } = options;
  let server: Server | undefined;
  const requests = new WeakMap<Socket, number>();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = context.clock.nowMs();
    const count = (requests.get(request.socket) ?? 0) + 1;
    requests.set(request.socket, count);
    if (hasTooManyHeaders(request)) {
      request.socket.destroy();
      return;
    }
    const answer = await answerRequest(request);
    if (answer.status === 401) {
      const waitedMs = context.clock.nowMs() - startedMs;
      await context.clock.sleep(Math.max(0, context.topology.unauthorizedDelayMs - waitedMs));
    }
    send(request, response, answer, count >= maxRequestsPerConnection);
  }

  async function answerRequest(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '/', headers } = request;
    if (!['GET', 'POST', 'PUT', 'DELETE'].includes(method)) return plain(501, `method '${method}' not available`);
    if (headers['transfer-encoding'] !== undefined)
      return plain(
        501,
        headers['transfer-encoding'] === 'chunked'
          ? 'chunked transfer encoding not supported'
          : `Unknown transfer encoding '${headers['transfer-encoding']}'`,
      );
    const [rawPath = '/', query = ''] = url.split(/\?(.*)/s);
    let path: string;
    try {
      path = decodeURIComponent(rawPath);
    } catch {
      return plain(400, 'bad request');
    }
    if (!path.startsWith('/api2/')) return plain(500, `no such file '${path}'`);
    const match = /^\/api2\/(json|extjs)(\/.*)?$/.exec(path);
    if (match === null) return plain(501, 'no such uri');
    const format = match[1] as Format;
    const apiPath = (match[2] ?? '/').replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');

    let caller;
    try {
      caller = await identify(context, method, apiPath, {
        cookie: headers.cookie,
        authorization: headers.authorization,
        csrfToken: typeof headers['csrfpreventiontoken'] === 'string' ? headers['csrfpreventiontoken'] : undefined,
      });
    } catch (error) {
      // A refused login has its text in the reason alone.
      if (error instanceof ApiError) return plain(error.status, messageOf(error));
      throw error;
    }
    let body: Buffer;
    try {
      body = await readBody(request);
    } catch (error) {
      if (error instanceof ApiError) return plain(error.status, messageOf(error));
      throw error;
    }
    const fault = context.faults.takeAnswer(`${method} ${apiPath}`);
    if (fault !== undefined && !fault.isCarriedOut) return plain(fault.status, fault.reason);
    try {
      const parameters = parseParameters(query, body, headers['content-type']);
      const result = await dispatch(context, { method, path: apiPath, parameters, caller });
      if (fault !== undefined) return plain(fault.status, fault.reason);
      if (result.kind === 'elsewhere')
        return await askPeer(context, options.authority, { node: result.node, method, url, headers, body });
      return formatData(format, result.data, result.total);
    } catch (error) {
      if (!(error instanceof ApiError))
        options.onFailure(
          `${method} ${apiPath}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      return formatError(format, error);
    }
  }

  return {
    listen: async () => {
      const opened = createServer(
        {
          cert: options.certificate,
          key: options.key,
          ALPNProtocols: ['http/1.1'],
          maxHeaderSize: 16 * 1024,
          keepAliveTimeout: idleMs,
          keepAliveTimeoutBuffer: 0,
        },
        (request, response) => {
          handle(request, response).catch((error: unknown) => {
            options.onFailure(messageOf(error));
            response.destroy();
          });
        },
      );
      // A client that speaks no TLS or no HTTP is none of ours.
      opened.on('tlsClientError', (_, socket) => socket.destroy());
      opened.on('clientError', (_, socket) => socket.destroy());
      opened.listen(context.host.port, context.host.address);
      await once(opened, 'listening');
      server = opened;
    },
    close: async () => {
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      const closed = once(closing, 'close');
      closing.close();
      closing.closeAllConnections();
      await closed;
    },
  };
}

function plain(status: number, reason: string): Answer {
  return { status, reason, body: Buffer.alloc(0) };
}

const json = 'application/json;charset=UTF-8';
const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function formatData(format: Format, data: unknown, total: number | undefined): Answer {
  const envelope = {
    data,
    ...(total === undefined || total === 0 ? {} : { total }),
    ...(format === 'extjs' ? { success: 1 } : {}),
  };
  return { status: 200, reason: 'OK', contentType: json, body: encode(envelope) };
}

function formatError(format: Format, error: unknown): Answer {
  const failure = error instanceof ApiError ? error : new ApiError(500, messageOf(error));
  const { status, message, parameters } = failure;
  const hasParameters = Object.keys(parameters).length > 0;
  // The proxy's own statuses come from no handler, so there is nothing to put into a body.
  if (status >= 595) return plain(status, messageOf(failure));
  const envelope = { data: null, message, ...(hasParameters ? { errors: parameters } : {}) };
  if (format === 'extjs')
    return { status: 200, reason: 'OK', contentType: json, body: encode({ ...envelope, success: 0, status }) };
  return { status, reason: messageOf(failure).split('\n')[0] ?? '', contentType: json, body: encode(envelope) };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer, isLast: boolean): void {
  const wantsClose = /close/i.test(request.headers.connection ?? '') || request.httpVersion === '1.0';
  const isClosing = isLast || wantsClose || answer.status >= 400;
  const isCompressed = answer.body.length > compressAboveBytes && /gzip/.test(request.headers['accept-encoding'] ?? '');
  const body = isCompressed ? gzipSync(answer.body) : answer.body;
  // A reason phrase is one line of Latin-1.
  const reason = answer.reason.replaceAll(/[^\t\x20-\x7e\xa0-\xff]+/g, ' ').trim();
  response.writeHead(answer.status, reason, {
    'Cache-Control': 'max-age=0',
    Connection: isClosing ? 'close' : 'Keep-Alive',
    'Content-Length': body.length,
    ...(answer.contentType === undefined ? {} : { 'Content-Type': answer.contentType }),
    ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
    Expires: new Date().toUTCString(),
    Pragma: 'no-cache',
    Server: 'pve-api-daemon/3.0',
  });
  response.end(body);
  // What was not read of a refused body must not be taken for the next request.
  if (isClosing) request.resume();
}
