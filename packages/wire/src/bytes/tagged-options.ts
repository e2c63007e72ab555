// Tag-length-value options from one table: decoder, encoder, types and printer all derive from it. What the table does
// not know survives as raw bytes.
//
//   ┌──────┬────────┬───────────┐┌──────┬────────┬──────┐     ┌─────┐
//   │ code │ length │ value ... ││ code │ length │ ...  │ ... │ 255 │   0 is a pad byte without a length
//   └──────┴────────┴───────────┘└──────┴────────┴──────┘     └─────┘
//
// An option longer than 255 bytes, or sent in several pieces, is one option of all pieces in order (RFC 3396 §5, §7).
import type { Codec } from './codec.ts';
import { ByteReader, hexOf } from './reader.ts';
import { ByteWriter, EncodeError } from './writer.ts';

export interface OptionSpec<Value> {
  readonly code: number;
  readonly codec: Codec<Value>;
  /** Where it is specified. */
  readonly source: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

type ValueOf<Spec> = Spec extends OptionSpec<infer Value> ? Value : never;

export type OptionsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]?: ValueOf<Table[Name]>;
} & {
  /** Options the table does not know, by code. */
  readonly unknown?: ReadonlyMap<number, Uint8Array>;
};

const padCode = 0;
export const endCode = 255;

export function option<Value>(code: number, codec: Codec<Value>, source: string): OptionSpec<Value> {
  return { code, codec, source };
}

/** Where each piece of an option was found, in order. */
export type OptionPieces = Map<number, { readonly offset: number; readonly bytes: Uint8Array[] }>;

/**
 * Collects the options up to the end mark into `pieces`. 'end-mark' wants one, as DHCP does (RFC 2131 §4.1);
 * 'end-of-bytes' is for options inside an option, where the outer length says enough.
 */
export function collectOptions(reader: ByteReader, pieces: OptionPieces, ends: 'end-mark' | 'end-of-bytes'): void {
  while (reader.remaining > 0) {
    const { offset } = reader;
    const code = reader.u8();
    if (code === padCode) continue;
    if (code === endCode) return;
    const bytes = reader.bytes(reader.u8());
    const earlier = pieces.get(code);
    if (earlier === undefined) pieces.set(code, { offset: offset + 2, bytes: [bytes] });
    else earlier.bytes.push(bytes);
  }
  if (ends === 'end-mark') throw reader.error('the options have no end mark');
}

export function decodePieces<Table extends OptionTable>(table: Table, pieces: OptionPieces): OptionsOf<Table> {
  const options: Record<string, unknown> = {};
  const names = namesByCode(table);
  const unknown = new Map<number, Uint8Array>();
  for (const [code, { offset, bytes }] of [...pieces].sort(([one], [other]) => one - other)) {
    const whole = concatenate(bytes);
    const name = names.get(code);
    const spec = name === undefined ? undefined : table[name];
    if (name === undefined || spec === undefined) {
      unknown.set(code, whole);
      continue;
    }
    const reader = new ByteReader(whole, offset);
    options[name] = spec.codec.decode(reader);
    if (reader.remaining > 0) throw reader.error(`option ${code} (${name}) is ${reader.remaining} bytes too long`);
  }
  if (unknown.size > 0) options['unknown'] = unknown;
  return options as OptionsOf<Table>;
}

/** Writes the options in the table's order, then the unknown ones, without an end mark. */
export function encodeOptions<Table extends OptionTable>(
  writer: ByteWriter,
  table: Table,
  options: OptionsOf<Table>,
  last?: keyof Table,
): void {
  const write = (name: string, spec: OptionSpec<unknown>): void => {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) return;
    const inner = new ByteWriter();
    spec.codec.encode(inner, value);
    writePieces(writer, spec.code, inner.finish());
  };
  for (const [name, spec] of Object.entries(table)) if (name !== last) write(name, spec);
  const names = namesByCode(table);
  for (const [code, bytes] of options.unknown ?? []) {
    if (names.has(code) || code === padCode || code === endCode) throw new EncodeError(`${code} is not unknown`);
    writePieces(writer, code, bytes);
  }
  const lastSpec = last === undefined ? undefined : table[last];
  if (last !== undefined && lastSpec !== undefined) write(String(last), lastSpec);
}

/** One line an option: "53 messageType: 1 DISCOVER". */
export function formatOptions<Table extends OptionTable>(table: Table, options: OptionsOf<Table>): string[] {
  const lines: string[] = [];
  for (const [name, spec] of Object.entries(table)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) lines.push(`${spec.code} ${name}: ${spec.codec.format(value)}`);
  }
  for (const [code, bytes] of options.unknown ?? []) lines.push(`${code} unknown: ${hexOf(bytes, ' ')}`);
  return lines;
}

/** Options inside an option; an end mark may close them. */
export function nestedOptions<Table extends OptionTable>(table: Table, close: boolean): Codec<OptionsOf<Table>> {
  return {
    decode: (reader) => {
      const pieces: OptionPieces = new Map();
      collectOptions(reader, pieces, 'end-of-bytes');
      reader.rest();
      return decodePieces(table, pieces);
    },
    encode: (writer, value) => {
      encodeOptions(writer, table, value);
      if (close) writer.u8(endCode);
    },
    format: (value) => `{ ${formatOptions(table, value).join('; ')} }`,
  };
}

function writePieces(writer: ByteWriter, code: number, bytes: Uint8Array): void {
  let at = 0;
  do {
    const piece = bytes.subarray(at, at + 255);
    writer.u8(code);
    writer.u8(piece.length);
    writer.bytes(piece);
    at += 255;
  } while (at < bytes.length);
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter();
  for (const piece of pieces) writer.bytes(piece);
  return writer.finish();
}

const codeIndexes = new WeakMap<OptionTable, ReadonlyMap<number, string>>();

function namesByCode(table: OptionTable): ReadonlyMap<number, string> {
  let index = codeIndexes.get(table);
  if (index === undefined) {
    index = new Map(Object.entries(table).map(([name, spec]) => [spec.code, name]));
    codeIndexes.set(table, index);
  }
  return index;
}
