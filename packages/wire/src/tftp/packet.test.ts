import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../bytes/fuzz-runs.ts';
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
    { requiredKeys: [] },
  )
  .map((value) => value);

const packet: fc.Arbitrary<TftpPacket> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('read' as const, 'write' as const),
    fileName: name,
    mode: fc.constantFrom('octet', 'netascii', 'mail'),
    options,
  }),
  fc.record({ kind: fc.constant('data' as const), block: u16, bytes: fc.uint8Array({ maxLength: 600 }) }),
  fc.record({ kind: fc.constant('ack' as const), block: u16 }),
  fc.record({ kind: fc.constant('error' as const), code: u16, message: name }),
  fc.record({ kind: fc.constant('oack' as const), options }),
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

test('any bytes give a packet or a DecodeError, and what was decoded is a fixed point', { timeout }, () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      const value = decodeOrUndefined(bytes);
      if (value === undefined) return;
      const again = encodeTftp(value);
      expect(decodeTftp(again)).toEqual(value);
      expect(encodeTftp(decodeTftp(again))).toEqual(again);
    }),
    { numRuns: runs },
  );
});

test('what is encoded decodes to the same', { timeout }, () => {
  fc.assert(
    fc.property(packet, (value) => {
      expect(decodeTftp(encodeTftp(value))).toEqual(value);
    }),
    { numRuns: runs },
  );
});

test('a cut is an error at every byte, but between two options and inside a block', { timeout }, () => {
  fc.assert(
    fc.property(packet, (value) => {
      const bytes = encodeTftp(value);
      const whole = boundaries(value, bytes).filter((length) => length < bytes.length);
      const lengths = Array.from(bytes.keys());
      expect(lengths.filter((length) => decodeOrUndefined(bytes.subarray(0, length)) !== undefined)).toEqual(whole);
    }),
    { numRuns: Math.min(runs, 50_000) },
  );
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
