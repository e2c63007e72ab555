// The Range header, as far as boot clients use it: one range. RFC 9110 §14

export type ByteRange =
  /** Both included. */
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'whole' }
  | { readonly kind: 'unsatisfiable' };

/** A header that is absent, malformed or names several ranges means the whole file (RFC 9110 §14.2 allows to ignore it). */
export function parseByteRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, firstText = '', lastText = ''] = match ?? [];
  if (match === null || (firstText === '' && lastText === '')) return { kind: 'whole' };
  if (firstText === '') {
    const count = Math.min(Number(lastText), size);
    return count === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', first: size - count, last: size - 1 };
  }
  const first = Number(firstText);
  const last = lastText === '' ? size - 1 : Math.min(Number(lastText), size - 1);
  if (lastText !== '' && Number(lastText) < first) return { kind: 'whole' };
  return first >= size ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}
