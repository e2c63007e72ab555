// One file out of a .tar.gz, as Helm's releases and charts are packed (POSIX ustar, IEEE Std 1003.1).
//
//   header, 512 bytes
//     0 name (100)   124 size, octal (12)   156 type (1)   257 "ustar"   345 prefix of the name (155)
//   the file itself, padded with zeros to 512 bytes
import { gunzipSync } from 'node:zlib';

const block = 512;
/** Nothing that is read here comes near; a bomb does. */
const mostBytes = 512 * 1024 * 1024;

/** The content of the first regular file whose whole name fits; undefined when there is none, or this is no such archive. */
export function decodeArchiveEntry(archive: Uint8Array, fits: (name: string) => boolean): Uint8Array | undefined {
  const tar = decompress(archive);
  if (tar === undefined) return undefined;
  for (let at = 0; at + block <= tar.length;) {
    const header = tar.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return undefined;
    const size = Number.parseInt(textAt(header, 124, 12).trim() || '0', 8);
    if (!Number.isSafeInteger(size) || size < 0 || at + block + size > tar.length) return undefined;
    const prefix = textAt(header, 257, 5) === 'ustar' ? textAt(header, 345, 155) : '';
    const name = [prefix, textAt(header, 0, 100)].filter((part) => part !== '').join('/');
    const type = textAt(header, 156, 1);
    if ((type === '0' || type === '') && fits(name)) return tar.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
  }
  return undefined;
}

function decompress(archive: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(archive, { maxOutputLength: mostBytes });
  } catch (error) {
    // zlib's own errors say that this is not gzip; anything else is not about the bytes.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  const field = Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}
