import { describe, expect, it } from 'vitest';
import { inParallel } from './parallel.ts';

describe('work in parallel', () => {
  it('keeps the order of the things and the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await inParallel([5, 1, 4, 2, 3], 2, async (turns) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      running -= 1;
      return turns * 10;
    });
    expect([results, most]).toEqual([[50, 10, 40, 20, 30], 2]);
  });

  it('begins nothing after a failure, and throws it when what ran has ended', async () => {
    const begun: number[] = [];
    let ended = 0;
    const work = inParallel([1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('first failed');
      await Promise.resolve();
      ended += 1;
    });
    await expect(work).rejects.toThrow('first failed');
    expect([begun, ended]).toEqual([[1, 2], 1]);
  });
});
