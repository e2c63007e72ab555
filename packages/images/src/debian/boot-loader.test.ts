import { expect, test } from 'vitest';
import { patchBootSector, patchCore } from './boot-loader.ts';

test('the boot sector looks for core.img at sector 2048 and leaves the partition table alone', () => {
  const patched = patchBootSector(new Uint8Array(512).fill(0xaa));
  expect(patched.length).toBe(440);
  expect(new DataView(patched.buffer).getBigUint64(0x5c, true)).toBe(2048n);
  expect(patched.slice(0x64, 0x68)).toEqual(Uint8Array.of(0xff, 0xaa, 0x90, 0x90));
});

test('core.img is padded to sectors and finds its rest behind itself', () => {
  const patched = patchCore(new Uint8Array(1500));
  const view = new DataView(patched.buffer);
  expect(patched.length).toBe(1536);
  expect([view.getBigUint64(500, true), view.getUint16(508, true)]).toEqual([2049n, 2]);
});
