// The DHCPv4 message: BOOTP's fixed header and tagged options. RFC 951, 1542, 2131, 2132, 3396
//
//    0               1               2               3
//   ┌───────────────┬───────────────┬───────────────┬───────────────┐
//   │      op       │     htype     │     hlen      │     hops      │
//   ├───────────────┴───────────────┴───────────────┴───────────────┤
//   │                              xid                              │
//   ├───────────────────────────────┬───────────────────────────────┤
//   │             secs              │ B           flags             │
//   ├───────────────────────────────┴───────────────────────────────┤
//   │         ciaddr, yiaddr, siaddr, giaddr: four bytes each       │
//   ├───────────────────────────────────────────────────────────────┤
//   │         chaddr 16 · sname 64 · file 128 · 63 82 53 63         │
//   ├───────────────────────────────────────────────────────────────┤
//   │         options ... 255, then zeros up to 300 bytes           │
//   └───────────────────────────────────────────────────────────────┘
import { ipv4 } from '../bytes/codec.ts';
import { ByteReader, hexOf, textOf } from '../bytes/reader.ts';
import {
  collectOptions,
  decodePieces,
  encodeOptions,
  endCode,
  formatOptions,
  type OptionPieces,
} from '../bytes/tagged-options.ts';
import { ByteWriter, EncodeError, bytesOf } from '../bytes/writer.ts';
import { dhcpOptionTable, type DhcpOptions } from './options.ts';

export interface DhcpMessage {
  readonly op: 'request' | 'reply';
  /** 1 is Ethernet. */
  readonly hardwareType: number;
  readonly hops: number;
  /** The client's number for one exchange. */
  readonly xid: number;
  readonly secs: number;
  /** Bit 15 asks for a broadcast answer (RFC 2131 §2, figure 2). */
  readonly flags: number;
  /** Dotted quads; "0.0.0.0" when unset. The client's own, the one given to it, the boot server, the relay. */
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  /** As many bytes as hlen says, at most 16. */
  readonly chaddr: Uint8Array;
  readonly sname: string;
  readonly file: string;
  /** Those in an overloaded file and sname field (option 52) are among them. */
  readonly options: DhcpOptions;
}

export const unsetAddress = '0.0.0.0';
const magic = 0x63_82_53_63;
/** Old ROMs drop shorter answers: BOOTP has 64 bytes of vendor area (RFC 1542 §2.1). */
const smallestMessage = 300;
const overloadCode = 52;

/** Throws DecodeError on anything that is not a whole DHCP message. */
export function decodeDhcp(bytes: Uint8Array): DhcpMessage {
  const reader = new ByteReader(bytes);
  const opCode = reader.u8();
  if (opCode !== 1 && opCode !== 2) throw reader.error(`op is ${opCode}, not 1 or 2`);
  const hardwareType = reader.u8();
  const hardwareLength = reader.u8();
  if (hardwareLength > 16) throw reader.error(`a hardware address of ${hardwareLength} bytes does not fit`);
  const header = {
    op: opCode === 1 ? ('request' as const) : ('reply' as const),
    hardwareType,
    hops: reader.u8(),
    xid: reader.u32(),
    secs: reader.u16(),
    flags: reader.u16(),
    ciaddr: ipv4.decode(reader),
    yiaddr: ipv4.decode(reader),
    siaddr: ipv4.decode(reader),
    giaddr: ipv4.decode(reader),
    chaddr: reader.bytes(16).slice(0, hardwareLength),
  };
  const snameArea = reader.slice(64);
  const fileArea = reader.slice(128);
  if (reader.u32() !== magic) throw reader.error('the magic cookie of DHCP is missing');
  const pieces: OptionPieces = new Map();
  collectOptions(reader, pieces, 'end-mark');
  const overload = overloadOf(pieces, reader);
  // RFC 3396 §5: the pieces continue in file, then in sname.
  if (overload & 1) collectOptions(fileArea, pieces, 'end-mark');
  if (overload & 2) collectOptions(snameArea, pieces, 'end-mark');
  pieces.delete(overloadCode);
  return {
    ...header,
    sname: overload & 2 ? '' : paddedText(snameArea),
    file: overload & 1 ? '' : paddedText(fileArea),
    options: decodePieces(dhcpOptionTable, pieces),
  };
}

/** Throws EncodeError when a value does not fit its field or the whole is larger than the client takes. */
export function encodeDhcp(message: DhcpMessage, largestBytes = 65_507): Uint8Array {
  if (message.chaddr.length > 16) throw new EncodeError('a hardware address has at most 16 bytes');
  if (message.options.unknown?.has(overloadCode)) throw new EncodeError('option 52 is of the encoding, not a value');
  const writer = new ByteWriter();
  writer.u8(message.op === 'request' ? 1 : 2);
  writer.u8(message.hardwareType);
  writer.u8(message.chaddr.length);
  writer.u8(message.hops);
  writer.u32(message.xid);
  writer.u16(message.secs);
  writer.u16(message.flags);
  for (const address of [message.ciaddr, message.yiaddr, message.siaddr, message.giaddr]) ipv4.encode(writer, address);
  writer.bytes(message.chaddr);
  writer.zeros(16 - message.chaddr.length);
  writePadded(writer, message.sname, 64);
  writePadded(writer, message.file, 128);
  writer.u32(magic);
  // RFC 3046 §2.1: a relay agent's option comes back as the last one.
  encodeOptions(writer, dhcpOptionTable, message.options, 'relayAgent');
  writer.u8(endCode);
  if (writer.length < smallestMessage) writer.zeros(smallestMessage - writer.length);
  if (writer.length > largestBytes) {
    throw new EncodeError(`the message has ${writer.length} bytes, the client takes ${largestBytes}`);
  }
  return writer.finish();
}

/** The whole message in lines, for a person. */
export function formatDhcp(message: DhcpMessage): string {
  return [
    `${message.op} xid ${message.xid.toString(16).padStart(8, '0')} from ${hexOf(message.chaddr, ':')}` +
      ` (hops ${message.hops}, secs ${message.secs}, flags ${message.flags.toString(16).padStart(4, '0')})`,
    `ciaddr ${message.ciaddr}, yiaddr ${message.yiaddr}, siaddr ${message.siaddr}, giaddr ${message.giaddr}`,
    ...(message.sname === '' ? [] : [`sname ${JSON.stringify(message.sname)}`]),
    ...(message.file === '' ? [] : [`file ${JSON.stringify(message.file)}`]),
    ...formatOptions(dhcpOptionTable, message.options),
  ].join('\n');
}

function overloadOf(pieces: OptionPieces, reader: ByteReader): number {
  const option = pieces.get(overloadCode);
  if (option === undefined) return 0;
  const value = option.bytes.length === 1 && option.bytes[0]?.length === 1 ? option.bytes[0][0] : undefined;
  if (value === undefined || value < 1 || value > 3) throw reader.error('option 52 (overload) is not 1, 2 or 3');
  return value;
}

function paddedText(area: ByteReader): string {
  const bytes = area.rest();
  const end = bytes.indexOf(0);
  return textOf(end === -1 ? bytes : bytes.subarray(0, end));
}

function writePadded(writer: ByteWriter, value: string, size: number): void {
  const bytes = bytesOf(value);
  if (bytes.length > size || bytes.includes(0)) throw new EncodeError(`"${value}" does not fit into ${size} bytes`);
  writer.bytes(bytes);
  writer.zeros(size - bytes.length);
}
