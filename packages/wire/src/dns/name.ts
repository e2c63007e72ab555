// Names in DNS messages (RFC 1035 §3.1, §4.1.4): labels with their lengths, or a pointer to where the rest stood before.
//
//   ┌───┬─────┬───┬──────┬───┐      ┌───┬─────┬────────┬──────────┐
//   │ 3 │ web │ 3 │ test │ 0 │      │ 3 │ nas │ 11 ptr │ offset   │    a pointer is two bytes and ends the name
//   └───┴─────┴───┴──────┴───┘      └───┴─────┴────────┴──────────┘
//
// As text a name has no last dot and '' is the root; a dot, a backslash or an unprintable byte inside a label is \DDD.
import { type ByteReader, DecodeError } from '../bytes/reader.ts';
import { type ByteWriter, EncodeError } from '../bytes/writer.ts';

const longestLabel = 63;
/** With the lengths and the last zero. */
const longestName = 255;
const pointerMark = 0xc0;
/** What a pointer can reach. */
const furthestPointer = 0x3fff;

/**
 * Reads the name at the reader's place in `message`, which the reader is over. Pointers lead only backwards, so there is no
 * loop. Throws DecodeError.
 */
export function decodeName(message: Uint8Array, reader: ByteReader): string {
  const labels: string[] = [];
  let size = 1;
  const take = (label: Uint8Array, at: number): void => {
    size += 1 + label.length;
    if (size > longestName) throw new DecodeError(`a name is longer than ${longestName} bytes`, at);
    labels.push(formatLabel(label));
  };
  const start = reader.offset;
  for (;;) {
    const at = reader.offset;
    const length = reader.u8();
    if (length === 0) return labels.join('.');
    if (length <= longestLabel) take(reader.bytes(length), at);
    else {
      const target = readPointer(length, reader.u8(), start, at);
      followPointers(message, target, take);
      return labels.join('.');
    }
  }
}

/** The rest of a name, after its first pointer. */
function followPointers(message: Uint8Array, from: number, take: (label: Uint8Array, at: number) => void): void {
  let start = from;
  let at = from;
  for (;;) {
    const length = message[at];
    if (length === undefined) throw new DecodeError('a name runs past the end', at);
    if (length === 0) return;
    if (length <= longestLabel) {
      const end = at + 1 + length;
      if (end > message.length) throw new DecodeError('a label runs past the end', at);
      take(message.subarray(at + 1, end), at);
      at = end;
    } else {
      const low = message[at + 1];
      if (low === undefined) throw new DecodeError('a pointer is cut short', at);
      start = at = readPointer(length, low, start, at);
    }
  }
}

/** Before `start`, where the labels that it continues began. */
function readPointer(high: number, low: number, start: number, at: number): number {
  if ((high & pointerMark) !== pointerMark) throw new DecodeError(`${high} is no length of a label`, at);
  const target = (high & ~pointerMark) * 256 + low;
  if (target >= start) throw new DecodeError('a pointer does not lead backwards', at);
  return target;
}

/** Where names, and the ends of names, stand in the message that is being written. */
export interface NamePlaces {
  readonly known: Map<string, number>;
  /** Where the writer begins in the message. */
  readonly base: number;
}

/** Writes a name; with `places`, what stood before is pointed to. Throws EncodeError. */
export function encodeName(writer: ByteWriter, name: string, places?: NamePlaces): void {
  let labels = splitName(name);
  const size = labels.reduce((sum, label) => sum + 1 + parseLabel(label).length, 1);
  if (size > longestName) throw new EncodeError(`the name "${name}" is longer than ${longestName} bytes`);
  for (;;) {
    const [label, ...rest] = labels;
    if (label === undefined) {
      writer.u8(0);
      return;
    }
    const suffix = labels.join('.');
    const known = places?.known.get(suffix);
    if (known !== undefined) {
      writer.u16(pointerMark * 256 + known);
      return;
    }
    const place = (places?.base ?? 0) + writer.length;
    if (place <= furthestPointer) places?.known.set(suffix, place);
    const bytes = parseLabel(label);
    if (bytes.length === 0 || bytes.length > longestLabel) {
      throw new EncodeError(`a label of "${name}" is empty or longer than ${longestLabel} bytes`);
    }
    writer.u8(bytes.length);
    writer.bytes(bytes);
    labels = rest;
  }
}

/** Labels of a name as text; a dot inside a label is escaped, so every dot separates. */
function splitName(name: string): readonly string[] {
  return name === '' || name === '.' ? [] : name.replace(/\.$/, '').split('.');
}

function formatLabel(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}

function parseLabel(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/\\\d{3}|[^\\]|\\/g)) {
    const code = part.length === 4 ? Number(part.slice(1)) : part.charCodeAt(0);
    if (part === '\\' || part.length === 2 || code > 255) throw new EncodeError(`"${text}" is no label of a name`);
    bytes.push(code);
  }
  return Uint8Array.from(bytes);
}
