// DNS messages on a stream: each has its length before it, in two bytes (RFC 1035 §4.2.2).

const largestMessage = 0xffff;

/**
 * Ends with the stream, or before a message larger than `mostBytes`; a message cut short by the end is dropped. No more than
 * one message and what came with it is held.
 */
export async function* readFrames(
  stream: AsyncIterable<Uint8Array>,
  mostBytes = largestMessage,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of stream) {
    const joined = new Uint8Array(held.length + chunk.length);
    joined.set(held);
    joined.set(chunk, held.length);
    held = joined;
    for (;;) {
      const [high, low] = held;
      if (high === undefined || low === undefined) break;
      const length = high * 256 + low;
      if (length > mostBytes) return;
      const end = 2 + length;
      if (held.length < end) break;
      yield held.slice(2, end);
      held = held.slice(end);
    }
  }
}

export function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(2 + message.length);
  new DataView(framed.buffer).setUint16(0, message.length);
  framed.set(message, 2);
  return framed;
}
