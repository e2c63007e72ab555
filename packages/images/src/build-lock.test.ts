import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { acquireBuildLock } from './build-lock.ts';

async function makeLockPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'labwright-lock-'));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  return join(folder, 'lock');
}

const noSignal = new AbortController().signal;

test('one holder at a time', async () => {
  const path = await makeLockPath();
  let holders = 0;
  let most = 0;
  const build = async (): Promise<void> => {
    const lock = await acquireBuildLock(path, noSignal, () => undefined);
    most = Math.max(most, ++holders);
    await new Promise((resolve) => setImmediate(resolve));
    holders--;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 6 }, build));
  expect(most).toBe(1);
});

test('the lock of a process that was killed is free', async () => {
  const path = await makeLockPath();
  const module = join(import.meta.dirname, 'build-lock.ts');
  const script = `
    const { acquireBuildLock } = await import(${JSON.stringify(module)});
    await acquireBuildLock(${JSON.stringify(path)}, new AbortController().signal, () => undefined);
    console.log('held');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  let waited = false;
  const waiting = acquireBuildLock(path, noSignal, () => {
    waited = true;
    child.kill('SIGKILL');
  });
  await (await waiting).release();
  expect(waited).toBe(true);
});

test('waiting ends when it is aborted', async () => {
  const path = await makeLockPath();
  const lock = await acquireBuildLock(path, noSignal, () => undefined);
  const abort = new AbortController();
  const waiting = acquireBuildLock(path, abort.signal, () => abort.abort(new Error('enough')));
  await expect(waiting).rejects.toThrow('enough');
  await lock.release();
});
