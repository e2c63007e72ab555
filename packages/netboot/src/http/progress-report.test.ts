import { expect, test } from 'vitest';
import { parseProgress } from './progress-report.ts';

test.each([
  ['started', { stage: 'started', detail: 'the initramfs runs' }],
  ['installing  writing the root file system\n', { stage: 'installing', detail: 'writing the root file system' }],
  ['refused /dev/vda belongs to lab "other"', { stage: 'refused', detail: '/dev/vda belongs to lab "other"' }],
  ['installed\u001b[2J\u0007 fine\nreally', undefined],
  ['installed \u001b[2J fine\nreally', { stage: 'installed', detail: '[2J fine really' }],
  ['ready', undefined],
  ['', undefined],
])('%j', (text, expected) => {
  expect(parseProgress(text)).toEqual(expected);
});

test('a failure says that it is tried again', () => {
  expect(parseProgress('failed no space left on /dev/sda')).toEqual({
    stage: 'installing',
    detail: 'failed, and starts over in a minute: no space left on /dev/sda',
  });
});
