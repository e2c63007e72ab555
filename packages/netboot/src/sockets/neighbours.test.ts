import { expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { parseNeighbour, readNeighbour } from './neighbours.ts';

const table = `IP address       HW type     Flags       HW address            Mask     Device
10.1.1.1         0x1         0x2         02:00:00:00:01:01     *        eth0
10.1.1.2         0x1         0x0         00:00:00:00:00:00     *        eth0
10.1.1.3         0x1         0x6         02:00:00:00:01:03     *        eth0
`;

test('finished entries name who has an address, others and what is not there name nobody', () => {
  const of = (address: string) => parseNeighbour(table, ipv4(address));
  expect([of('10.1.1.1'), of('10.1.1.2'), of('10.1.1.3'), of('10.1.1.10')]).toEqual([
    '02:00:00:00:01:01',
    undefined,
    '02:00:00:00:01:03',
    undefined,
  ]);
});

test('our own address is nobody’s', async () => {
  expect(await readNeighbour(ipv4('127.0.0.1'))).toBeUndefined();
});
