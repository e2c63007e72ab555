// HTTP to one API server endpoint: certificates both ways, time limits, and what is known when no answer came.
import { isIP } from 'node:net';
import { LabwrightError } from '@labwright/core/errors/error';
import { type Dispatcher, Pool } from 'undici';
import type { ClusterLogin } from './connection.ts';
import { fetchIsOwnCertificate } from './ended-certificate.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
}

export type Exchange =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      /** From the header Retry-After, in seconds there. */
      readonly retryAfterMs?: number;
    }
  /** `sent` is false when it is certain that nothing of the request left this computer. */
  | {
      readonly kind: 'silence';
      readonly sent: boolean;
      readonly reason: string;
      /** What ends the silence, where that is known. */
      readonly fix?: string;
    };

export interface ApiTransport {
  /**
   * Throws LW6003 for a wrong certificate and the signal's reason when aborted; everything else is an Exchange, also a certificate
   * of the cluster's own that has ended.
   */
  send(request: ApiRequest, signal: AbortSignal): Promise<Exchange>;
  /**
   * An answer of many lines that come over time. What is not a 200 is read to its end and given as an Exchange. The lines
   * throw when nothing came for `silenceMs`, and when the connection breaks.
   */
  stream(path: string, silenceMs: number, signal: AbortSignal): Promise<AsyncIterable<string> | Exchange>;
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

export interface FinishingTransport extends ApiTransport {
  /** Takes no more requests; resolves when those under way, streams included, have ended. */
  finish(): Promise<void>;
}

const longestAnswerBytes = 256 * 1024 * 1024;
const longestLineCharacters = 32 * 1024 * 1024;
const connections = 8;

export function openTransport(
  login: ClusterLogin,
  timeouts: { readonly connectMs: number; readonly answerMs: number },
): FinishingTransport {
  const { address, port, serverName } = login.endpoint;
  const origin = `https://${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  const common: Pool.Options = {
    allowH2: false,
    headersTimeout: timeouts.answerMs,
    bodyTimeout: timeouts.answerMs,
    connect: {
      ca: login.ca,
      cert: login.certificate,
      key: login.privateKey.reveal(),
      // Also what the certificate is compared with.
      servername: serverName,
      timeout: timeouts.connectMs,
      minVersion: 'TLSv1.2',
    },
  };
  const calls = new Pool(origin, { ...common, connections, maxResponseSize: longestAnswerBytes });
  // A watch keeps its connection for itself.
  const streams = new Pool(origin, { ...common, pipelining: 1 });

  const ask = async (
    pool: Pool,
    request: ApiRequest,
    signal: AbortSignal,
    bodyTimeout: number,
  ): Promise<Dispatcher.ResponseData> =>
    await pool.request({
      method: request.method,
      path: request.path,
      headers: {
        accept: 'application/json',
        'user-agent': 'labwright',
        ...(request.body === undefined ? {} : { 'content-type': request.body.type }),
      },
      body: request.body?.text ?? null,
      bodyTimeout,
      signal,
    });

  return {
    async send(request, signal) {
      try {
        return await readAnswer(await ask(calls, request, signal, timeouts.answerMs));
      } catch (error) {
        signal.throwIfAborted();
        return await describeSilence(login, error, { timeoutMs: timeouts.connectMs, signal });
      }
    },
    async stream(path, silenceMs, signal) {
      try {
        const response = await ask(streams, { method: 'GET', path }, signal, silenceMs);
        if (response.statusCode !== 200) return await readAnswer(response);
        return readLines(response.body);
      } catch (error) {
        signal.throwIfAborted();
        return await describeSilence(login, error, { timeoutMs: timeouts.connectMs, signal });
      }
    },
    async finish() {
      await Promise.all([calls.close(), streams.close()]);
    },
    async close() {
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}

async function readAnswer(response: Dispatcher.ResponseData): Promise<Exchange> {
  const body = await response.body.text();
  const retryAfter = Number(response.headers['retry-after']);
  return {
    kind: 'answer',
    status: response.statusCode,
    body,
    ...(Number.isFinite(retryAfter) ? { retryAfterMs: retryAfter * 1000 } : {}),
  };
}

async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLineCharacters) throw new Error('a line of the watch is too long');
    for (const line of lines) if (line !== '') yield line;
  }
}

/** The codes OpenSSL and Node give for a chain or a name that does not fit. */
const certificateProblem = /CERT|SIGNATURE|ISSUER|ALTNAME|CRL|INVALID_CA|PURPOSE/;
/** Codes of attempts that did not come as far as a connection that could carry a request. */
const neverConnected =
  /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

const renewal = 'labwright cluster renew   gives the control planes new certificates';

interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

async function describeSilence(login: ClusterLogin, error: unknown, call: CallLimits): Promise<Exchange> {
  const code = codeOf(error);
  const words = error instanceof Error && error.message !== '' ? error.message : code;
  if (code === 'CERT_HAS_EXPIRED') {
    const ended = await describeEnded(login, words, call);
    if (ended !== undefined) return ended;
  }
  if (certificateProblem.test(code) && !code.startsWith('ERR_SSL_')) {
    const { address, port, serverName } = login.endpoint;
    throw new LabwrightError('LW6003', {
      what: `what answers at ${address}:${port} is not the cluster ${serverName}`,
      where: { endpoint: `${address}:${port}`, 'expected name': serverName },
      why: `${words} (${code}); nothing was sent to it`,
      fix: [
        `look which computer has the address ${address}: ip neigh`,
        'if the cluster was formed again by hand, restore the PKI that belongs to it beside the lab file',
      ],
      cause: error,
    });
  }
  return { kind: 'silence', sent: !neverConnected.test(code), reason: words };
}

/** Undefined when the certificate that has ended is not the cluster's own. */
async function describeEnded(login: ClusterLogin, words: string, call: CallLimits): Promise<Exchange | undefined> {
  try {
    if (!(await fetchIsOwnCertificate(login, call))) return undefined;
    return { kind: 'silence', sent: false, reason: 'its certificate has ended', fix: renewal };
  } catch (error) {
    call.signal.throwIfAborted();
    // Whose it is, is looked at again with the next call.
    return {
      kind: 'silence',
      sent: false,
      reason: `${words}; ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** Of the error or, where several addresses were tried, of the last one. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors.at(-1));
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
