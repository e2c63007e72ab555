import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, nearestName } from './nearest-name.ts';

/** The definition, word for word; too slow for use. */
function slowDistance(one: string, other: string): number {
  if (one === '' || other === '') return one.length + other.length;
  const same = one.at(-1) === other.at(-1) ? 0 : 1;
  const choices = [
    slowDistance(one.slice(0, -1), other) + 1,
    slowDistance(one, other.slice(0, -1)) + 1,
    slowDistance(one.slice(0, -1), other.slice(0, -1)) + same,
  ];
  if (one.length > 1 && other.length > 1 && one.at(-1) === other.at(-2) && one.at(-2) === other.at(-1)) {
    choices.push(slowDistance(one.slice(0, -2), other.slice(0, -2)) + 1);
  }
  return Math.min(...choices);
}

describe('edit distance', () => {
  test('is what its definition says', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });
    fc.assert(
      fc.property(word, word, (one, other) => {
        expect(editDistance(one, other)).toBe(slowDistance(one, other));
      }),
    );
  });
});

describe('nearest name', () => {
  const keys = ['address', 'cores', 'memory', 'maintenance', 'mac'];

  test.each([
    ['adress', 'address'],
    ['coers', 'cores'],
    ['Memory', 'memory'],
    ['maintainance', 'maintenance'],
    ['mca', 'mac'],
  ])('%s means %s', (name, meant) => {
    expect(nearestName(name, keys)).toBe(meant);
  });

  test.each(['disk', 'x', 'ma', '', 'somethingelse', 'core2duo'])('%j means none of them', (name) => {
    expect(nearestName(name, keys)).toBeUndefined();
  });
});
