import { expect, test } from 'vitest';
import { makeMember } from '../sample-lab.test-data.ts';
import { planRestore } from './restore-step.ts';

test('a restore is of the control planes and workers that it was planned for, and of nobody else', () => {
  const { role: _, ...plain } = makeMember(121, 'worker');
  const machines = [makeMember(102, 'control-plane'), makeMember(111, 'worker'), plain];
  const { input, risk } = planRestore({ machines }, '/s.age', {
    sha256: 'a',
    objects: 5,
    entries: 9,
    kinds: new Map(),
    revision: 7n,
    bytes: 1,
  });
  expect(input).toEqual({
    file: '/s.age',
    sha256: 'a',
    controlPlanes: [{ name: 'node102', address: '10.1.1.2' }],
    workers: ['node111'],
  });
  expect(risk.level).toBe('data-loss');
});
