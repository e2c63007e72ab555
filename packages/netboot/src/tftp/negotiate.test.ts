import { expect, test } from 'vitest';
import { negotiate } from './negotiate.ts';

const file = { size: 173_792, mtu: 1500 };

test('only what was asked for is granted', () => {
  expect(negotiate({}, file)).toEqual({ blockSize: 512, windowSize: 1, timeoutMs: 1_000, granted: {} });
  expect(negotiate({ other: [['multicast', '']] }, file).granted).toEqual({});
});

test('block size and window are lowered, never raised; the time-out stays; the size is told', () => {
  const asked = { blockSize: 65_464, windowSize: 64, timeoutSeconds: 3, transferSize: 0 };
  expect(negotiate(asked, file)).toEqual({
    blockSize: 1468,
    windowSize: 32,
    timeoutMs: 3_000,
    granted: { blockSize: 1468, windowSize: 32, timeoutSeconds: 3, transferSize: 173_792 },
  });
  expect(negotiate({ blockSize: 1432, windowSize: 4 }, file)).toMatchObject({ blockSize: 1432, windowSize: 4 });
});
