import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isUnicastMac, mac, parseMac } from './mac.ts';
import { hostName, isRehearsal, labId, parseHostName, parseVmId, rehearsalOf } from './names.ts';

describe('names', () => {
  test.each(['a', 'node101', 'a-b', '1a', 'a'.repeat(63)])('%s is a host name', (text) => {
    expect(parseHostName(text)).toBe(text);
  });

  test.each(['', '-a', 'a-', 'A', 'a_b', 'a.b', 'a\n', 'ä', 'a'.repeat(64)])('%j is none', (text) => {
    expect(parseHostName(text)).toBeUndefined();
    expect(() => hostName(text)).toThrow('is a host name');
  });

  test.each([99, 100.5, 1_000_000_000, -1, Number.NaN])('%d is no VM ID', (value) => {
    expect(parseVmId(value)).toBeUndefined();
  });

  test('a rehearsal of a lab is told by its id, once', () => {
    const rehearsal = rehearsalOf(labId('home'));
    expect(rehearsal).toBe('home+rehearsal');
    expect(rehearsalOf(rehearsal)).toBe(rehearsal);
    expect([isRehearsal(rehearsal), isRehearsal(labId('home'))]).toEqual([true, false]);
  });
});

describe('Ethernet addresses', () => {
  test('any spelling becomes lower case with colons', () => {
    expect(parseMac('02-1A-B0-00-01-01')).toBe('02:1a:b0:00:01:01');
  });

  test.each(['', '02:1a:b0:00:01', '02:1a:b0:00:01:0g', '021ab0000101', '02:1a:b0:00:01:01:02'])(
    '%j is none',
    (text) => {
      expect(parseMac(text)).toBeUndefined();
    },
  );

  test('the lowest bit of the first byte tells a group', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const address = mac(Buffer.from(bytes).toString('hex').match(/../g)?.join(':') ?? '');
        expect(isUnicastMac(address)).toBe(((bytes[0] ?? 0) & 1) === 0);
      }),
    );
  });
});
