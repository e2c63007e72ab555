// DNS messages (RFC 1035 §4.1), with the options of EDNS (RFC 6891 §6.1) taken out of the records.
//
//     0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//   +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//   |                      id                       |
//   |qr| opcode    |aa|tc|rd|ra| z|ad|cd|   rcode   |
//   |  questions  |  answers  |authorities|  more   |   16 bits each
//   |  question: name, type, class                  |
//   |  records                                      |
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter, EncodeError } from '../bytes/writer.ts';
import { decodeName, encodeName, type NamePlaces } from './name.ts';
import {
  decodeRecordData,
  decodeRecordHead,
  type DnsRecord,
  encodeRecord,
  formatType,
  optionsType,
  parseType,
  type RecordHead,
} from './record.ts';

export interface Question {
  readonly name: string;
  /** "A", "AXFR", "TYPE65". */
  readonly type: string;
  readonly classCode: number;
}

export interface EdnsOptions {
  /** The most that the sender takes in a datagram. */
  readonly datagramBytes: number;
  /** The upper eight bits of the response code. */
  readonly extendedCode: number;
  readonly version: number;
  readonly flags: number;
  /** As they came. */
  readonly options: Uint8Array;
}

/** Bits of the second word. */
export const messageFlags = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
} as const;

export interface Message {
  readonly id: number;
  /** The second word as it is: flags, kind of query, response code. */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
  readonly edns?: EdnsOptions;
}

export const headerBytes = 12;

/** Throws DecodeError on anything that is not a whole DNS message. */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ByteReader(bytes);
  const [id, flags] = [reader.u16(), reader.u16()];
  const [questionCount, answerCount, authorityCount, additionalCount] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  const questions = times(questionCount, () => ({
    name: decodeName(bytes, reader),
    type: formatType(reader.u16()),
    classCode: reader.u16(),
  }));
  const decodeRecord = (): DnsRecord => decodeRecordData(bytes, reader, decodeRecordHead(bytes, reader));
  const answers = times(answerCount, decodeRecord);
  const authorities = times(authorityCount, decodeRecord);
  const additionals: DnsRecord[] = [];
  let edns: EdnsOptions | undefined;
  for (let count = 0; count < additionalCount; count += 1) {
    const head = decodeRecordHead(bytes, reader);
    if (head.typeCode !== optionsType) additionals.push(decodeRecordData(bytes, reader, head));
    else if (edns !== undefined) throw reader.error('there are two sets of EDNS options');
    else edns = decodeEdns(reader, head);
  }
  if (reader.remaining > 0) throw reader.error(`${reader.remaining} bytes after the end of the message`);
  return { id, flags, questions, answers, authorities, additionals, ...(edns === undefined ? {} : { edns }) };
}

/** Every record takes bytes, so a count that lies ends with those. */
function times<Value>(count: number, read: () => Value): readonly Value[] {
  const values: Value[] = [];
  while (values.length < count) values.push(read());
  return values;
}

/** RFC 6891 §6.1.3: class and time to live have other meanings here. */
function decodeEdns(reader: ByteReader, { name, classCode, ttlSeconds }: RecordHead): EdnsOptions {
  if (name !== '') throw reader.error('EDNS options have a name');
  return {
    datagramBytes: classCode,
    extendedCode: Math.floor(ttlSeconds / 2 ** 24),
    version: Math.floor(ttlSeconds / 2 ** 16) % 256,
    flags: ttlSeconds % 2 ** 16,
    options: reader.bytes(reader.u16()),
  };
}

/** Names that stand twice are pointed to. Throws EncodeError. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  const places: NamePlaces = { known: new Map(), base: 0 };
  const { id, flags, questions, answers, authorities, additionals, edns } = message;
  for (const word of [id, flags, questions.length, answers.length, authorities.length]) writer.u16(word);
  writer.u16(additionals.length + (edns === undefined ? 0 : 1));
  for (const { name, type, classCode } of questions) {
    encodeName(writer, name, places);
    writer.u16(parseType(type));
    writer.u16(classCode);
  }
  for (const record of [...answers, ...authorities, ...additionals]) encodeRecord(writer, record, places);
  if (edns !== undefined) encodeEdns(writer, edns);
  if (writer.length > 0xffff) throw new EncodeError(`a message of ${writer.length} bytes; 65535 is the most`);
  return writer.finish();
}

function encodeEdns(writer: ByteWriter, { datagramBytes, extendedCode, version, flags, options }: EdnsOptions): void {
  writer.u8(0);
  writer.u16(optionsType);
  writer.u16(datagramBytes);
  writer.u8(extendedCode);
  writer.u8(version);
  writer.u16(flags);
  writer.u16(options.length);
  writer.bytes(options);
}
