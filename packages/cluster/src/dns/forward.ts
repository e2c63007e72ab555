// Asks other name servers what is not ours. Each query has a socket, so a source port, and an id of its own, both random: an
// answer that was guessed by somebody else would have to match both (RFC 5452).
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Clock } from '@labwright/core/ports/clock';
import type { Random } from '@labwright/core/ports/random';
import { isAnswerTo } from '@labwright/wire/dns/query';
import { readFrames } from '@labwright/wire/dns/tcp-frames';

export interface Resolver {
  readonly address: Ipv4;
  /** 53 unless given. */
  readonly port?: number;
}

export interface ForwardOptions {
  readonly resolvers: readonly Resolver[];
  readonly clock: Clock;
  readonly random: Random;
  /** For each of them. */
  readonly timeoutMs?: number;
}

/** Passes a query on, as it is, to one after the other until one answers; undefined when none did. */
export type Forward = (
  message: Uint8Array,
  question: Uint8Array,
  transport: 'udp' | 'tcp',
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>;

const serverFailure = 2;

export function makeForward({ resolvers, clock, random, timeoutMs = 2_000 }: ForwardOptions): Forward {
  /** The one that answered last comes first, so that one that is away is waited for once. */
  let preferred = 0;
  return async (message, question, transport, signal) => {
    let failed: Uint8Array | undefined;
    const start = preferred;
    for (let offset = 0; offset < resolvers.length; offset += 1) {
      const index = (start + offset) % resolvers.length;
      const resolver = resolvers[index];
      if (resolver === undefined) continue;
      if (signal.aborted) return undefined;
      const [high = 0, low = 0] = random.bytes(2);
      const id = high * 256 + low;
      const own = Uint8Array.from(message);
      new DataView(own.buffer).setUint16(0, id);
      const isAnswer = (bytes: Uint8Array): boolean => isAnswerTo(bytes, id, question);
      const done = new AbortController();
      const until = AbortSignal.any([signal, done.signal]);
      const ask = transport === 'udp' ? askByDatagram : askByStream;
      try {
        const answer = await Promise.race([
          ask(own, resolver, isAnswer, until),
          clock.sleep(timeoutMs, until).then(() => undefined),
        ]);
        if (answer === undefined) continue;
        const given = Uint8Array.from(answer);
        given.set(message.subarray(0, 2));
        if (((given[3] ?? 0) & 0xf) !== serverFailure) {
          preferred = index;
          return given;
        }
        failed = given;
      } catch (error) {
        if (!signal.aborted && !isNetworkError(error)) throw error;
      } finally {
        done.abort(new Error('asked'));
      }
    }
    return failed;
  };
}

/** Resolvers that cannot be reached are passed over. */
function isNetworkError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

async function askByDatagram(
  message: Uint8Array,
  { address, port = 53 }: Resolver,
  isAnswer: (bytes: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const socket = createSocket('udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
  const onAbort = (): void => resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.on('error', reject);
  // Connected: the kernel drops what comes from anybody else. What does not match is somebody's guess; the wait goes on.
  socket.on('message', (bytes) => {
    if (isAnswer(bytes)) resolve(bytes);
  });
  socket.connect(port, address, () => {
    if (!signal.aborted) socket.send(message);
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  }
}

async function askByStream(
  message: Uint8Array,
  { address, port = 53 }: Resolver,
  isAnswer: (bytes: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const socket = connect({ host: address, port, signal });
  const length = Uint8Array.from([message.length >> 8, message.length & 0xff]);
  socket.write(length);
  socket.write(message);
  try {
    for await (const bytes of readFrames(socket)) if (isAnswer(bytes)) return bytes;
    return undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    socket.destroy();
  }
}
