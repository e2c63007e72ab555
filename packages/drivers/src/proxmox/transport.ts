// HTTP to one Proxmox host: timeouts, keep-alive shorter than the peer's, and what is known when no answer came.
import { LabwrightError } from '@labwright/core/errors/error';
import { type Dispatcher, Pool } from 'undici';
import type { RawAnswer } from './answer.ts';
import type { WireCall } from './call.ts';
import { ConnectFailure, type HostAddress, type Identification, identifyingConnector, NoTls } from './tls-pin.ts';

export type Exchange = ({ readonly kind: 'answer' } & RawAnswer) | Silence;

export interface Silence {
  readonly kind: 'silence';
  /** False when it is certain that nothing of the request left this computer. */
  readonly sent: boolean;
  readonly reason: string;
  /** Somebody answered, and not in TLS. */
  readonly isNoTls?: true;
}

export interface HostTransport {
  readonly host: HostAddress;
  /** Throws LW2007 for a wrong certificate and the signal's reason when aborted; everything else is an Exchange. */
  send(call: WireCall, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Exchange>;
  close(): Promise<void>;
}

/** pveproxy closes an idle connection after 5 s, and any after 100 requests. Ours ends first, so it is not met in closing. */
const keepAliveMs = 4_000;
const requestsPerConnection = 90;
/** pveproxy has three workers that answer one call at a time each; more connections would only queue there. */
const connectionsPerHost = 3;
const longestAnswerBytes = 32 * 1024 * 1024;

export function openTransport(
  host: HostAddress,
  identification: Identification,
  timeouts: { readonly answerMs: number },
): HostTransport {
  const origin = `https://${host.address.includes(':') ? `[${host.address}]` : host.address}:${host.port}`;
  const common: Pool.Options = {
    connect: identifyingConnector(host, identification),
    allowH2: false,
    headersTimeout: timeouts.answerMs,
    bodyTimeout: timeouts.answerMs,
    maxResponseSize: longestAnswerBytes,
  };
  const reading = new Pool(origin, {
    ...common,
    connections: connectionsPerHost,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    maxRequestsPerClient: requestsPerConnection,
  });
  // A write gets a connection of its own: on one kept alive, a reset would leave open whether the write was carried out.
  const writing = new Pool(origin, { ...common, pipelining: 0 });

  return {
    host,
    async send(call, headers, signal) {
      const pool = call.method === 'GET' ? reading : writing;
      const form = call.form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
      const request: Dispatcher.RequestOptions = {
        method: call.method,
        path: call.path,
        headers: { accept: 'application/json', 'user-agent': 'labwright', ...form, ...headers },
        body: call.form ?? null,
        signal,
      };
      try {
        const response = await pool.request(request);
        const body = await response.body.text();
        const { statusCode: status, statusText } = response;
        const { location } = response.headers;
        const redirect = typeof location === 'string' ? { location } : {};
        return { kind: 'answer', status, statusText, body, ...redirect };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LabwrightError) throw error;
        return describeSilence(error);
      }
    },
    async close() {
      await Promise.all([reading.close(), writing.close()]);
    },
  };
}

function describeSilence(error: unknown): Exchange {
  if (error instanceof NoTls) return { kind: 'silence', sent: false, reason: error.message, isNoTls: true };
  if (error instanceof ConnectFailure) return { kind: 'silence', sent: false, reason: error.message };
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: 'silence', sent: true, reason: `the connection broke before the answer was complete: ${reason}` };
}
