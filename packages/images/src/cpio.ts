// Writes the archive format of initramfs: "newc" cpio (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

export type ArchiveEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;

/**
 * All owned by root, with no times, so equal entries give equal bytes. Directories must come before what is in them.
 *
 *     "070701" | 13 fields of 8 hex digits | name NUL | padding to 4 | content | padding to 4
 */
export function encodeCpio(entries: readonly ArchiveEntry[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  let inode = 1;
  for (const entry of entries) chunks.push(...encodeEntry(entry, inode++));
  chunks.push(...encodeRecord('TRAILER!!!', 0, 0, new Uint8Array(), 0, 0));
  return Buffer.concat(chunks);
}

function encodeEntry(entry: ArchiveEntry, inode: number): readonly Uint8Array[] {
  const content =
    entry.kind === 'file'
      ? entry.content
      : entry.kind === 'link'
        ? new TextEncoder().encode(entry.target)
        : new Uint8Array();
  const mode = typeBits[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode);
  const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0];
  return encodeRecord(entry.path, inode, mode, content, major, minor);
}

function encodeRecord(
  path: string,
  inode: number,
  mode: number,
  content: Uint8Array,
  major: number,
  minor: number,
): readonly Uint8Array[] {
  const name = new TextEncoder().encode(`${path}\0`);
  const links = mode >> 12 === 0o04 ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, major, minor, name.length, 0];
  const header = new TextEncoder().encode(
    `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`,
  );
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
