import type { ChartValues } from '@labwright/core/lab/service-schema';
import { Secret } from '@labwright/core/ports/secret';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffValues, formatValueChange, mergeValues, revealValues } from './chart-values.ts';

const nothingHidden = { paths: [], secrets: [] };
const json = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
) as fc.Arbitrary<ChartValues>;

describe('values', () => {
  test('are merged map by map; lists, nulls and references replace', () => {
    const ours = { a: { b: 1, c: [1, 2] }, d: { e: 1 }, f: 1 };
    const theirs = { a: { c: [3] }, d: { secret: { env: 'D' } }, f: null, g: true };
    expect(mergeValues(ours, theirs)).toEqual({ a: { b: 1, c: [3] }, d: { secret: { env: 'D' } }, f: null, g: true });
  });

  test('merged with nothing, or with themselves, are the same', () => {
    fc.assert(
      fc.property(json, (values) => {
        expect(mergeValues(values, {})).toEqual(values);
        expect(mergeValues({}, values)).toEqual(values);
        expect(mergeValues(values, values)).toEqual(values);
      }),
    );
  });

  test('differ exactly where they differ', () => {
    fc.assert(
      fc.property(json, json, (one, other) => {
        expect(diffValues(one, one, nothingHidden)).toEqual([]);
        // Keys with a dot or a bracket can make two paths look alike, which hides no difference of the values below.
        fc.pre(!hasOddKeys([one, other]));
        const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(diffValues(one, other, nothingHidden).length === 0).toBe(isSame);
      }),
    );
  });

  test('have their secrets put in, each told where it stood', async () => {
    const values = {
      admin: { password: { secret: { env: 'A' } } },
      list: [{ key: { secret: { age: 'b' } } }],
      plain: 1,
    };
    const asked: string[] = [];
    const revealed = await revealValues(values, 'kubernetes.charts.x.values', async (reference, path) => {
      asked.push(path);
      return await Promise.resolve(new Secret(`secret of ${reference.env ?? reference.age}`));
    });
    expect(revealed.values).toEqual({ admin: { password: 'secret of A' }, list: [{ key: 'secret of b' }], plain: 1 });
    expect(revealed.secretPaths.toSorted()).toEqual(['admin.password', 'list[0].key']);
    expect(asked.toSorted()).toEqual([
      'kubernetes.charts.x.values.admin.password',
      'kubernetes.charts.x.values.list[0].key',
    ]);
  });

  test('show secrets as dots: where they stand, stood, or are part of another text', () => {
    const hidden = { paths: ['a', 'old'], secrets: [new Secret('swordfish')] };
    const was = { a: 'before', old: { deep: 'gone' }, url: 'http://x' };
    const is = { a: 'swordfish', url: 'http://admin:swordfish@x', n: 1 };
    expect(diffValues(was, is, hidden).map(formatValueChange)).toEqual([
      'a: ••• → •••',
      'n: none → 1',
      'old.deep: ••• → none',
      'url: "http://x" → •••',
    ]);
  });
});

const sorted = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sorted)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .toSorted(([one], [other]) => (one < other ? -1 : 1))
            .map(([key, inner]) => [key, sorted(inner)]),
        )
      : value;

const hasOddKeys = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).some(([key, inner]) => (!Array.isArray(value) && /[.[\]]|^$/.test(key)) || hasOddKeys(inner));
