import { expect, test } from 'vitest';
import { parseTapTraffic } from './guest-process.ts';

const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1720      22    0    0    0     0          0         0     1720      22    0    0    0     0       0          0
tap101i0:    1000       4    0    0    0     0          0         0    70000      50    0    0    0     0       0          0
tap101i1: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
tap1010i0: 11 1 0 0 0 0 0 0 13 1 0 0 0 0 0 0
`;

test('what a tap receives its guest sent, over all its cards', () => {
  expect(parseTapTraffic(table, 101)).toEqual({ outBytes: 1005, inBytes: 70_007 });
  expect(parseTapTraffic(table, 102)).toEqual({ outBytes: 0, inBytes: 0 });
});
