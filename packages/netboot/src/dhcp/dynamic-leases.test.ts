import { expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac, type Mac } from '@labwright/core/addresses/mac';
import { DynamicLeases, type Lease, type LeaseStore } from './dynamic-leases.ts';

const client = (number: number): Mac => mac(`02:00:00:00:09:${number.toString(16).padStart(2, '0')}`);
const range = { first: ipv4('10.1.3.1'), last: ipv4('10.1.3.3') };

test('each client has its own address, the same each time, until the range is full', () => {
  const leases = new DynamicLeases(range);
  expect([1, 2, 3, 4, 1].map((number) => leases.offer(client(number), 0))).toEqual([
    '10.1.3.1',
    '10.1.3.2',
    '10.1.3.3',
    undefined,
    '10.1.3.1',
  ]);
});

test('an offer that was not taken and a lease that ran out are free again', () => {
  const leases = new DynamicLeases(range);
  for (const number of [1, 2, 3]) leases.offer(client(number), 0);
  leases.confirm(client(1), 1_000_000);
  expect(leases.offer(client(4), 60_000)).toBe('10.1.3.2');
  expect(leases.judge(client(2), '10.1.3.2')).toBe('unknown');
  leases.release(client(1), '10.1.3.1', 60_000);
  expect([5, 6].map((number) => leases.offer(client(number), 60_001))).toEqual(['10.1.3.3', '10.1.3.1']);
});

test('an address that somebody else was found to use rests', () => {
  const leases = new DynamicLeases(range);
  leases.offer(client(1), 0);
  leases.decline(client(1), '10.1.3.1', 0);
  expect(leases.offer(client(1), 1)).toBe('10.1.3.2');
  expect([2, 3].map((number) => leases.offer(client(number), 1))).toEqual(['10.1.3.3', undefined]);
  expect(leases.offer(client(3), 61 * 60 * 1000)).toBeDefined();
});

test('leases come back from the store, but for those outside the range', () => {
  const saved: Lease[] = [
    { mac: client(1), address: ipv4('10.1.3.2'), expiresAt: 5_000_000 },
    { mac: client(2), address: ipv4('10.9.9.9'), expiresAt: 5_000_000 },
  ];
  const store: LeaseStore = { load: () => [...saved], save: (lease) => saved.push(lease) };
  const leases = new DynamicLeases(range, store);
  expect(leases.offer(client(1), 0)).toBe('10.1.3.2');
  expect(leases.offer(client(2), 0)).toBe('10.1.3.1');
  leases.confirm(client(2), 9_000_000);
  expect(saved.at(-1)).toEqual({ mac: client(2), address: '10.1.3.1', expiresAt: 9_000_000 });
});
