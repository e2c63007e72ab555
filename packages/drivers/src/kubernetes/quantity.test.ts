import { expect, test } from 'vitest';
import { parseQuantity } from './quantity.ts';

test.each([
  ['250m', 0.25],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['128Mi', 134_217_728],
  ['2G', 2_000_000_000],
  ['1e3', 1000],
  ['1E', 1e18],
  ['1E2', 100],
  ['0', 0],
])('%s is %d', (text, value) => {
  expect(parseQuantity(text)).toBeCloseTo(value, 9);
});

test.each(['', 'x', '1 Gi', '1KiB', '--1', '1mm'])('%j is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});
