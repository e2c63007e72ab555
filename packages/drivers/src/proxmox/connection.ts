// A connection to a Proxmox cluster: any of its hosts may answer, the login is made once, and safe calls are asked again.
import { LabwrightError, invariant } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { type Refusal, formatRefusal, isLockTimeout, isRelayFailure, parseAnswer } from './answer.ts';
import { type ProxmoxCall, formatCallName, formatWireCall } from './call.ts';
import { type Credentials, type Headers, type NoCredentials, openSession } from './credentials.ts';
import { foreignAnswerError, misreadError, refusalError, silenceError } from './failure.ts';
import { type KeyedQueue, keyedQueue } from '@labwright/core/engine/keyed-queue';
import type { Expectation, HostAddress, TlsPolicy } from './tls-pin.ts';
import { type Exchange, type HostTransport, type Silence, openTransport } from './transport.ts';

export interface ProxmoxConnection {
  readonly clock: Clock;
  readonly log: Log;
  /** Everything that changes a VM or a storage goes through here: see change.ts. */
  readonly queues: KeyedQueue;
  /**
   * The result, after asking again where that is safe and may help. Throws LW2001 (no answer), LW2002 (login), LW2003
   * (privilege), LW2004 (refused), LW2007 (certificate), LW2009 (not understood).
   */
  request<Result>(call: ProxmoxCall<Result>, options: RequestOptions): Promise<Result>;
  /** One try. A refusal or silence is a value here, for callers that look at what is there before they go on. */
  attempt<Result>(call: ProxmoxCall<Result>, signal: AbortSignal): Promise<Attempt<Result>>;
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly signal: AbortSignal;
  /** 1 asks once; otherwise what passes by itself (locks, relay failures, broken connections) is asked again. */
  readonly tries?: number;
}

export type Attempt<Result> =
  | { readonly kind: 'done'; readonly value: Result }
  | {
      readonly kind: 'failed';
      readonly error: LabwrightError;
      /**
       * 'passing': certainly not carried out, and it may work a moment later. 'uncertain': it may have been carried out.
       * 'final': asking again gives the same.
       */
      readonly outcome: 'passing' | 'uncertain' | 'final';
      readonly refusal?: Refusal;
    };

export interface ConnectOptions {
  /** Hosts of one cluster, at least one. */
  readonly hosts: readonly HostAddress[];
  readonly credentials: Credentials | NoCredentials;
  readonly tls: TlsPolicy;
  readonly expect: Expectation;
  readonly clock: Clock;
  readonly log: Log;
  /** Above the 30 s after which pveproxy itself gives up on the node behind it. */
  readonly answerTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
}

/** Pauses between tries. Together 15.5 s, longer than the 10 s a node waits for its own locks. */
export const backOffMs: readonly number[] = [500, 1_000, 2_000, 4_000, 8_000];

/** A host that takes calls and never answers them is asked no further after this time. */
const patienceMs = 75_000;

/** Opens nothing yet: the first call connects. */
export function connectProxmox(options: ConnectOptions): ProxmoxConnection {
  const { clock, log, answerTimeoutMs = 40_000, connectTimeoutMs = 5_000 } = options;
  invariant(options.hosts.length > 0, 'a connection has a host to talk to');
  const identification = { tls: options.tls, expect: options.expect, connectTimeoutMs, log };
  const transports = options.hosts.map((host) => openTransport(host, identification, { answerMs: answerTimeoutMs }));
  const urls = new Map(options.hosts.map(({ name, address, port }) => [name, `https://${address}:${port}`]));
  /** The host that answered last comes first. */
  let preferred = 0;
  /** Set by the first refused login; from then on nothing is sent. */
  let denied: LabwrightError | undefined;

  type Spoken = { readonly transport: HostTransport; readonly exchange: Extract<Exchange, { kind: 'answer' }> };
  type Unspoken = { readonly sent: boolean; readonly tried: ReadonlyMap<string, Silence> };

  /** Asks the hosts in turn until one is reached. One that was reached and then fell silent ends the turn. */
  const send = async (
    call: ProxmoxCall<unknown>,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<Spoken | Unspoken> => {
    const tried = new Map<string, Silence>();
    const start = preferred;
    for (let offset = 0; offset < transports.length; offset += 1) {
      const index = (start + offset) % transports.length;
      const transport = transports[index];
      if (transport === undefined) continue;
      const exchange = await transport.send(formatWireCall(call), headers, signal);
      if (exchange.kind === 'answer') {
        preferred = index;
        return { transport, exchange };
      }
      tried.set(transport.host.name, exchange);
      log.debug('a Proxmox host gave no answer', {
        host: transport.host.name,
        call: formatCallName(call),
        reason: exchange.reason,
      });
      if (exchange.sent) {
        preferred = (index + 1) % transports.length;
        return { sent: true, tried };
      }
    }
    return { sent: false, tried };
  };

  const judge = <Result>(call: ProxmoxCall<Result>, spoken: Spoken | Unspoken): Attempt<Result> => {
    if ('tried' in spoken) {
      return {
        kind: 'failed',
        error: silenceError(call, spoken.tried, urls),
        outcome: spoken.sent ? 'uncertain' : 'passing',
      };
    }
    const host = spoken.transport.host.name;
    const answer = parseAnswer(spoken.exchange);
    switch (answer.kind) {
      case 'data': {
        const result = call.result.safeParse(answer.data);
        if (result.success) return { kind: 'done', value: result.data };
        return { kind: 'failed', error: misreadError(call, host, result.error), outcome: 'final' };
      }
      case 'foreign':
        return { kind: 'failed', error: foreignAnswerError(call, host, answer.said), outcome: 'final' };
      case 'refused': {
        const { refusal } = answer;
        return { kind: 'failed', error: refusalError(call, host, refusal), outcome: outcomeOf(refusal), refusal };
      }
    }
  };

  /** A refused login is final for this connection: a second wrong password helps nobody and may lock the account. */
  const login = async <Result>(call: ProxmoxCall<Result>, signal: AbortSignal): Promise<Result> =>
    await repeat(call, signal, backOffMs.length, async () => {
      const attempt = judge(call, await send(call, {}, signal));
      if (attempt.kind === 'failed' && attempt.error.code === 'LW2002') denied = attempt.error;
      return attempt;
    });

  const session = openSession(options.credentials, clock, login);

  /** Until one call was let in, calls go one by one: ten at once with a wrong token would be ten refused logins. */
  let admitted = false;
  const doorway = keyedQueue();
  const attempt = async <Result>(call: ProxmoxCall<Result>, signal: AbortSignal): Promise<Attempt<Result>> =>
    admitted ? await ask(call, signal) : await doorway.run(['login'], signal, async () => await ask(call, signal));

  const ask = async <Result>(call: ProxmoxCall<Result>, signal: AbortSignal): Promise<Attempt<Result>> => {
    for (let logins = 0; ; logins += 1) {
      if (denied !== undefined) throw denied;
      const headers = await session.authorize(call.method, signal);
      const result = judge(call, await send(call, headers, signal));
      if (result.kind === 'done' || result.error.code !== 'LW2002') {
        admitted ||= result.kind === 'done' || result.refusal !== undefined;
        return result;
      }
      // A 401 comes before anything is carried out, so even a write may be sent again with a fresh ticket.
      if (logins > 0 || !session.giveUp(headers)) {
        denied = result.error;
        throw denied;
      }
    }
  };

  const repeat = async <Result>(
    call: ProxmoxCall<Result>,
    signal: AbortSignal,
    tries: number,
    once: () => Promise<Attempt<Result>>,
  ): Promise<Result> => {
    const startedAt = clock.monotonic();
    for (let count = 1; ; count += 1) {
      const result = await once();
      if (result.kind === 'done') return result.value;
      const again = result.outcome === 'passing' || (result.outcome === 'uncertain' && call.repeat === 'safe');
      const pauseMs = backOffMs[count - 1];
      const isOver = count >= tries || clock.monotonic() - startedAt > patienceMs;
      if (!again || isOver || pauseMs === undefined) throw result.error;
      log.debug('a Proxmox call is asked again', {
        call: formatCallName(call),
        try: count + 1,
        reason: result.error.message,
      });
      // A kept connection that the peer had just closed says nothing about the peer: ask again at once, the first time.
      if (count > 1 || result.refusal !== undefined) await clock.sleep(pauseMs, signal);
    }
  };

  return {
    clock,
    log,
    queues: keyedQueue(),
    attempt,
    request: async (call, { signal, tries = backOffMs.length }) =>
      await repeat(call, signal, tries, async () => await attempt(call, signal)),
    close: async () => {
      await Promise.all(transports.map(async (transport) => await transport.close()));
    },
  };
}

function outcomeOf(refusal: Refusal): 'passing' | 'uncertain' | 'final' {
  if (isLockTimeout(formatRefusal(refusal))) return 'passing';
  // 595: the node behind the answering host could not be reached, so it never saw the call.
  if (refusal.status === 595) return 'passing';
  return isRelayFailure(refusal.status) ? 'uncertain' : 'final';
}
