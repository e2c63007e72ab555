// How many inputs a property test generates: LABWRIGHT_FUZZ_RUNS=1000000 for the long run.

export const usualRuns = 2_000;

export function fuzzRuns(setting: string | undefined): number {
  if (setting === undefined) return usualRuns;
  if (!/^[1-9]\d*$/.test(setting)) throw new RangeError(`LABWRIGHT_FUZZ_RUNS is "${setting}", not a number of runs`);
  return Number(setting);
}
