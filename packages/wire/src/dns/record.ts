// Resource records (RFC 1035 §3.2; AAAA: RFC 3596, SRV: RFC 2782). One table: decoder, encoder and the names of types follow
// from it. What the table does not know survives as raw bytes (RFC 3597).
//
//   ┌──────────┬──────┬───────┬─────────┬────────────┬──────────┐
//   │ name ... │ type │ class │   ttl   │ length = n │ n bytes  │
//   └──────────┴──────┴───────┴─────────┴────────────┴──────────┘
//                 16     16       32         16
import { ipv4 } from '../bytes/codec.ts';
import { type ByteReader, textOf } from '../bytes/reader.ts';
import { bytesOf, ByteWriter, EncodeError } from '../bytes/writer.ts';
import { ipv6 } from './ipv6.ts';
import { decodeName, encodeName, type NamePlaces } from './name.ts';

export interface StartOfAuthority {
  readonly primary: string;
  /** A mail address with a dot for the at sign. */
  readonly contact: string;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** How long "there is no such thing" may be remembered (RFC 2308). */
  readonly minimumSeconds: number;
}

interface RecordValues {
  readonly A: string;
  readonly NS: string;
  readonly CNAME: string;
  readonly SOA: StartOfAuthority;
  readonly PTR: string;
  readonly MX: { readonly preference: number; readonly exchange: string };
  /** Each text at most 255 bytes; one character a byte. */
  readonly TXT: readonly string[];
  readonly AAAA: string;
  readonly SRV: {
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  };
}

export type KnownRecordType = keyof RecordValues;

type KnownRecord = {
  readonly [Type in KnownRecordType]: { readonly type: Type; readonly data: RecordValues[Type] };
}[KnownRecordType];

/** Of a type that is not in the table, or of another class than Internet. */
interface OpaqueRecord {
  readonly type: 'OPAQUE';
  readonly typeCode: number;
  readonly classCode: number;
  readonly data: Uint8Array;
}

export type DnsRecord = { readonly name: string; readonly ttlSeconds: number } & (KnownRecord | OpaqueRecord);

export const internetClass = 1;
const lengthBytes = 2;

interface DataCodec<Value> {
  /** `message` is for names that point into it; `reader` is over it, and over no more than the record. */
  decode(message: Uint8Array, reader: ByteReader): Value;
  /** `places` only where RFC 3597 §4 allows to point. */
  encode(writer: ByteWriter, value: Value, places: NamePlaces): void;
}

const nameData: DataCodec<string> = { decode: decodeName, encode: encodeName };

const recordTypes: { readonly [Type in KnownRecordType]: { code: number; codec: DataCodec<RecordValues[Type]> } } = {
  A: {
    code: 1,
    codec: { decode: (_, reader) => ipv4.decode(reader), encode: (writer, value) => ipv4.encode(writer, value) },
  },
  NS: { code: 2, codec: nameData },
  CNAME: { code: 5, codec: nameData },
  SOA: {
    code: 6,
    codec: {
      decode: (message, reader) => ({
        primary: decodeName(message, reader),
        contact: decodeName(message, reader),
        serial: reader.u32(),
        refreshSeconds: reader.u32(),
        retrySeconds: reader.u32(),
        expireSeconds: reader.u32(),
        minimumSeconds: reader.u32(),
      }),
      encode: (writer, value, places) => {
        encodeName(writer, value.primary, places);
        encodeName(writer, value.contact, places);
        writer.u32(value.serial);
        writer.u32(value.refreshSeconds);
        writer.u32(value.retrySeconds);
        writer.u32(value.expireSeconds);
        writer.u32(value.minimumSeconds);
      },
    },
  },
  PTR: { code: 12, codec: nameData },
  MX: {
    code: 15,
    codec: {
      decode: (message, reader) => ({ preference: reader.u16(), exchange: decodeName(message, reader) }),
      encode: (writer, { preference, exchange }, places) => {
        writer.u16(preference);
        encodeName(writer, exchange, places);
      },
    },
  },
  TXT: {
    code: 16,
    codec: {
      decode: (_, reader) => {
        const texts = [];
        do texts.push(textOf(reader.bytes(reader.u8())));
        while (reader.remaining > 0);
        return texts;
      },
      encode: (writer, texts) => {
        if (texts.length === 0) throw new EncodeError('a TXT record has one text or more');
        for (const text of texts) {
          writer.u8(text.length);
          writer.bytes(bytesOf(text));
        }
      },
    },
  },
  AAAA: {
    code: 28,
    codec: { decode: (_, reader) => ipv6.decode(reader), encode: (writer, value) => ipv6.encode(writer, value) },
  },
  SRV: {
    code: 33,
    codec: {
      decode: (message, reader) => ({
        priority: reader.u16(),
        weight: reader.u16(),
        port: reader.u16(),
        target: decodeName(message, reader),
      }),
      encode: (writer, { priority, weight, port, target }) => {
        writer.u16(priority);
        writer.u16(weight);
        writer.u16(port);
        encodeName(writer, target);
      },
    },
  },
};

/** Types that only questions have (RFC 1035 §3.2.3, RFC 1995), and the one of EDNS. */
const questionTypes = { OPT: 41, IXFR: 251, AXFR: 252, ANY: 255 } as const;
export const optionsType = questionTypes.OPT;

const typeNames = new Map<number, string>(
  [
    ...Object.entries(recordTypes).map(([name, { code }]) => [name, code] as const),
    ...Object.entries(questionTypes),
  ].map(([name, code]) => [code, name]),
);
const typeCodes = new Map([...typeNames].map(([code, name]) => [name, code]));

/** "A", "SRV", "AXFR"; "TYPE65" for one without a name here (RFC 3597 §5). */
export function formatType(code: number): string {
  return typeNames.get(code) ?? `TYPE${code}`;
}

/** The inverse. Throws EncodeError. */
export function parseType(name: string): number {
  const code = typeCodes.get(name) ?? (/^TYPE\d{1,5}$/.test(name) ? Number(name.slice(4)) : undefined);
  if (code === undefined || code > 0xffff) throw new EncodeError(`"${name}" is no type of a record`);
  return code;
}

/** What stands before the data of any record, options included. */
export interface RecordHead {
  readonly name: string;
  readonly typeCode: number;
  readonly classCode: number;
  readonly ttlSeconds: number;
}

export function decodeRecordHead(message: Uint8Array, reader: ByteReader): RecordHead {
  const name = decodeName(message, reader);
  return { name, typeCode: reader.u16(), classCode: reader.u16(), ttlSeconds: reader.u32() };
}

/** The data after the head, its length first. Throws DecodeError. */
export function decodeRecordData(message: Uint8Array, reader: ByteReader, head: RecordHead): DnsRecord {
  const { name, ttlSeconds, typeCode, classCode } = head;
  const data = reader.slice(reader.u16());
  const type = typeNames.get(typeCode);
  if (classCode !== internetClass || type === undefined || !(type in recordTypes)) {
    return { name, ttlSeconds, type: 'OPAQUE', typeCode, classCode, data: data.rest() };
  }
  const value: unknown = recordTypes[type as KnownRecordType].codec.decode(message, data);
  if (data.remaining > 0) throw data.error(`${data.remaining} bytes too many in a record of type ${type}`);
  return { name, ttlSeconds, type, data: value } as DnsRecord;
}

/** Throws EncodeError. */
export function encodeRecord(writer: ByteWriter, record: DnsRecord, places: NamePlaces): void {
  encodeName(writer, record.name, places);
  writer.u16(record.type === 'OPAQUE' ? record.typeCode : recordTypes[record.type].code);
  writer.u16(record.type === 'OPAQUE' ? record.classCode : internetClass);
  writer.u32(record.ttlSeconds);
  const data = new ByteWriter();
  if (record.type === 'OPAQUE') data.bytes(record.data);
  else {
    const codec = recordTypes[record.type].codec as DataCodec<unknown>;
    codec.encode(data, record.data, { known: places.known, base: places.base + writer.length + lengthBytes });
  }
  writer.u16(data.length);
  writer.bytes(data.finish());
}
