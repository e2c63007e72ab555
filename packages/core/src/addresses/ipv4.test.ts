import fc from 'fast-check';
import { BlockList } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  cidr,
  cidrRange,
  ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
  netmask,
  parseCidr,
  parseIpv4,
  prefixLength,
  rangeContains,
  rangeSize,
  rangesOverlap,
  usableRange,
  type Cidr,
  type Ipv4Range,
} from './ipv4.ts';

const number = fc.integer({ min: 0, max: 0xffff_ffff });
const address = number.map(ipv4FromNumber);
const network = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([base, prefix]): Cidr => {
  const parsed = parseCidr(`${base}/${prefix}`);
  if (typeof parsed === 'string') return parsed;
  if (parsed.nearest === undefined) throw new Error(parsed.problem);
  return parsed.nearest;
});
const range = fc.tuple(number, number).map(([one, other]): Ipv4Range => {
  return { first: ipv4FromNumber(Math.min(one, other)), last: ipv4FromNumber(Math.max(one, other)) };
});

describe('addresses', () => {
  test.each(['10.1.1.1', '0.0.0.0', '255.255.255.255'])('%s is one', (text) => {
    expect(parseIpv4(text)).toBe(text);
  });

  test.each([
    '',
    '10.1.1',
    '10.1.1.1.1',
    '10.1.1.256',
    '010.1.1.1',
    '10.1.1.-1',
    ' 10.1.1.1',
    '10.1.1.1\n',
    '1e1.1.1.1',
  ])('%j is none', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  test('number and text are one to one', () => {
    fc.assert(
      fc.property(number, (value) => {
        const text = ipv4FromNumber(value);
        expect(parseIpv4(text)).toBe(text);
        expect(ipv4ToNumber(text)).toBe(value);
      }),
    );
  });

  test('the number has the bytes of the text in network order', () => {
    fc.assert(
      fc.property(address, (text) => {
        expect(ipv4ToNumber(text)).toBe(Buffer.from(text.split('.').map(Number)).readUInt32BE());
      }),
    );
  });
});

describe('networks', () => {
  test('host bits are refused with the network that was meant', () => {
    expect(parseCidr('10.1.0.7/22')).toEqual({ problem: 'host bits are set', nearest: '10.1.0.0/22' });
  });

  test.each(['10.1.0.0', '10.1.0.0/', '10.1.0.0/33', '10.1.0.0/22/1', '10.1.0/22', '10.1.0.0/2 2', 'x/8'])(
    '%j is none',
    (text) => {
      expect(parseCidr(text)).toHaveProperty('problem');
    },
  );

  test('containment agrees with the operating system interface of Node', () => {
    fc.assert(
      fc.property(network, address, (block, candidate) => {
        const oracle = new BlockList();
        oracle.addSubnet(block.slice(0, block.indexOf('/')), prefixLength(block), 'ipv4');
        expect(rangeContains(cidrRange(block), candidate)).toBe(oracle.check(candidate, 'ipv4'));
      }),
    );
  });

  test('the mask leaves exactly the first address', () => {
    fc.assert(
      fc.property(network, address, (block, candidate) => {
        const { first } = cidrRange(block);
        const masked = (ipv4ToNumber(candidate) & ipv4ToNumber(netmask(block))) >>> 0;
        expect(masked === ipv4ToNumber(first)).toBe(rangeContains(cidrRange(block), candidate));
      }),
    );
  });

  test.each([
    ['10.1.1.0/28', '10.1.1.1', '10.1.1.14'],
    ['10.1.0.0/16', '10.1.0.1', '10.1.255.254'],
    ['10.1.1.4/30', '10.1.1.5', '10.1.1.6'],
  ])('%s gives out %s to %s', (block, first, last) => {
    expect(usableRange(cidr(block))).toEqual({ first, last });
  });

  test.each(['10.1.1.0/31', '10.1.1.0/32'])('%s gives out nothing', (block) => {
    expect(usableRange(cidr(block))).toBeUndefined();
  });

  test('all but two addresses of a block are given out', () => {
    fc.assert(
      fc.property(network, (block) => {
        const usable = usableRange(block);
        const size = rangeSize(cidrRange(block));
        expect(usable === undefined ? 0 : rangeSize(usable)).toBe(Math.max(0, size - 2));
      }),
    );
  });
});

describe('ranges', () => {
  test('two ranges overlap when one holds an end of the other', () => {
    fc.assert(
      fc.property(range, range, (one, other) => {
        const holdsEnd =
          rangeContains(one, other.first) ||
          rangeContains(one, other.last) ||
          rangeContains(other, one.first) ||
          rangeContains(other, one.last);
        expect(rangesOverlap(one, other)).toBe(holdsEnd);
        expect(rangesOverlap(other, one)).toBe(holdsEnd);
      }),
    );
  });

  test('neighbours do not overlap', () => {
    const lower = { first: ipv4('10.1.1.0'), last: ipv4('10.1.1.15') };
    const upper = { first: ipv4('10.1.1.16'), last: ipv4('10.1.1.31') };
    expect(rangesOverlap(lower, upper)).toBe(false);
    expect(rangesOverlap(lower, { first: lower.last, last: upper.last })).toBe(true);
  });
});
