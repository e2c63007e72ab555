import { decode, encode, type Packet } from '@leichtgewicht/dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../bytes/fuzz-runs.ts';
import {
  formatDatagram,
  formatQuery,
  formatRefusal,
  formatReply,
  isAnswerTo,
  type Query,
  readQuery,
  type Reply,
} from './query.ts';

const runs = fuzzRuns(process.env['LABWRIGHT_FUZZ_RUNS']);

const makeQuery = (bytes: Uint8Array): Query => {
  const read = readQuery(bytes);
  if (read.kind !== 'query') throw new Error(read.kind);
  return read.query;
};

const withEdns = (size: number): Uint8Array =>
  encode({
    type: 'query',
    id: 7,
    questions: [{ name: 'web.test', type: 'A' }],
    additionals: [
      { type: 'OPT', name: '.', udpPayloadSize: size, flags: 0, options: [] },
    ] as unknown as Packet['additionals'],
  });

const records = (count: number): Reply => ({
  code: 0,
  isAuthoritative: true,
  offersRecursion: true,
  answers: Array.from({ length: count }, (_, index) => ({
    type: 'A',
    name: 'web.test',
    ttlSeconds: 5,
    data: `10.0.${index >> 8}.${index & 255}`,
  })),
});

test('a query is read, and its answer has its id, question and flags', () => {
  const query = makeQuery(formatQuery(0x1234, 'WeB.test', 'A'));
  expect(query).toMatchObject({ id: 0x1234, name: 'WeB.test', type: 'A', isRecursionDesired: true, isInternet: true });
  const reply = formatReply(query, records(1));
  expect(decode(reply)).toMatchObject({
    id: 0x1234,
    type: 'response',
    flag_aa: true,
    flag_rd: true,
    flag_ra: true,
    questions: [{ name: 'WeB.test', type: 'A' }],
    answers: [{ name: 'web.test', data: '10.0.0.0', ttl: 5 }],
    additionals: [],
  });
  expect(isAnswerTo(reply, 0x1234, query.question)).toBe(true);
  expect(isAnswerTo(reply, 0x1235, query.question)).toBe(false);
  expect(isAnswerTo(reply, 0x1234, makeQuery(formatQuery(1, 'wob.test', 'A')).question)).toBe(false);
  expect(isAnswerTo(reply, 0x1234, makeQuery(formatQuery(1, 'web.TEST', 'A')).question)).toBe(true);
});

describe('a datagram', () => {
  test.each([
    ['without EDNS', formatQuery(7, 'web.test', 'A'), 512],
    ['with EDNS', withEdns(1000), 1000],
    ['of a client that claims less than is allowed', withEdns(100), 512],
    ['of a client that claims more than passes', withEdns(65_000), 1232],
  ])('%s holds at most what it may', (_, bytes, limit) => {
    const query = makeQuery(bytes);
    for (let count = 0; count < 90; count += 1) {
      const reply = formatDatagram(query, records(count));
      expect(reply.length).toBeLessThanOrEqual(limit);
      const whole = formatReply(query, records(count)).length <= limit;
      expect(decode(reply)).toMatchObject({ flag_tc: !whole, answers: { length: whole ? count : 0 } });
    }
  });

  test('with a code that only EDNS can say has its upper bits there', () => {
    const reply = formatDatagram(makeQuery(withEdns(1232)), { ...records(0), code: 16 });
    expect(decode(reply)).toMatchObject({ rcode: 'NOERROR', additionals: [{ type: 'OPT', extendedRcode: 1 }] });
  });
});

describe('what is no query', () => {
  const query = formatQuery(7, 'web.test', 'A');
  const changed = (offset: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(query);
    bytes[offset] = value;
    return bytes;
  };

  test.each([
    ['nothing', new Uint8Array(0), 'malformed'],
    ['an answer', changed(2, 0x81), 'malformed'],
    ['an update', changed(2, 0x29), 'refused'],
    ['two questions', changed(5, 2), 'refused'],
    ['65535 records more', changed(11, 255), 'refused'],
    ['a pointer in the question', changed(12, 0xc0), 'malformed'],
    ['a label beyond the end', changed(12, 60), 'malformed'],
  ])('%s', (_, bytes, kind) => {
    expect(readQuery(bytes).kind).toBe(kind);
  });

  test('a refusal is of the kind of query that it refuses', () => {
    const read = readQuery(changed(2, 0x29));
    if (read.kind !== 'refused') throw new Error(read.kind);
    expect(decode(formatRefusal(read))).toMatchObject({ id: 7, type: 'response', opcode: 'UPDATE', rcode: 'NOTIMP' });
  });

  test('cut anywhere is told', () => {
    for (let length = 0; length < query.length; length += 1) {
      expect(readQuery(query.subarray(0, length)).kind).toBe('malformed');
    }
  });

  test('any bytes give a value, never a throw, and a query that can be answered', () => {
    const largestAnswer = (bytes: Uint8Array): number => {
      const read = readQuery(bytes);
      return read.kind === 'query' ? formatDatagram(read.query, records(3)).length : 0;
    };
    // Random flags hardly ever say "query with one question".
    const header = fc.constantFrom([], [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1], [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 600 }), (start, rest) => {
        expect(largestAnswer(Uint8Array.from([...start, ...rest]))).toBeLessThanOrEqual(1232);
      }),
      { numRuns: runs },
    );
  });
});
