import { expect, test } from 'vitest';
import { untilAnswered } from './folder-answer.ts';

const { signal } = new AbortController();
const silent = { code: 'LW0005', message: expect.stringContaining('the folder of snapshots does not answer') };

test('a folder that hangs is given up, left alone while it hangs, and asked again when it has answered', async () => {
  const nas = Promise.withResolvers<string>();
  const asked: string[] = [];
  const ask = async (folder: string, answer: Promise<string>): Promise<string> =>
    await untilAnswered(folder, { timeoutMs: 20, signal }, async () => {
      asked.push(folder);
      return await answer;
    });
  await expect(ask('/nas', nas.promise)).rejects.toMatchObject(silent);
  await expect(ask('/nas', Promise.resolve('never'))).rejects.toMatchObject(silent);
  expect(await ask('/disk', Promise.resolve('another'))).toBe('another');
  expect(asked).toEqual(['/nas', '/disk']);
  nas.resolve('at last');
  await expect.poll(async () => await ask('/nas', Promise.resolve('again')).catch(() => undefined)).toBe('again');
});

test('an abort is not held up by it, and an answer that comes as an error some day is no unhandled one', async () => {
  const nas = Promise.withResolvers<string>();
  const closing = new AbortController();
  const asking = untilAnswered(
    '/closing',
    { timeoutMs: 60_000, signal: closing.signal },
    async () => await nas.promise,
  );
  closing.abort(new Error('closing'));
  await expect(asking).rejects.toThrow('closing');
  nas.reject(new Error('stale file handle'));
  await expect(nas.promise).rejects.toThrow('stale');
  const aborted = untilAnswered('/closing', { timeoutMs: 1, signal: closing.signal }, async () => 'never');
  await expect(aborted).rejects.toThrow('closing');
});

test('what it says in time is passed on, errors too', async () => {
  const limits = { timeoutMs: 60_000, signal };
  expect(await untilAnswered('/well', limits, async () => 'names')).toBe('names');
  const broken = untilAnswered('/well', limits, async () => await Promise.reject(new Error('EIO')));
  await expect(broken).rejects.toThrow('EIO');
  expect(await untilAnswered('/well', limits, async () => 'names')).toBe('names');
});
