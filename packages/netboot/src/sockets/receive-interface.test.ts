import { ipv4 } from '@labwright/core/addresses/ipv4';
import { expect, test } from 'vitest';
import { findInterface } from './receive-interface.ts';

const table = [
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  'eth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  'eth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0',
  'lab\t0001010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  'eth0\t0000A8C0\t0100010A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0',
  '',
].join('\n');

test.each([
  ['10.1.0.9', 'eth0'],
  ['10.1.3.254', 'eth0'],
  // Of two networks the narrower one.
  ['10.1.1.9', 'lab'],
  // Behind a gateway.
  ['192.168.1.9', undefined],
  ['10.2.0.9', undefined],
])('%s is on %s', (address, name) => {
  expect(findInterface(table, ipv4(address))).toBe(name);
});
