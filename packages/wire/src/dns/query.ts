// What a name server reads and writes: one question in, one reply out, no larger than the asker takes.
import { DecodeError } from '../bytes/reader.ts';
import { decodeMessage, type EdnsOptions, encodeMessage, headerBytes, type Message, messageFlags } from './message.ts';
import { type DnsRecord, internetClass } from './record.ts';

export interface Query {
  readonly id: number;
  readonly isRecursionDesired: boolean;
  /** Without the last dot, as the client wrote it; '' is the root. */
  readonly name: string;
  /** "A", "AAAA", "SRV"; "TYPE65" for one without a name here. */
  readonly type: string;
  readonly isInternet: boolean;
  /** The question as it came, for comparing. */
  readonly question: Uint8Array;
  /** Absent when the client speaks no EDNS. */
  readonly edns?: Pick<EdnsOptions, 'datagramBytes' | 'version'>;
}

export type ReadMessage =
  | { readonly kind: 'query'; readonly query: Query }
  /** A message that can be answered with nothing but a code: 1 (malformed), 4 (not implemented). */
  | ({ readonly kind: 'refused' } & Refused)
  /** Not a query at all; whoever sent it gets no answer. */
  | { readonly kind: 'malformed'; readonly why: string };

interface Refused {
  readonly id: number;
  /** The kind of query, in its place: the answer is of the same one. */
  readonly opcodeBits: number;
  readonly code: 1 | 4;
}

/** RFC 1035 §4.1.1; 16 by RFC 6891 §9. */
export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;
export type ResponseCode = (typeof responseCodes)[keyof typeof responseCodes];

/** What passes every usual network in one piece (DNS flag day 2020). */
const largestDatagram = 1232;
const smallestDatagram = 512;
const opcodeMask = 0x7800;
/** EDNS, a signature, and some room. */
const mostAdditionals = 4;

/** Total: any bytes give a value. */
export function readQuery(bytes: Uint8Array): ReadMessage {
  if (bytes.length < headerBytes) return { kind: 'malformed', why: 'shorter than a header' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [id, flags] = [view.getUint16(0), view.getUint16(2)];
  if ((flags & messageFlags.response) !== 0) return { kind: 'malformed', why: 'an answer, not a query' };
  const opcodeBits = flags & opcodeMask;
  if (opcodeBits !== 0) return { kind: 'refused', id, opcodeBits, code: responseCodes.notImplemented };
  // A query has one question and at most the few records of EDNS and signatures; more is an attempt to keep us busy.
  const [questions, answers, authorities, more] = [4, 6, 8, 10].map((offset) => view.getUint16(offset));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (more ?? 0) > mostAdditionals) {
    return { kind: 'refused', id, opcodeBits, code: responseCodes.formatError };
  }
  const end = findQuestionEnd(bytes);
  if (end === undefined) return { kind: 'malformed', why: 'the question is cut short' };
  try {
    const { questions: asked, edns } = decodeMessage(bytes);
    const [question] = asked;
    if (question === undefined) return { kind: 'refused', id, opcodeBits, code: responseCodes.formatError };
    const query: Query = {
      id,
      isRecursionDesired: (flags & messageFlags.recursionDesired) !== 0,
      name: question.name,
      type: question.type,
      isInternet: question.classCode === internetClass,
      question: bytes.slice(headerBytes, end),
      ...(edns === undefined ? {} : { edns: { datagramBytes: edns.datagramBytes, version: edns.version } }),
    };
    return { kind: 'query', query };
  } catch (error) {
    if (error instanceof DecodeError) return { kind: 'malformed', why: error.message };
    throw error;
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
  /** Whether this server asks others for what it does not know. */
  readonly offersRecursion: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** As bytes, for a stream. Throws EncodeError for more than a message can carry. */
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
  reply: Omit<Reply, 'answers' | 'authorities' | 'additionals'>,
): Uint8Array {
  const { code, isAuthoritative, offersRecursion } = reply;
  return encodeReply(query, { code, isAuthoritative, offersRecursion, answers: [] }, messageFlags.truncated);
}

export function datagramLimit({ edns }: Query): number {
  return Math.min(Math.max(edns?.datagramBytes ?? smallestDatagram, smallestDatagram), largestDatagram);
}

function encodeReply(query: Query, reply: Reply, more: number): Uint8Array {
  const flags =
    messageFlags.response |
    (reply.isAuthoritative ? messageFlags.authoritative : 0) |
    (query.isRecursionDesired ? messageFlags.recursionDesired : 0) |
    (reply.offersRecursion ? messageFlags.recursionAvailable : 0) |
    more |
    (reply.code & 0xf);
  const edns = {
    datagramBytes: largestDatagram,
    extendedCode: reply.code >> 4,
    version: 0,
    flags: 0,
    options: new Uint8Array(0),
  };
  const bytes = encodeMessage({
    id: query.id,
    flags,
    questions: [{ name: query.name, type: query.type, classCode: internetClass }],
    answers: reply.answers,
    authorities: reply.authorities ?? [],
    additionals: reply.additionals ?? [],
    ...(query.edns === undefined ? {} : { edns }),
  });
  // The question goes back byte for byte: clients compare it, some with a mix of cases of their own.
  bytes.set(query.question, headerBytes);
  return bytes;
}

/** A header alone. */
export function formatRefusal({ id, opcodeBits, code }: Refused): Uint8Array {
  return encodeMessage({ ...emptyMessage, id, flags: messageFlags.response | opcodeBits | code });
}

const emptyMessage = { questions: [], answers: [], authorities: [], additionals: [] } as const;

/** A query of our own. */
export function formatQuery(id: number, name: string, type: string): Uint8Array {
  const questions = [{ name, type, classCode: internetClass }];
  return encodeMessage({ ...emptyMessage, id, flags: messageFlags.recursionDesired, questions });
}

/** The answers of a message that came for a query of our own; undefined when it cannot be read. */
export function readAnswers(
  bytes: Uint8Array,
): { readonly code: number; readonly answers: readonly DnsRecord[] } | undefined {
  try {
    const { flags, answers }: Message = decodeMessage(bytes);
    return { code: flags & 0xf, answers };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Whether the message answers this very question: only the case of letters may differ. */
export function isAnswerTo(bytes: Uint8Array, id: number, question: Uint8Array): boolean {
  if (bytes.length < headerBytes + question.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== id || (view.getUint16(2) & messageFlags.response) === 0 || view.getUint16(4) !== 1) {
    return false;
  }
  return question.every((byte, index) => fold(byte) === fold(bytes[headerBytes + index] ?? 0));
}

const fold = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);
