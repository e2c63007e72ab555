import { decode, encode } from '@leichtgewicht/dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns, usualRuns } from '../bytes/fuzz-runs.ts';
import { DecodeError } from '../bytes/reader.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { type DnsRecord, formatType, parseType } from './record.ts';

const runs = fuzzRuns(process.env['LABWRIGHT_FUZZ_RUNS']);
const few = { numRuns: Math.min(runs, usualRuns) };

const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
// Few different ones, so that many share their ends.
const anyName = fc
  .array(fc.oneof(fc.constantFrom('a', 'web', 'svc'), label), { maxLength: 5 })
  .map((all) => all.join('.'));
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const bytes = fc.uint8Array({ maxLength: 40 });

const data = fc.oneof(
  fc.record({ type: fc.constant('A'), data: fc.ipV4() }),
  fc.record({ type: fc.constantFrom('NS', 'CNAME', 'PTR'), data: anyName }),
  fc.record({
    type: fc.constant('AAAA'),
    data: fc.constantFrom('::', '::1', '2001:db8::5', 'fe80:0:1::', '1:2:3:4:5:6:7:8'),
  }),
  fc.record({ type: fc.constant('MX'), data: fc.record({ preference: u16, exchange: anyName }) }),
  fc.record({
    type: fc.constant('TXT'),
    data: fc.array(fc.stringMatching(/^[ -~ÿ]{0,30}$/), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ type: fc.constant('SRV'), data: fc.record({ priority: u16, weight: u16, port: u16, target: anyName }) }),
  fc.record({
    type: fc.constant('SOA'),
    data: fc.record({
      primary: anyName,
      contact: anyName,
      serial: u32,
      refreshSeconds: u32,
      retrySeconds: u32,
      expireSeconds: u32,
      minimumSeconds: u32,
    }),
  }),
  fc.record({ type: fc.constant('OPAQUE'), typeCode: fc.constantFrom(43, 65, 65_000), classCode: u16, data: bytes }),
);
const anyRecord = fc.tuple(anyName, u32, data).map(([name, ttlSeconds, rest]) => ({ name, ttlSeconds, ...rest }));
const question = fc.record({ name: anyName, type: fc.constantFrom('A', 'ANY', 'AXFR', 'TYPE65'), classCode: u16 });
const edns = fc.record({
  datagramBytes: u16,
  extendedCode: fc.nat(255),
  version: fc.nat(255),
  flags: u16,
  options: bytes,
});
const records = fc.array(anyRecord, { maxLength: 4 });
const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    id: u16,
    flags: u16,
    questions: fc.array(question, { maxLength: 2 }),
    answers: records,
    authorities: records,
    additionals: records,
    edns: fc.option(edns, { nil: undefined }),
  })
  .map(({ edns: options, ...rest }) => (options === undefined ? rest : { ...rest, edns: options }));

/** Undefined for a DecodeError; anything else is thrown on. */
function decodeOrError(given: Uint8Array): Message | undefined {
  try {
    return decodeMessage(given);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

describe('a message', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      few,
    );
  });

  test('cut anywhere is an error, and so is a byte too many', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const whole = encodeMessage(message);
        for (let length = 0; length < whole.length; length += 1) {
          expect(() => decodeMessage(whole.subarray(0, length))).toThrow(DecodeError);
        }
        expect(() => decodeMessage(Uint8Array.from([...whole, 0]))).toThrow(DecodeError);
      }),
      { numRuns: Math.min(50, runs) },
    );
  });

  test('of any bytes gives a value that can be written again, or an error', () => {
    const header = fc
      .array(fc.nat(3), { minLength: 4, maxLength: 4 })
      .map((counts) => [0, 1, 0x81, 0x80, ...counts.flatMap((count) => [0, count])]);
    // Bytes that are lengths and pointers more often than chance has it.
    const rest = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 5, 12, 0xc0)), { maxLength: 120 });
    fc.assert(
      fc.property(header, rest, (start, end) => {
        const message = decodeOrError(Uint8Array.from([...start, ...end]));
        if (message === undefined) return;
        const again = encodeMessage(message);
        expect(decodeMessage(again)).toEqual(message);
        expect(encodeMessage(decodeMessage(again))).toEqual(again);
      }),
      { numRuns: runs },
    );
  });

  test('is what another implementation reads and writes', () => {
    const name = 'web.example.test';
    const answers: DnsRecord[] = [
      { name, ttlSeconds: 5, type: 'CNAME', data: 'node.example.test' },
      { name: 'node.example.test', ttlSeconds: 5, type: 'A', data: '192.0.2.7' },
      { name: 'node.example.test', ttlSeconds: 5, type: 'AAAA', data: '2001:db8::7' },
      { name, ttlSeconds: 5, type: 'MX', data: { preference: 10, exchange: 'mail.example.test' } },
      { name, ttlSeconds: 5, type: 'TXT', data: ['one', 'two'] },
      { name, ttlSeconds: 5, type: 'SRV', data: { priority: 0, weight: 100, port: 80, target: 'node.example.test' } },
    ];
    const written = encodeMessage({
      id: 7,
      flags: 0x8580,
      questions: [{ name, type: 'A', classCode: 1 }],
      answers,
      authorities: [],
      additionals: [],
      edns: { datagramBytes: 1232, extendedCode: 0, version: 0, flags: 0, options: new Uint8Array(0) },
    });
    // Each name after the first is a pointer, or a label and a pointer.
    expect(written.length).toBeLessThan(230);
    const read = decode(written);
    expect(read).toMatchObject({
      id: 7,
      flag_aa: true,
      questions: [{ name, type: 'A', class: 'IN' }],
      answers: [
        { name, ttl: 5, type: 'CNAME', data: 'node.example.test' },
        { type: 'A', data: '192.0.2.7' },
        { type: 'AAAA', data: '2001:db8::7' },
        { type: 'MX', data: { preference: 10, exchange: 'mail.example.test' } },
        { type: 'TXT' },
        { type: 'SRV', data: { priority: 0, weight: 100, port: 80, target: 'node.example.test' } },
      ],
      additionals: [{ type: 'OPT', udpPayloadSize: 1232 }],
    });
    expect(decodeMessage(encode(read)).answers).toEqual(answers);
  });
});

describe('a name', () => {
  const withQuestion = (...name: readonly number[]): Uint8Array =>
    Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1]);

  test('of any bytes is text and comes back', () => {
    const labels = fc.array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 3 });
    fc.assert(
      fc.property(labels, (all) => {
        const written = withQuestion(...all.flatMap((one) => [one.length, ...one]), 0);
        expect(encodeMessage(decodeMessage(written))).toEqual(written);
      }),
      few,
    );
  });

  test.each([
    ['a pointer to itself', [0xc0, 12]],
    ['a pointer forwards', [0xc0, 14, 0]],
    ['a label and a pointer back to it', [1, 0x61, 0xc0, 12]],
    ['a length with a reserved mark', [0x40, 0]],
    [
      'more than 255 bytes',
      [...Array.from({ length: 5 }, () => [60, ...Array.from({ length: 60 }, () => 0x61)]).flat(), 0],
    ],
  ])('that is %s is refused', (_, name) => {
    expect(() => decodeMessage(withQuestion(...name))).toThrow(DecodeError);
  });

  test.each(['a..b', `${'a'.repeat(64)}.test`, 'tĀst.test', 'a\\b', Array.from({ length: 128 }, () => 'ab').join('.')])(
    'like %s cannot be written',
    (name) => {
      const questions = [{ name, type: 'A', classCode: 1 }];
      const nothing = { answers: [], authorities: [], additionals: [] };
      expect(() => encodeMessage({ id: 0, flags: 0, questions, ...nothing })).toThrow(/label|longer/);
    },
  );
});

test('a type has one name', () => {
  expect([1, 28, 252, 65].map(formatType)).toEqual(['A', 'AAAA', 'AXFR', 'TYPE65']);
  for (const code of [1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 251, 252, 255, 65, 65_535]) {
    expect(parseType(formatType(code))).toBe(code);
  }
  expect(() => parseType('TYPE65536')).toThrow('no type of a record');
});
