import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** A process that does that, and ends with exit code 7. */
function runProcess(work: string) {
  const script = `
    import { open } from 'node:fs/promises';
    import { endWithoutHangingCalls } from ${JSON.stringify(join(import.meta.dirname, 'hanging-calls.ts'))};
    ${work}
    process.exitCode = 7;
    endWithoutHangingCalls({ err: (text) => void process.stderr.write(text) }, 300);
  `;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' });
}

test('a process ends, with its exit code, while a file does not answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hanging-'));
  try {
    const pipe = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    // Nobody writes into it, so whoever opens it is blocked.
    const { status, signal, stderr } = runProcess(`open(${JSON.stringify(pipe)}, 'r').catch(() => undefined);`);
    expect({ status, signal }).toEqual({ status: 7, signal: null });
    expect(stderr).toContain('does not answer');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('one that has something else left to do is waited for', () => {
  const { status, stdout, stderr } = runProcess(`setTimeout(() => process.stdout.write('done'), 1_000);`);
  expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: 'done', stderr: '' });
});
