// TFTP's options as one table: name on the wire, range, specification.
import type { ByteReader } from '../bytes/reader.ts';
import { ByteWriter, EncodeError } from '../bytes/writer.ts';

interface TftpOptionSpec {
  /** Lower case; peers may write it in any (RFC 2347). */
  readonly wireName: string;
  readonly smallest: number;
  readonly largest: number;
  readonly source: string;
}

export const tftpOptionTable = {
  blockSize: { wireName: 'blksize', smallest: 8, largest: 65_464, source: 'RFC 2348' },
  timeoutSeconds: { wireName: 'timeout', smallest: 1, largest: 255, source: 'RFC 2349' },
  /** 0 in a read request asks for the size. */
  transferSize: { wireName: 'tsize', smallest: 0, largest: Number.MAX_SAFE_INTEGER, source: 'RFC 2349' },
  windowSize: { wireName: 'windowsize', smallest: 1, largest: 65_535, source: 'RFC 7440' },
} as const satisfies Readonly<Record<string, TftpOptionSpec>>;

type TftpOptionName = keyof typeof tftpOptionTable;

export type TftpOptions = { readonly [Name in TftpOptionName]?: number } & {
  /** Unknown options and known ones with a value nobody can use, as they came: a server ignores them (RFC 2347). */
  readonly other?: readonly (readonly [name: string, value: string])[];
};

const specs = Object.entries(tftpOptionTable) as readonly (readonly [TftpOptionName, TftpOptionSpec])[];

/** Reads name and value pairs to the end. An option given twice is an error: it may appear once (RFC 2347). */
export function decodeTftpOptions(reader: ByteReader): TftpOptions {
  const known: { [Name in TftpOptionName]?: number } = {};
  const other: (readonly [string, string])[] = [];
  const seen = new Set<string>();
  while (reader.remaining > 0) {
    const name = reader.terminated('an option name');
    const value = reader.terminated(`the value of option "${name}"`);
    const wireName = name.toLowerCase();
    if (seen.has(wireName)) throw reader.error(`option "${wireName}" is given twice`);
    seen.add(wireName);
    const found = specs.find(([, spec]) => spec.wireName === wireName);
    const number = found !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (found !== undefined && number >= found[1].smallest && number <= found[1].largest) known[found[0]] = number;
    else other.push([name, value]);
  }
  return { ...known, ...(other.length > 0 ? { other } : {}) };
}

export function encodeTftpOptions(writer: ByteWriter, options: TftpOptions): void {
  for (const [name, spec] of specs) {
    const value = options[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < spec.smallest || value > spec.largest) {
      throw new EncodeError(`${spec.wireName} ${value} is not within ${spec.smallest} to ${spec.largest}`);
    }
    writer.terminated(spec.wireName);
    writer.terminated(String(value));
  }
  for (const [name, value] of options.other ?? []) {
    writer.terminated(name);
    writer.terminated(value);
  }
}
