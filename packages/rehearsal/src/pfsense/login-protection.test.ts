// When an address is blocked, and for how long.
import { expect, it } from 'vitest';
import { makeLoginProtection } from './login-protection.ts';

const options = { isOn: true, threshold: 30, blockSeconds: 120, detectionSeconds: 1800 };

function makeProtection(changes: Partial<typeof options> = {}) {
  let nowMs = 0;
  const protection = makeLoginProtection({ ...options, ...changes }, () => nowMs);
  const fail = (times: number): void => {
    for (let count = 0; count < times; count += 1) protection.addFailure('10.0.0.5');
  };
  return { protection, fail, pass: (seconds: number) => (nowMs += seconds * 1000) };
}

it('blocks an address at its third failure, and no other', () => {
  const { protection, fail } = makeProtection();
  fail(2);
  expect(protection.isBlocked('10.0.0.5')).toBe(false);
  fail(1);
  expect(protection.isBlocked('10.0.0.5')).toBe(true);
  expect(protection.isBlocked('10.0.0.6')).toBe(false);
  expect(protection.list()).toEqual(['10.0.0.5']);
});

it('lets it back in after two minutes, and after three the second time', () => {
  const { protection, fail, pass } = makeProtection();
  fail(3);
  pass(119);
  expect(protection.isBlocked('10.0.0.5')).toBe(true);
  pass(1);
  expect(protection.isBlocked('10.0.0.5')).toBe(false);
  fail(3);
  pass(179);
  expect(protection.isBlocked('10.0.0.5')).toBe(true);
  pass(1);
  expect(protection.isBlocked('10.0.0.5')).toBe(false);
});

it('forgets failures of half an hour ago', () => {
  const { protection, fail, pass } = makeProtection();
  fail(2);
  pass(1801);
  fail(2);
  expect(protection.isBlocked('10.0.0.5')).toBe(false);
});

it('does nothing when it is off', () => {
  const { protection, fail } = makeProtection({ isOn: false });
  fail(50);
  expect(protection.list()).toEqual([]);
});
