// A codec is a value: how to read, write and print one kind of field. Small ones combine into larger ones.
import { ByteReader, hexOf, textOf } from './reader.ts';
import { ByteWriter, EncodeError } from './writer.ts';

export interface Codec<Value> {
  /** Reads the value; fields that run to the end of their option take all that remains. */
  decode(reader: ByteReader): Value;
  encode(writer: ByteWriter, value: Value): void;
  format(value: Value): string;
}

export const u8: Codec<number> = {
  decode: (reader) => reader.u8(),
  encode: (writer, value) => writer.u8(value),
  format: String,
};

export const u16: Codec<number> = {
  decode: (reader) => reader.u16(),
  encode: (writer, value) => writer.u16(value),
  format: String,
};

export const u32: Codec<number> = {
  decode: (reader) => reader.u32(),
  encode: (writer, value) => writer.u32(value),
  format: String,
};

/** A signed byte in two's complement. */
export const i8: Codec<number> = {
  decode: (reader) => {
    const value = reader.u8();
    return value > 127 ? value - 256 : value;
  },
  encode: (writer, value) => {
    if (value < -128 || value > 127) throw new EncodeError(`${value} does not fit into a signed byte`);
    writer.u8(value < 0 ? value + 256 : value);
  },
  format: String,
};

/** An IPv4 address as a dotted quad. */
export const ipv4: Codec<string> = {
  decode: (reader) => reader.bytes(4).join('.'),
  encode: (writer, value) => {
    const parts = value.split('.');
    if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) {
      throw new EncodeError(`"${value}" is not an IPv4 address`);
    }
    for (const part of parts) writer.u8(Number(part));
  },
  format: (value) => value,
};

/** All that remains, as it is. */
export const rawBytes: Codec<Uint8Array> = {
  decode: (reader) => reader.rest(),
  encode: (writer, value) => writer.bytes(value),
  format: (value) => hexOf(value, ' '),
};

/** All that remains as text. Some clients end it with zero bytes, which are dropped (RFC 2132 §2). */
export const text: Codec<string> = {
  decode: (reader) => textOf(reader.rest()).replace(/\0+$/, ''),
  encode: (writer, value) => writer.text(value),
  format: (value) => JSON.stringify(value),
};

/** Values one after the other, up to the end. */
export function listOf<Value>(item: Codec<Value>): Codec<readonly Value[]> {
  return {
    decode: (reader) => {
      const values: Value[] = [];
      while (reader.remaining > 0) values.push(item.decode(reader));
      return values;
    },
    encode: (writer, values) => {
      for (const value of values) item.encode(writer, value);
    },
    format: (values) => values.map((value) => item.format(value)).join(', '),
  };
}

/** The codec with names for some of its numbers in the printed form. */
export function named(codec: Codec<number>, names: Readonly<Record<number, string>>): Codec<number> {
  return { ...codec, format: (value) => (names[value] === undefined ? String(value) : `${value} ${names[value]}`) };
}
