import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseLab } from '../parse-lab.ts';

const home = await readFile(new URL('../../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
// Outside of what the example reserves.
const messages = (mode: string, more = '') =>
  parseLab(home.replace('mode: serve', `mode: ${mode}${more}`), 'lab.yaml').diagnostics.map(({ message }) => message);

test('every mode is sound by itself, and a range to lease out is for serve alone', () => {
  const range = '\n  dynamic: 10.1.3.210-10.1.3.220';
  expect(['serve', 'proxy', 'router'].flatMap((mode) => messages(mode))).toEqual([]);
  expect(messages('serve', range)).toEqual([]);
  for (const mode of ['proxy', 'router']) {
    expect(messages(mode, range)).toEqual([
      `netboot.dynamic is a range that our own DHCP server leases out, and in mode ${mode} there is none`,
    ]);
  }
});
