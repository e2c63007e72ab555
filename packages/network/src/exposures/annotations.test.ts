import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const source = await readFile(new URL('annotations.ts', import.meta.url), 'utf8');
const document = await readFile(new URL('../../../../docs/exposures.md', import.meta.url), 'utf8');

test('every annotation that is read stands in docs/exposures.md', () => {
  const read = new Set([...source.matchAll(/'([a-z.-]+\/[a-z.-]+)'/g)].map(([, name]) => name));
  expect(read.size).toBeGreaterThan(7);
  const listed = new Set([...document.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name));
  expect(listed).toEqual(read);
});
