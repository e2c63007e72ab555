import { inspect, isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns, usualRuns } from '../bytes/fuzz-runs.ts';
import { DecodeError } from '../bytes/reader.ts';
import { tftpOptionTable, type TftpOptions } from './options.ts';
import { decodeTftp, encodeTftp, type TftpPacket } from './packet.ts';

const runs = fuzzRuns(process.env['LABWRIGHT_FUZZ_RUNS']);
const timeout = 20_000 + runs;

const name = fc.string({ unit: fc.constantFrom('a', 'Z', '/', '.', '-', ' ', '\xe4', '%'), maxLength: 40 });
const u16 = fc.integer({ min: 0, max: 65_535 });
const knownNames = new Set<string>(Object.values(tftpOptionTable).map((spec) => spec.wireName));

const options: fc.Arbitrary<TftpOptions> = fc
  .record(
    {
      blockSize: fc.integer({ min: 8, max: 65_464 }),
      timeoutSeconds: fc.integer({ min: 1, max: 255 }),
      transferSize: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      windowSize: fc.integer({ min: 1, max: 65_535 }),
      other: fc.uniqueArray(
        fc.tuple(
          name.filter((text) => !knownNames.has(text.toLowerCase())),
          name,
        ),
        { minLength: 1, maxLength: 3, selector: ([text]) => text.toLowerCase() },
      ),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .map((value) => value);

const plain = { noNullPrototype: true } as const;
const packet: fc.Arbitrary<TftpPacket> = fc.oneof(
  fc.record(
    {
      kind: fc.constantFrom('read' as const, 'write' as const),
      fileName: name,
      mode: fc.constantFrom('octet', 'netascii', 'mail'),
      options,
    },
    plain,
  ),
  fc.record({ kind: fc.constant('data' as const), block: u16, bytes: fc.uint8Array({ maxLength: 600 }) }, plain),
  fc.record({ kind: fc.constant('ack' as const), block: u16 }, plain),
  fc.record({ kind: fc.constant('error' as const), code: u16, message: name }, plain),
  fc.record({ kind: fc.constant('oack' as const), options }, plain),
);

/** Bytes that look like TFTP often enough to reach every branch. */
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.tuple(packet, fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 255 })).map(([value, at, byte]) => {
    const bytes = encodeTftp(value);
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
);

function decodeOrUndefined(bytes: Uint8Array): TftpPacket | undefined {
  try {
    return decodeTftp(bytes);
  } catch (error) {
    if (error instanceof DecodeError && error.offset <= bytes.length) return undefined;
    throw error;
  }
}

/** As toStrictEqual, which takes ten times as long because it is ready to explain a difference. */
function expectSame(one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Error(`${inspect(one)} is not ${inspect(other)}`);
}

/** What the long run did. */
function tell(figure: string): void {
  if (runs > usualRuns) console.log(figure);
}

test('any bytes give a packet or a DecodeError, and what was decoded is a fixed point', { timeout }, () => {
  let decoded = 0;
  fc.assert(
    fc.property(hostile, (bytes) => {
      const value = decodeOrUndefined(bytes);
      if (value === undefined) return;
      decoded += 1;
      const again = encodeTftp(value);
      const twice = decodeTftp(again);
      expectSame(twice, value);
      expectSame(encodeTftp(twice), again);
    }),
    { numRuns: runs },
  );
  expect(decoded).toBeGreaterThan(runs / 20);
  tell(`TFTP: ${runs} generated inputs, ${decoded} of them packets`);
});

test('what is encoded decodes to the same', { timeout }, () => {
  let checked = 0;
  fc.assert(
    fc.property(packet, (value) => {
      checked += 1;
      expectSame(decodeTftp(encodeTftp(value)), value);
    }),
    { numRuns: runs },
  );
  expect(checked).toBe(runs);
  tell(`TFTP: ${runs} packets encoded and decoded`);
});

test('a cut is an error at every byte, but between two options and inside a block', { timeout }, () => {
  let cuts = 0;
  // A stack for each of the millions of errors would be most of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  fc.assert(
    fc.property(packet, (value) => {
      const bytes = encodeTftp(value);
      const whole = new Set(boundaries(value, bytes));
      cuts += bytes.length;
      for (let length = 0; length < bytes.length; length += 1) {
        const decoded = decodeOrUndefined(bytes.subarray(0, length));
        const isWhole = whole.has(length);
        if ((decoded !== undefined) !== isWhole) throw new Error(`cut at ${length} of ${bytes.length}`);
      }
    }),
    { numRuns: runs },
  );
  Error.stackTraceLimit = stackTraceLimit;
  expect(cuts).toBeGreaterThan(runs);
  tell(`TFTP: ${runs} packets cut at every byte, ${cuts} cuts`);
});

/** Where a shorter packet is one too: RFC 1350 and 2347 give packets no length. */
function boundaries(value: TftpPacket, bytes: Uint8Array): number[] {
  if (value.kind === 'data') return Array.from({ length: bytes.length }, (_, at) => at).filter((at) => at >= 4);
  if (value.kind === 'ack' || value.kind === 'error') return [];
  const ends = [...bytes.keys()].filter((at) => at >= 2 && bytes[at] === 0).map((at) => at + 1);
  if (value.kind === 'oack') return [2, ...ends.filter((_, index) => index % 2 === 1)];
  return ends.filter((_, index) => index % 2 === 1);
}

test('options are named in any case, and a value nobody can use is kept but not understood', () => {
  const bytes = new TextEncoder().encode('\0\x01b/boot\0OCTET\0BlkSize\x001432\0tsize\0all\0multicast\0\0');
  expect(decodeTftp(bytes)).toEqual({
    kind: 'read',
    fileName: 'b/boot',
    mode: 'octet',
    options: {
      blockSize: 1432,
      other: [
        ['tsize', 'all'],
        ['multicast', ''],
      ],
    },
  });
});

test('an option given twice is an error', () => {
  const bytes = new TextEncoder().encode('\0\x01f\0octet\0tsize\x000\0TSIZE\x000\0');
  expect(() => decodeTftp(bytes)).toThrow('option "tsize" is given twice');
});
