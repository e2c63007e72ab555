// Reads a bbolt database (go.etcd.io/bbolt, file format 2), which a snapshot of etcd is: its buckets and their entries in order.
import { LabwrightError } from '@labwright/core/errors/error';

/*
 * A file of pages. Pages 0 and 1 are both `meta`: the one with the right checksum and the higher transaction counts.
 *
 *   page    0  id u64 | flags u16 | count u16 | overflow u32        all little-endian
 *   meta   16  magic u32 | version u32 | page size u32 | flags u32 | root u64 | sequence u64
 *              | free list u64 | pages u64 | transaction u64 | FNV-1a of the 56 bytes before, u64
 *   branch 16  count times: position u32 | key size u32 | page u64
 *   leaf   16  count times: flags u32 | position u32 | key size u32 | value size u32
 *
 * Positions count from the entry itself. A leaf entry with flag 1 is a bucket: its value is root u64 | sequence u64, and
 * with root 0 its only page lies behind those 16 bytes.
 */

export interface BoltBucket {
  readonly name: Uint8Array;
  /** In the order of their keys. Throws LW6034 where the file is damaged. */
  entries(): Generator<BoltEntry>;
}

export interface BoltEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const magic = 0xed0cdaed;
const fileVersion = 2;
const headerBytes = 16;
const entryBytes = 16;
const metaBytes = 64;
const flag = { branch: 0x01, leaf: 0x02, meta: 0x04 } as const;
const bucketFlag = 1;
/** Four levels hold more than any database of etcd; a circle in damaged pages ends here. */
const mostLevels = 64;

/** Bytes of the database alone, without the hash that etcd puts behind it. Throws LW6034. */
export function openBolt(bytes: Uint8Array): readonly BoltBucket[] {
  const file = new BoltFile(bytes);
  return [...file.buckets()];
}

interface Page {
  readonly flags: number;
  readonly count: number;
  /** Where its entries begin. */
  readonly start: number;
  readonly end: number;
}

class BoltFile {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pageSize: number;
  readonly #root: bigint;
  readonly #pages: bigint;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The second copy's place depends on the page size, which only a copy tells: any power of two is tried.
    const sizes = [...Array(8).keys()].map((power) => 512 << power);
    const metas = [0, ...sizes].flatMap((at) => this.#readMeta(at) ?? []);
    const [meta] = metas.toSorted((one, other) => (one.transaction < other.transaction ? 1 : -1));
    if (meta === undefined) throw damaged('neither of its first two pages is that of a database');
    this.#pageSize = meta.pageSize;
    this.#root = meta.root;
    this.#pages = meta.pages;
    if (this.#pages * BigInt(this.#pageSize) > BigInt(bytes.length))
      throw damaged('it is shorter than its own count of pages');
  }

  *buckets(): Generator<BoltBucket> {
    for (const { flags, key, value } of this.#walk(this.#root, 0)) {
      if ((flags & bucketFlag) === 0) throw damaged('there is an entry outside of any bucket');
      yield { name: key, entries: () => this.#entriesOf(value) };
    }
  }

  *#entriesOf(bucket: Uint8Array): Generator<BoltEntry> {
    if (bucket.length < headerBytes) throw damaged('a bucket is cut off');
    const view = new DataView(bucket.buffer, bucket.byteOffset, bucket.byteLength);
    const root = view.getBigUint64(0, true);
    const entries =
      root === 0n
        ? this.#walkPage(this.#pageAt(bucket.byteOffset - this.#bytes.byteOffset + headerBytes), 0)
        : this.#walk(root, 0);
    for (const { key, value } of entries) yield { key, value };
  }

  #walk(page: bigint, level: number): Generator<BoltEntry & { readonly flags: number }> {
    if (page >= this.#pages) throw damaged(`it names page ${page} and has ${this.#pages}`);
    return this.#walkPage(this.#pageAt(Number(page) * this.#pageSize), level);
  }

  *#walkPage(page: Page, level: number): Generator<BoltEntry & { readonly flags: number }> {
    if (level > mostLevels) throw damaged('its pages lead in a circle');
    for (let at = 0; at < page.count; at += 1) {
      const entry = page.start + at * entryBytes;
      if (page.flags === flag.branch) {
        yield* this.#walk(this.#u64(entry + 8), level + 1);
        continue;
      }
      if (page.flags !== flag.leaf) throw damaged('a page is neither branch nor leaf');
      const keyStart = entry + this.#u32(entry + 4);
      const valueStart = keyStart + this.#u32(entry + 8);
      const valueEnd = valueStart + this.#u32(entry + 12);
      if (valueEnd > page.end) throw damaged('an entry reaches beyond its page');
      yield {
        flags: this.#u32(entry),
        key: this.#bytes.subarray(keyStart, valueStart),
        value: this.#bytes.subarray(valueStart, valueEnd),
      };
    }
  }

  #pageAt(offset: number): Page {
    const flags = this.#u16(offset + 8);
    const count = this.#u16(offset + 10);
    const overflow = this.#u32(offset + 12);
    const end = Math.min(this.#bytes.length, offset + (overflow + 1) * this.#pageSize);
    return { flags, count, start: offset + headerBytes, end };
  }

  #readMeta(offset: number) {
    const start = offset + headerBytes;
    if (start + metaBytes > this.#bytes.length) return undefined;
    if (this.#u32(start) !== magic || this.#u32(start + 4) !== fileVersion) return undefined;
    if (this.#u64(start + 56) !== fnv1a(this.#bytes.subarray(start, start + 56))) return undefined;
    return {
      pageSize: this.#u32(start + 8),
      root: this.#u64(start + 16),
      pages: this.#u64(start + 40),
      transaction: this.#u64(start + 48),
    };
  }

  #u16 = (offset: number): number => this.#view.getUint16(this.#within(offset, 2), true);
  #u32 = (offset: number): number => this.#view.getUint32(this.#within(offset, 4), true);
  #u64 = (offset: number): bigint => this.#view.getBigUint64(this.#within(offset, 8), true);

  #within(offset: number, size: number): number {
    if (offset < 0 || offset + size > this.#bytes.length) throw damaged('it ends in the middle of a page');
    return offset;
  }
}

/** FNV-1a with 64 bits, as bbolt sums a meta page. */
function fnv1a(bytes: Uint8Array): bigint {
  let sum = 0xcbf29ce484222325n;
  for (const byte of bytes) sum = BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n);
  return sum;
}

const damaged = (why: string): LabwrightError =>
  new LabwrightError('LW6034', {
    what: 'the snapshot is damaged',
    why,
    fix: ['use an older one', 'take a new one: labwright cluster snapshot'],
  });
