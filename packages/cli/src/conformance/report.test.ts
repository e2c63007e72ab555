import { expect, test } from 'vitest';
import type { CheckReport } from '@labwright/drivers/conformance/check';
import { formatCheck, formatSummary, summarise } from './report.ts';

const style = { hasColour: false, isPlain: true, columns: 100 } as Parameters<typeof formatCheck>[1];
const seen = { kind: 'answer', fields: {}, isRead: true } as const;
const report = (name: string, outcome: CheckReport['outcome']): CheckReport => ({
  appliance: 'proxmox',
  name,
  call: 'GET /version',
  outcome,
});
const reports: readonly CheckReport[] = [
  report('version', { kind: 'compared', differences: [], seen }),
  report('hosts', {
    kind: 'compared',
    seen,
    differences: [
      { kind: 'differs', what: '[].cpu is string; the emulator: number' },
      { kind: 'more', what: '[].level' },
      { kind: 'more', what: '[].id' },
    ],
  }),
  report('create', { kind: 'not run', why: 'you did not allow it' }),
];

test('a line for what is alike, and each difference in words', () => {
  expect(reports.map((one) => formatCheck(one, style)).join('')).toBe(
    [
      '=  proxmox version',
      '!  proxmox hosts (GET /version)',
      '     differs: [].cpu is string; the emulator: number',
      '     more than the emulator says: [].level, [].id',
      '-  proxmox create: not run: you did not allow it',
      '',
    ].join('\n'),
  );
});

test('the sum of it', () => {
  expect(summarise(reports)).toEqual({ compared: 2, differs: 1, more: 2, notRun: 1 });
  expect(formatSummary(summarise(reports))).toBe(
    '2 checks compared: 1 difference, 2 fields that the emulator leaves out; 1 not run\n',
  );
});
