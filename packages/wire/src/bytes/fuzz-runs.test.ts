import { expect, test } from 'vitest';
import { fuzzRuns } from './fuzz-runs.ts';

test('the number of generated inputs comes from the environment, with a default that keeps a run short', () => {
  expect(fuzzRuns(undefined)).toBe(2_000);
  expect(fuzzRuns('1000000')).toBe(1_000_000);
  expect(() => fuzzRuns('many')).toThrow('LABWRIGHT_FUZZ_RUNS');
});
