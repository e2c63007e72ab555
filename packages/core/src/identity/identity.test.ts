import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidr, cidrRange, rangeContains, usableRange } from '../addresses/ipv4.ts';
import { isUnicastMac } from '../addresses/mac.ts';
import {
  addressOfVmId,
  attemptIdentities,
  attemptIdentity,
  completeIdentity,
  macOfVmId,
  maxRuleVmId,
  type Identity,
  type IdentityPool,
  type IdentityRule,
} from './identity.ts';

const rule: IdentityRule = { block: cidr('10.1.1.0/28'), macPrefix: '02:1a:b0', baseVmId: 101 };
const makePool = (changes: Partial<IdentityPool> = {}): IdentityPool => ({
  name: 'workers',
  firstVmId: 101,
  count: 14,
  nameTemplate: 'node{vmId}',
  overrides: {},
  ...changes,
});

describe('the default rule', () => {
  test('VM ID 101 is node101 with the MAC and address that follow', () => {
    expect(completeIdentity(attemptIdentity(rule, makePool(), 0))).toEqual({
      pool: 'workers',
      vmId: 101,
      name: 'node101',
      mac: '02:1a:b0:00:01:01',
      address: '10.1.1.1',
    });
  });

  test('the last address of the block is not given out', () => {
    expect(addressOfVmId(rule, 114)).toBe('10.1.1.14');
    expect(addressOfVmId(rule, 115)).toBeUndefined();
    expect(addressOfVmId(rule, 100)).toBeUndefined();
  });

  test.each([
    [100, '02:1a:b0:00:01:00'],
    [12_345, '02:1a:b0:01:23:45'],
    [999_999, '02:1a:b0:99:99:99'],
    [1_000_000, undefined],
  ])('VM ID %d has the MAC %s', (vmId, mac) => {
    expect(macOfVmId('02:1a:b0', vmId)).toBe(mac);
  });

  test('a template may hold the pool and the place in it, and an exception wins', () => {
    const pool = makePool({ nameTemplate: '{pool}-{index}', overrides: { 102: { name: 'gitlab' } } });
    expect([...attemptIdentities(rule, [pool])].slice(0, 3).map(({ nameText }) => nameText)).toEqual([
      'workers-1',
      'gitlab',
      'workers-3',
    ]);
  });
});

describe('no two machines collide', () => {
  const vmId = fc.integer({ min: 100, max: maxRuleVmId });

  test('different VM IDs have different MACs, all of one machine', () => {
    fc.assert(
      fc.property(vmId, vmId, (one, other) => {
        const [first, second] = [macOfVmId(rule.macPrefix, one), macOfVmId(rule.macPrefix, other)];
        expect(first === second).toBe(one === other);
        expect(first !== undefined && isUnicastMac(first)).toBe(true);
      }),
    );
  });

  test('any pools with VM IDs of their own share one block', () => {
    const block = cidr('10.1.0.0/16');
    const usable = usableRange(block);
    const sizes = fc.array(fc.record({ gap: fc.nat(50), count: fc.integer({ min: 1, max: 60 }) }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 100, max: 900_000 }), (parts, base) => {
        let next = base;
        const pools = parts.map(({ gap, count }, index) => {
          const firstVmId = next + (index === 0 ? 0 : gap);
          next = firstVmId + count;
          return makePool({ name: `pool${index}`, firstVmId, count });
        });
        const identities = [...attemptIdentities({ block, macPrefix: '02:1a:b0', baseVmId: base }, pools)]
          .map(completeIdentity)
          .filter((identity): identity is Identity => identity !== undefined);
        const total = pools.reduce((sum, { count }) => sum + count, 0);
        for (const key of ['vmId', 'name', 'mac', 'address'] as const) {
          expect(new Set(identities.map((identity) => identity[key])).size).toBe(total);
        }
        for (const { address } of identities) {
          expect(usable !== undefined && rangeContains(usable, address)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('the first and last address of a block are never given out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 32 }), fc.integer({ min: 0, max: 70_000 }), (prefix, offset) => {
        const block = cidr(`10.0.0.0/${prefix}`);
        const { first, last } = cidrRange(block);
        const address = addressOfVmId({ block, baseVmId: 100 }, 100 + offset);
        expect(address === first || address === last).toBe(false);
        expect(address !== undefined).toBe(offset < 2 ** (32 - prefix) - 2);
      }),
    );
  });
});
