// What an API server answers when it says no: its Status object, and the error it becomes.
import { LabwrightError } from '@labwright/core/errors/error';
import { z } from 'zod';
import type { ApiRequest, Exchange } from './transport.ts';

const statusSchema = z.looseObject({
  kind: z.literal('Status'),
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .looseObject({
      causes: z
        .array(
          z.looseObject({
            reason: z.string().optional(),
            message: z.string().optional(),
            field: z.string().optional(),
          }),
        )
        .optional(),
      retryAfterSeconds: z.number().optional(),
    })
    .optional(),
});

export interface Refusal {
  readonly status: number;
  /** "NotFound", "AlreadyExists", "Conflict", "Expired": in a word, where the API server gave one. */
  readonly reason: string;
  /** The API server's own words. */
  readonly words: string;
  /** "DisruptionBudget", "FieldManagerConflict". */
  readonly causes: readonly string[];
}

/** Reads a Status; a body that is none (a proxy's page) is quoted. */
export function parseRefusal(status: number, body: string): Refusal {
  const parsed = statusSchema.safeParse(parseJson(body));
  if (!parsed.success) {
    const words = body.trim().replaceAll(/\s+/g, ' ').slice(0, 200);
    return { status, reason: '', words: words === '' ? `HTTP status ${status}` : words, causes: [] };
  }
  const { message = '', reason = '', details } = parsed.data;
  return {
    status,
    reason,
    words: message === '' ? reason || `HTTP status ${status}` : message,
    causes: (details?.causes ?? []).flatMap((cause) => cause.reason ?? []),
  };
}

/** The value, or undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Passes by itself: the API server is overloaded, starting or shutting down, or etcd elects a leader. A budget's 429 is not
 * among them: its caller decides.
 */
export function isPassing(refusal: Refusal): boolean {
  if (refusal.causes.includes('DisruptionBudget')) return false;
  if ([429, 502, 503, 504].includes(refusal.status)) return true;
  return (
    refusal.status === 500 &&
    /etcdserver|leader changed|context deadline|connection refused|timeout/i.test(refusal.words)
  );
}

const placeOf = (endpoint: string, request: ApiRequest): Record<string, string> => ({
  endpoint,
  call: `${request.method} ${request.path}`,
});

export function refusalError(endpoint: string, request: ApiRequest, refusal: Refusal): LabwrightError {
  const where = placeOf(endpoint, request);
  if (refusal.status === 401) {
    return new LabwrightError('LW6002', {
      what: `the cluster at ${endpoint} does not accept Labwright's certificate`,
      where,
      why: refusal.words,
      fix: [
        'check that the secrets file beside the lab file is the one this cluster was formed with',
        'compare the clocks: date, here and on a control plane',
      ],
    });
  }
  if (refusal.status === 409 || (refusal.status === 422 && refusal.reason === 'Conflict')) {
    return new LabwrightError('LW6005', {
      what: `the cluster holds another state than the one that was to be changed`,
      where,
      why: refusal.words,
      fix: ['run the command again: it starts from what is there now'],
    });
  }
  return new LabwrightError('LW6004', {
    what:
      refusal.status === 403
        ? `Labwright may not do this in the cluster at ${endpoint}`
        : `the cluster at ${endpoint} refused a call (${refusal.reason === '' ? refusal.status : refusal.reason})`,
    where,
    why: refusal.words,
    fix: ['read the words of the API server above; kubectl shows the objects that they name'],
  });
}

export function silenceError(
  endpoint: string,
  request: ApiRequest,
  { reason, fix }: Pick<Extract<Exchange, { readonly kind: 'silence' }>, 'reason' | 'fix'>,
): LabwrightError {
  const looks = ['labwright cluster status', `curl -k https://${endpoint}/livez`];
  return new LabwrightError('LW6001', {
    what: `the cluster's API at ${endpoint} does not answer`,
    where: placeOf(endpoint, request),
    why: reason,
    fix: fix === undefined ? looks : [fix, ...looks],
  });
}

export function misreadError(endpoint: string, request: ApiRequest, problem: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW6006', {
    what: `the answer of ${endpoint} is not what the Kubernetes API documents`,
    where: placeOf(endpoint, request),
    why: problem,
    fix: ['check that the endpoint in the lab file is that of the cluster'],
    cause,
  });
}
