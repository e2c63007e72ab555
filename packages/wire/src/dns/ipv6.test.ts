import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIpv6, parseIpv6 } from './ipv6.ts';

test('text goes to groups and back as RFC 5952 has it', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }), (groups) => {
      const text = formatIpv6(groups);
      expect(isIPv6(text)).toBe(true);
      expect(parseIpv6(text)).toEqual(groups);
      // The platform's own writer, by way of a URL.
      expect(`[${text}]`).toBe(new URL(`http://[${text}]/`).hostname);
    }),
    { numRuns: 200 },
  );
});

test('the platform agrees on what is an address', () => {
  const piece = fc.constantFrom('', ':', '::', '0', '1', 'ff', 'FFFF', '12345', '1.2.3.4', '256.1.1.1', 'g');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      expect(`${text} ${parseIpv6(text) !== undefined}`).toBe(`${text} ${isIPv6(text)}`);
    }),
    { numRuns: 200 },
  );
});

test.each(['2001:db8::1', '::', '1::', '::ffff:192.0.2.1', '1:2:3:4:5:6:7:8'])('%s is an address', (text) => {
  expect(parseIpv6(text)).toHaveLength(8);
});
