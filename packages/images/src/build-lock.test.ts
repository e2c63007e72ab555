import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { acquireBuildLock } from './build-lock.ts';

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'labwright-lock-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  return folder;
}

const noSignal = new AbortController().signal;

test('one holder at a time, and nothing is left behind', async () => {
  const folder = await makeFolder();
  const path = join(folder, 'lock');
  let holders = 0;
  let most = 0;
  const build = async (): Promise<void> => {
    const lock = await acquireBuildLock(path, noSignal, () => undefined);
    most = Math.max(most, ++holders);
    await new Promise((resolve) => setImmediate(resolve));
    holders--;
    await lock.release();
  };
  await Promise.all([build(), build(), build()]);
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of a process that was killed is taken over by exactly one of many', async () => {
  const folder = await makeFolder();
  const path = join(folder, 'lock');
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await writeFile(path, JSON.stringify({ pid: child.pid, startTime: '1' }));
  let inside = 0;
  const enter = async (): Promise<void> => {
    const lock = await acquireBuildLock(path, noSignal, () => undefined);
    expect(++inside).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 8 }, enter));
});

test('the number of a dead process that another one has now does not hold the lock', async () => {
  const path = join(await makeFolder(), 'lock');
  await writeFile(path, JSON.stringify({ pid: process.pid, startTime: '1' }));
  const lock = await acquireBuildLock(path, noSignal, () => expect.unreachable());
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test('waiting ends when it is aborted', async () => {
  const path = join(await makeFolder(), 'lock');
  const lock = await acquireBuildLock(path, noSignal, () => undefined);
  const abort = new AbortController();
  const waiting = acquireBuildLock(path, abort.signal, () => abort.abort(new Error('enough')));
  await expect(waiting).rejects.toThrow('enough');
  await lock.release();
});
