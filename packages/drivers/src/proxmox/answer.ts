// What came back for one HTTP exchange, and Proxmox's envelope around results and errors. Pure.

/** An HTTP answer as the transport read it. */
export interface RawAnswer {
  readonly status: number;
  /** The reason phrase. A reverse proxy may have replaced it, so it counts less than the body. */
  readonly statusText: string;
  readonly body: string;
  /** Of a redirect: where to. */
  readonly location?: string;
}

export type Answer =
  | { readonly kind: 'data'; readonly data: unknown }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** Somebody else answers on this port: a success whose body is not the envelope, a redirect, or an error as a web page. */
  | { readonly kind: 'foreign'; readonly said: string };

export interface Refusal {
  readonly status: number;
  /** Proxmox's own words, trimmed. */
  readonly message: string;
  /** The message of each parameter it did not like. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads {"data":…} or {"data":null,"message":…,"errors":{…}} (message: since PVE 8.3; before, only the reason phrase has it). */
export function parseAnswer(raw: RawAnswer): Answer {
  const body = parseObject(raw.body);
  if (raw.status >= 200 && raw.status < 300) {
    if (body === undefined || !('data' in body)) return { kind: 'foreign', said: describeForeign(raw) };
    return { kind: 'data', data: body['data'] };
  }
  if (isForeign(raw)) return { kind: 'foreign', said: describeForeign(raw) };
  const spoken = body?.['message'];
  const message = typeof spoken === 'string' && spoken.trim() !== '' ? spoken.trim() : raw.statusText.trim();
  return {
    kind: 'refused',
    refusal: {
      status: raw.status,
      message: message === '' ? `HTTP status ${raw.status}` : message,
      parameters: parseParameterErrors(body?.['errors']),
    },
  };
}

/**
 * The API never redirects, and its errors are JSON or have no body. A refused login counts whoever says it, so that no account gets
 * locked, and a relay failure comes from a reverse proxy as well.
 */
function isForeign({ status, body }: RawAnswer): boolean {
  if (status >= 300 && status < 400) return true;
  return status !== 401 && !isRelayFailure(status) && body.trimStart().startsWith('<');
}

/** "302 Found, a redirect to http://nas1:5000/" */
function describeForeign({ status, statusText, body, location }: RawAnswer): string {
  const head = `${status} ${statusText}`.trim();
  if (location !== undefined) return `${head}, a redirect to ${location.slice(0, 120)}`;
  return body.trim() === '' ? `${head}, and nothing more` : `${head}, and a text that begins with ${excerptOf(body)}`;
}

function excerptOf(body: string): string {
  return `"${body.trim().slice(0, 120).replaceAll(/\s+/g, ' ')}"`;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function parseParameterErrors(errors: unknown): ReadonlyMap<string, string> {
  if (typeof errors !== 'object' || errors === null) return new Map();
  return new Map(Object.entries(errors).map(([name, text]) => [name, String(text).trim()]));
}

/** The refusal in one line: its message, then what was wrong with which parameter. */
export function formatRefusal(refusal: Refusal): string {
  const details = [...refusal.parameters].map(([name, text]) => `${name}: ${text.replaceAll(/\s*\\?\n\s*/g, '; ')}`);
  return [refusal.message.replaceAll(/\s*\n\s*/g, '; '), ...details].join('; ');
}

/**
 * The node's worker did not get a lock in time (1 s in create and clone, 10 s elsewhere, "lock request" on shared storage).
 * Nothing was done; asking again a little later is what a person does. proxmox.md: bpg#995, Telmate#161.
 */
export function isLockTimeout(message: string): boolean {
  return /can't lock file '.*' - got timeout|got lock (request )?timeout/.test(message);
}

/** Somebody edited the configuration between our read and our write; read again, then write again. */
export function isEditConflict(message: string): boolean {
  return /checksum mismatch|detected modified configuration/.test(message);
}

/**
 * What pveproxy answers when the node behind it cannot be reached or takes longer than its 30 s: 595 to 599, and
 * 502 to 504 from a reverse proxy before it. Except for 595, the call may have been carried out all the same.
 */
export function isRelayFailure(status: number): boolean {
  return (status >= 595 && status <= 599) || (status >= 502 && status <= 504);
}
