import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, readFrames } from './tcp-frames.ts';

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (const size of sizes) {
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
  yield bytes.subarray(offset);
}

test('messages come out as they went in, however the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 700 })), fc.array(fc.nat(300)), async (messages, sizes) => {
      const bytes = Uint8Array.from(messages.flatMap((message) => [...frame(message)]));
      const read: Uint8Array[] = [];
      for await (const message of readFrames(cut(bytes, sizes))) read.push(message);
      expect(read).toEqual(messages);
    }),
  );
});

test('a message that the end cuts short is dropped', async () => {
  const read = [];
  for await (const message of readFrames(cut(frame(Uint8Array.from([1, 2, 3])).subarray(0, 4), []))) read.push(message);
  expect(read).toEqual([]);
});
