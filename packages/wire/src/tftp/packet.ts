// TFTP packets with the option extension. RFC 1350 §5, 2347
//
//   read, write   │ 1 or 2 │ file name 0 │ mode 0 │ name 0 value 0 ... │
//   data          │ 3 │ block │ up to blksize bytes │     a short block is the last
//   ack           │ 4 │ block │
//   error         │ 5 │ code  │ message 0 │
//   oack          │ 6 │ name 0 value 0 ... │
//
// The format has no length, so a request cut between two options is a shorter request and a cut block is a short block;
// a cut anywhere else is an error.
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';
import { decodeTftpOptions, encodeTftpOptions, type TftpOptions } from './options.ts';

export interface TftpRequest {
  readonly kind: 'read' | 'write';
  readonly fileName: string;
  /** Lower case: "octet", "netascii". */
  readonly mode: string;
  readonly options: TftpOptions;
}

export type TftpPacket =
  | TftpRequest
  | { readonly kind: 'data'; readonly block: number; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'oack'; readonly options: TftpOptions };

const opcode = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;

/** RFC 1350 §5, RFC 2347 (8). */
export const tftpErrorCode = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionRefused: 8,
} as const;

/** Throws DecodeError on anything that is not a TFTP packet. */
export function decodeTftp(bytes: Uint8Array): TftpPacket {
  const reader = new ByteReader(bytes);
  const packet = decodeBody(reader);
  if (reader.remaining > 0) throw reader.error(`${reader.remaining} bytes after the end of the packet`);
  return packet;
}

function decodeBody(reader: ByteReader): TftpPacket {
  const code = reader.u16();
  switch (code) {
    case opcode.read:
    case opcode.write:
      return {
        kind: code === opcode.read ? 'read' : 'write',
        fileName: reader.terminated('the file name'),
        mode: reader.terminated('the mode').toLowerCase(),
        options: decodeTftpOptions(reader),
      };
    case opcode.data:
      return { kind: 'data', block: reader.u16(), bytes: reader.rest() };
    case opcode.ack:
      return { kind: 'ack', block: reader.u16() };
    case opcode.error:
      return { kind: 'error', code: reader.u16(), message: reader.terminated('the error message') };
    case opcode.oack:
      return { kind: 'oack', options: decodeTftpOptions(reader) };
    default:
      throw reader.error(`opcode ${code} is not 1 to 6`);
  }
}

export function encodeTftp(packet: TftpPacket): Uint8Array {
  const writer = new ByteWriter();
  writer.u16(opcode[packet.kind]);
  switch (packet.kind) {
    case 'read':
    case 'write':
      writer.terminated(packet.fileName);
      writer.terminated(packet.mode);
      encodeTftpOptions(writer, packet.options);
      break;
    case 'data':
      writer.u16(packet.block);
      writer.bytes(packet.bytes);
      break;
    case 'ack':
      writer.u16(packet.block);
      break;
    case 'error':
      writer.u16(packet.code);
      writer.terminated(packet.message);
      break;
    case 'oack':
      encodeTftpOptions(writer, packet.options);
      break;
  }
  return writer.finish();
}
