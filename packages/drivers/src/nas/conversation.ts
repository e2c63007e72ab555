// A short exchange over TCP: connect, maybe send, read until there is enough to tell who answers. Always ends.
import { connect } from 'node:net';

export type Conversation<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Nothing listens there, or nothing at all is there. */
  | { readonly kind: 'unreachable'; readonly why: string }
  /** It took the connection and then said nothing that can be understood. */
  | { readonly kind: 'speechless'; readonly why: string };

export interface ConversationOptions<Answer> {
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly say?: Uint8Array;
  /** With all bytes so far; undefined asks for more. `reply` sends bytes in between. */
  readonly hear: (bytes: Uint8Array, reply: (bytes: Uint8Array) => void) => Answer | undefined;
}

const mostBytes = 64 * 1024;

/** Throws only the signal's reason. */
export async function converse<Answer>(options: ConversationOptions<Answer>): Promise<Conversation<Answer>> {
  const { address, port, timeoutMs, signal, say, hear } = options;
  signal.throwIfAborted();
  const socket = connect({ host: address, port });
  const timeout = AbortSignal.timeout(timeoutMs);
  const ended = Promise.withResolvers<Conversation<Answer>>();
  let isConnected = false;
  let bytes = Buffer.alloc(0);
  const fail = (why: string): void => ended.resolve({ kind: isConnected ? 'speechless' : 'unreachable', why });
  const onTimeout = (): void => fail(`no ${isConnected ? 'answer' : 'connection'} within ${timeoutMs} ms`);
  const onAbort = (): void => ended.reject(signal.reason as Error);
  timeout.addEventListener('abort', onTimeout, { once: true });
  signal.addEventListener('abort', onAbort, { once: true });
  const reply = (words: Uint8Array): void => {
    socket.write(words);
  };
  socket.on('connect', () => {
    isConnected = true;
    const answer = hear(bytes, reply);
    if (answer !== undefined) ended.resolve({ kind: 'answered', answer });
    else if (say !== undefined) socket.write(say);
  });
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const answer = hear(bytes, reply);
    if (answer !== undefined) ended.resolve({ kind: 'answered', answer });
    else if (bytes.length > mostBytes) fail('it talks without end');
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
  try {
    return await ended.promise;
  } finally {
    timeout.removeEventListener('abort', onTimeout);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}
