// One call of the API: sent, judged, and sent again where that is safe and may help.
import { invariant, type LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { CallOptions } from './connection.ts';
import {
  isPassing,
  misreadError,
  parseJson,
  parseRefusal,
  type Refusal,
  refusalError,
  silenceError,
} from './failure.ts';
import type { ApiRequest, ApiTransport, Exchange } from './transport.ts';

export type Outcome =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly error: LabwrightError };

export interface Caller {
  readonly endpoint: string;
  /** Throws LW6001, LW6003 and LW6006; what the API server refuses is a value. */
  attempt(request: ApiRequest, options: CallOptions): Promise<Outcome>;
  /** Throws for a refusal as well. */
  call(request: ApiRequest, options: CallOptions): Promise<unknown>;
  /** The body, whatever it is, of a path outside the objects (/readyz). */
  ask(path: string, options: CallOptions): Promise<Exchange>;
}

/** Pauses between tries; together long enough for an API server behind a balancer to be taken out of it. */
const backOffMs: readonly number[] = [250, 1_000, 2_000, 4_000];
const longestPauseMs = 10_000;

export function makeCaller(transport: ApiTransport, endpoint: string, clock: Clock, log: Log): Caller {
  const attempt = async (
    request: ApiRequest,
    { signal, tries = backOffMs.length + 1 }: CallOptions,
  ): Promise<Outcome> => {
    for (let turn = 1; ; turn += 1) {
      signal.throwIfAborted();
      const exchange = await transport.send(request, signal);
      const isLast = turn >= tries;
      let pauseMs = backOffMs[turn - 1] ?? longestPauseMs;
      if (exchange.kind === 'silence') {
        // A POST that may have arrived could have made its object: asking again would report it as a conflict.
        if (isLast || (exchange.sent && request.method === 'POST')) throw silenceError(endpoint, request, exchange);
      } else if (exchange.status >= 200 && exchange.status < 300) {
        const value = parseJson(exchange.body);
        if (value === undefined) throw misreadError(endpoint, request, `not JSON: ${exchange.body.slice(0, 120)}`);
        return { kind: 'done', value };
      } else {
        const refusal = parseRefusal(exchange.status, exchange.body);
        if (isLast || !isPassing(refusal)) {
          return { kind: 'refused', refusal, error: refusalError(endpoint, request, refusal) };
        }
        pauseMs = Math.min(exchange.retryAfterMs ?? pauseMs, longestPauseMs);
      }
      log.debug('asking the cluster again', { method: request.method, path: request.path, pauseMs });
      await clock.sleep(pauseMs, signal);
    }
  };
  return {
    endpoint,
    attempt,
    async call(request, options) {
      const outcome = await attempt(request, options);
      if (outcome.kind === 'refused') throw outcome.error;
      return outcome.value;
    },
    async ask(path, { signal }) {
      return await transport.send({ method: 'GET', path }, signal);
    },
  };
}

/** "/a/b?x=1": each part encoded, parameters that are undefined left out. */
export function formatPath(
  parts: readonly string[],
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  for (const part of parts) invariant(part !== '' && part !== '.' && part !== '..', 'a path has named parts');
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return `/${parts.map((part) => encodeURIComponent(part)).join('/')}${text === '' ? '' : `?${text}`}`;
}
