// IPv6 addresses: 16 bytes, and text as RFC 5952 writes it.
import type { Codec } from '../bytes/codec.ts';
import { EncodeError } from '../bytes/writer.ts';

const groupCount = 8;

/** The eight groups of an address in any of its spellings (RFC 4291 §2.2); undefined when the text is none. */
export function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === groupCount ? head : undefined;
  if (tail === undefined) return undefined;
  const missing = groupCount - head.length - tail.length;
  return missing < 1 ? undefined : [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function parseGroups(text: string, isLast: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    // The last 32 bits may be written as an IPv4 address.
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      const bytes = part.split('.').map((each) => (/^(0|[1-9]\d{0,2})$/.test(each) ? Number(each) : 256));
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined;
      groups.push(a * 256 + b, c * 256 + d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** RFC 5952 §4: lower case, the longest run of two zero groups or more (the first of equals) left out. */
export function formatIpv6(groups: readonly number[]): string {
  let best = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
    start += length;
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.length < 2) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}

export const ipv6: Codec<string> = {
  decode: (reader) => formatIpv6(Array.from({ length: groupCount }, () => reader.u16())),
  encode: (writer, value) => {
    const groups = parseIpv6(value);
    if (groups === undefined) throw new EncodeError(`"${value}" is not an IPv6 address`);
    for (const group of groups) writer.u16(group);
  },
  format: (value) => value,
};
