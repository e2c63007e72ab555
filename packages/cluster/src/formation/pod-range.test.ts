import { cidr, cidrRange, rangeContains, ipv4 } from '@labwright/core/addresses/ipv4';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { choosePodRange } from './pod-range.ts';

const pods = cidr('10.244.0.0/16');

test('from the upper end, the first that nobody has', () => {
  expect(choosePodRange({ pods }, [])).toBe('10.244.255.0/24');
  expect(choosePodRange({ pods }, ['10.244.255.0/24', '10.244.0.0/24', '10.244.253.0/24'])).toBe('10.244.254.0/24');
});

test('none left', () => {
  const small = { pods: cidr('10.9.2.0/23') };
  expect(choosePodRange(small, ['10.9.3.0/24'])).toBe('10.9.2.0/24');
  expect(choosePodRange(small, ['10.9.3.0/24', '10.9.2.0/24'])).toBeUndefined();
});

test('any number of machines get ranges apart from each other, inside the network', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256 }), (count) => {
      const taken: string[] = [];
      for (let at = 0; at < count; at += 1) taken.push(choosePodRange({ pods }, taken) ?? 'none');
      expect(new Set(taken).size).toBe(count);
      for (const range of taken) expect(rangeContains(cidrRange(pods), ipv4(range.split('/')[0] ?? ''))).toBe(true);
    }),
    { numRuns: 20 },
  );
});
