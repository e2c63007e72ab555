// DNS messages as the cluster's name server reads and writes them (RFC 1035 §4, EDNS by RFC 6891).
//
//     0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//   +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//   |                      id                       |
//   |qr| opcode    |aa|tc|rd|ra| z|ad|cd|   rcode   |
//   |  questions  |  answers  |authorities|  more   |   16 bits each
//   |  question: name, type, class                  |
//   |  records                                      |
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from '@leichtgewicht/dns-packet';
import type { ZoneRecord } from './cluster-zone.ts';

export interface Query {
  readonly id: number;
  readonly isRecursionDesired: boolean;
  /** Without the last dot, as the client wrote it; '' is the root. */
  readonly name: string;
  /** "A", "AAAA", "SRV"; "UNKNOWN_65" for one without a name here. */
  readonly type: string;
  readonly isInternet: boolean;
  /** The question as it came, for comparing. */
  readonly question: Uint8Array;
  /** The most that the client takes in a datagram; undefined when it speaks no EDNS. */
  readonly datagramBytes?: number;
}

export type ReadMessage =
  | { readonly kind: 'query'; readonly query: Query }
  /** A message that can be answered with nothing but a code: 1 (malformed), 4 (not implemented). */
  | { readonly kind: 'refused'; readonly id: number; readonly code: 1 | 4 }
  /** Not a query at all; whoever sent it gets no answer. */
  | { readonly kind: 'malformed'; readonly why: string };

export type ResponseCode = 0 | 1 | 2 | 3 | 4 | 5;
export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
} as const;

const headerBytes = 12;
/** What passes every usual network in one piece (DNS flag day 2020). */
const largestDatagram = 1232;
const smallestDatagram = 512;

export function readMessage(bytes: Uint8Array): ReadMessage {
  if (bytes.length < headerBytes) return { kind: 'malformed', why: 'shorter than a header' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [id, flags] = [view.getUint16(0), view.getUint16(2)];
  if ((flags & 0x8000) !== 0) return { kind: 'malformed', why: 'an answer, not a query' };
  if (((flags >> 11) & 0xf) !== 0) return { kind: 'refused', id, code: 4 };
  // A query has one question and at most the few records of EDNS and signatures; more is an attempt to keep us busy.
  const [questions, answers, authorities, more] = [4, 6, 8, 10].map((offset) => view.getUint16(offset));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (more ?? 0) > 4) return { kind: 'refused', id, code: 1 };
  const end = findQuestionEnd(bytes);
  if (end === undefined) return { kind: 'malformed', why: 'the question is cut short' };
  try {
    const packet = decode(bytes);
    const [question] = packet.questions ?? [];
    if (question === undefined) return { kind: 'refused', id, code: 1 };
    const options = packet.additionals?.find((record) => record.type === 'OPT') as
      | { readonly udpPayloadSize?: number }
      | undefined;
    return {
      kind: 'query',
      query: {
        id,
        isRecursionDesired: (flags & RECURSION_DESIRED) !== 0,
        name: question.name === '.' ? '' : question.name,
        type: question.type,
        isInternet: (question.class ?? 'IN') === 'IN',
        question: bytes.slice(headerBytes, end),
        ...(options === undefined ? {} : { datagramBytes: options.udpPayloadSize ?? smallestDatagram }),
      },
    };
  } catch (error) {
    return { kind: 'malformed', why: error instanceof Error ? error.message : String(error) };
  }
}

/** Where the first question ends: labels, a zero, type and class. Undefined when it is cut short or compressed. */
function findQuestionEnd(bytes: Uint8Array): number | undefined {
  let offset = headerBytes;
  for (;;) {
    const length = bytes[offset];
    if (length === undefined || length > 63) return undefined;
    offset += 1 + length;
    if (offset - headerBytes > 255) return undefined;
    if (length === 0) return offset + 4 <= bytes.length ? offset + 4 : undefined;
  }
}

export interface Reply {
  readonly code: ResponseCode;
  /** Of a zone of ours, so not from somebody else. */
  readonly isAuthoritative: boolean;
  readonly answers: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
}

/** As bytes, for a stream. */
export function formatReply(query: Query, reply: Reply): Uint8Array {
  return encodeReply(query, reply, 0);
}

/** As bytes, for a datagram: what is too large says so (TC), and the client asks again over TCP. */
export function formatDatagram(query: Query, reply: Reply): Uint8Array {
  const limit = datagramLimit(query);
  const whole = encodeReply(query, reply, 0);
  if (whole.length <= limit) return whole;
  const essential = encodeReply(query, { ...reply, additionals: [] }, 0);
  if (essential.length <= limit) return essential;
  return formatTruncated(query, reply);
}

/** Nothing but "ask over TCP". */
export function formatTruncated(
  query: Query,
  { code, isAuthoritative }: Pick<Reply, 'code' | 'isAuthoritative'>,
): Uint8Array {
  return encodeReply(query, { code, isAuthoritative, answers: [] }, TRUNCATED_RESPONSE);
}

export function datagramLimit({ datagramBytes = smallestDatagram }: Query): number {
  return Math.min(Math.max(datagramBytes, smallestDatagram), largestDatagram);
}

function encodeReply(query: Query, reply: Reply, more: number): Uint8Array {
  const flags =
    (reply.isAuthoritative ? AUTHORITATIVE_ANSWER : 0) |
    (query.isRecursionDesired ? RECURSION_DESIRED : 0) |
    RECURSION_AVAILABLE |
    more |
    reply.code;
  const edns = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: largestDatagram,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  } as unknown as Answer;
  const bytes = encode({
    type: 'response',
    id: query.id,
    flags,
    answers: [...reply.answers],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? []), ...(query.datagramBytes === undefined ? [] : [edns])],
  });
  // The question goes back byte for byte: clients compare it, some with a mix of cases of their own.
  const whole = new Uint8Array(bytes.length + query.question.length);
  whole.set(bytes.subarray(0, headerBytes));
  whole.set(query.question, headerBytes);
  whole.set(bytes.subarray(headerBytes), headerBytes + query.question.length);
  new DataView(whole.buffer).setUint16(4, 1);
  return whole;
}

/** A header alone. */
export function formatRefusal(id: number, code: ResponseCode): Uint8Array {
  return encode({ type: 'response', id, flags: code });
}

const recordSeconds = 5;

export function formatRecord(record: ZoneRecord): Answer {
  const common = { name: record.name, ttl: recordSeconds } as const;
  switch (record.type) {
    case 'A':
    case 'PTR': {
      return { ...common, type: record.type, data: record.data };
    }
    case 'TXT': {
      return { ...common, type: 'TXT', data: record.data };
    }
    case 'SRV': {
      return { ...common, type: 'SRV', data: { ...record.data, priority: 0, weight: 100 } };
    }
  }
}

/** Goes with every "there is no such thing", and says for how long that may be remembered (RFC 2308). */
export function startOfAuthority(zone: string): Answer {
  const seconds = { serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: recordSeconds };
  return {
    type: 'SOA',
    name: zone,
    ttl: recordSeconds,
    data: { mname: `ns.dns.${zone}`, rname: `hostmaster.${zone}`, ...seconds },
  };
}

export function formatAlias(name: string, target: string): Answer {
  return { type: 'CNAME', name, ttl: recordSeconds, data: target };
}

/** A query of our own, under another id. */
export function formatQuery(id: number, name: string, type: string): Uint8Array {
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
  });
}

/** The answers of a message that came for a query of our own; undefined when it cannot be read. */
export function readAnswers(
  bytes: Uint8Array,
): { readonly code: number; readonly answers: readonly Answer[] } | undefined {
  try {
    return { code: (bytes[3] ?? 0) & 0xf, answers: decode(bytes).answers ?? [] };
  } catch (error) {
    // The decoder tells malformed messages by plain errors; reading past the end gives a RangeError.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Whether the message answers this very question: only the case of letters may differ. */
export function isAnswerTo(bytes: Uint8Array, id: number, question: Uint8Array): boolean {
  if (bytes.length < headerBytes + question.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== id || (view.getUint16(2) & 0x8000) === 0 || view.getUint16(4) !== 1) return false;
  return question.every((byte, index) => fold(byte) === fold(bytes[headerBytes + index] ?? 0));
}

const fold = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);
