// What is made of a machine's words, and of its silence, with a shell that says what a test tells it to. The scripts themselves
// run in packages/testbed/src/cluster/kubeadm-job.net.test.ts.
import { describe, expect, test } from 'vitest';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Shell, ShellCall } from '../formation/shell.ts';
import { runMachineJob, type MachineJob } from './machine-job.ts';

const job: MachineJob = {
  unit: 'labwright-fetch',
  description: 'Labwright: fetch',
  script: 'say works',
  settings: { version: "1.20.3's" },
  files: [{ path: 'key', mode: 0o600, content: 'secret' }],
};

/** Every sleep is over at once. */
function makeClock(): Clock {
  let time = 0;
  return {
    now: () => time,
    monotonic: () => time,
    sleep: (ms, signal) => {
      signal.throwIfAborted();
      time += ms;
      return Promise.resolve();
    },
  };
}

type Answer = string | { readonly text: string; readonly lost: true };

/** Answers each call with the next text; a lost one breaks off after it. The last is given again and again. */
function makeShell(...answers: readonly Answer[]): { readonly shell: Shell; readonly calls: ShellCall[] } {
  const calls: ShellCall[] = [];
  const shell: Shell = async (_command, call) => {
    const answer = answers[Math.min(calls.length, answers.length - 1)] ?? '';
    calls.push(call);
    const { text, lost } = typeof answer === 'string' ? { text: answer, lost: false } : answer;
    // As it comes over a network: in pieces that know nothing of lines.
    for (let at = 0; at < text.length; at += 7) call.onStdout?.(Buffer.from(text.slice(at, at + 7)));
    call.signal.throwIfAborted();
    if (lost) throw new LabwrightError('LW3003', { what: 'the connection broke' });
    return { exitCode: 0, stdout: text, stderr: '' };
  };
  return { shell, calls };
}

async function runJob(shell: Shell, signal = new AbortController().signal) {
  const words: string[] = [];
  const options = { clock: makeClock(), signal, progress: (each: string) => void words.push(each) };
  const log = runMachineJob(shell, 'node101', job, { ...options, patienceMs: 10_000, timeoutMs: 1_000 });
  return { log: await log, words };
}

const done = 'labwright: started\n[labwright] works\nline\nlabwright: ended 0\n';

describe('a job on a machine', () => {
  test('gives its lines, and tells what it says for people', async () => {
    const { shell, calls } = makeShell(done);
    expect(await runJob(shell)).toEqual({ log: ['[labwright] works', 'line'], words: ['works'] });
    const archive = Buffer.from(calls[0]?.stdin ?? '').toString('latin1');
    expect(archive).toContain(String.raw`version='1.20.3'\''s'`);
    for (const name of ['run.sh', 'work.sh', 'check.sh', 'settings.sh', 'files/key']) expect(archive).toContain(name);
  });

  test('keeps the last twenty lines of many', async () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
    const { log } = await runJob(makeShell(`labwright: started\n${lines.join('\n')}\nlabwright: ended 0\n`).shell);
    expect(log).toEqual(lines.slice(-20));
  });

  test('is done after another one of its kind that was under way', async () => {
    const { shell, calls } = makeShell('labwright: attached Labwright: another\nanother\nlabwright: ended 0\n', done);
    expect((await runJob(shell)).log).toEqual(['[labwright] works', 'line']);
    expect(calls).toHaveLength(2);
  });

  test('is not done again when the very same was under way', async () => {
    const attached = done.replace('started', `attached ${job.description}`);
    const { shell, calls } = makeShell(attached, done);
    expect((await runJob(shell)).log).toEqual(['[labwright] works', 'line']);
    expect(calls).toHaveLength(1);
  });

  test('fails with its exit code and its last lines', async () => {
    const { shell } = makeShell('labwright: started\nno space left\nlabwright: ended 28\n');
    await expect(runJob(shell)).rejects.toMatchObject({
      code: 'LW6036',
      where: { machine: 'node101', unit: 'labwright-fetch.service' },
      why: 'it ended with exit code 28',
      log: ['no space left'],
    });
  });

  test('fails when it is gone without a last word', async () => {
    const { shell } = makeShell('labwright: started\nhalf of it\n');
    await expect(runJob(shell)).rejects.toMatchObject({ code: 'LW6036', why: expect.stringMatching(/last word/) });
  });
});

describe('a machine that falls silent', () => {
  test('is asked again, and heard from the beginning', async () => {
    const lost = { text: 'labwright: started\n[labwright] works\n', lost: true } as const;
    const { shell, calls } = makeShell(lost, done);
    const { words } = await runJob(shell);
    expect(words).toEqual(['works', 'the connection is lost; the machine goes on without it', 'works']);
    expect(calls).toHaveLength(2);
  });

  test('is given up when it says nothing for as long as one is patient, and not a moment before', async () => {
    const { shell, calls } = makeShell({ text: '', lost: true });
    await expect(runJob(shell)).rejects.toMatchObject({ code: 'LW3003' });
    // Every 2 s for 10 s, and the one that is too late.
    expect(calls).toHaveLength(7);
    const talking = makeShell(...Array.from({ length: 20 }, () => ({ text: 'a line\n', lost: true }) as const), done);
    await runJob(talking.shell);
    expect(talking.calls).toHaveLength(21);
  });

  test('is asked again also after a job that had nothing to say for long, but not when its time was over', async () => {
    const follow = async (quietMs: number): Promise<number> => {
      const clock = makeClock();
      let calls = 0;
      const shell: Shell = async (_command, call) => {
        calls += 1;
        call.onStdout?.(Buffer.from(calls === 1 ? 'labwright: started\n' : done));
        await clock.sleep(quietMs, call.signal);
        throw new LabwrightError('LW3003', { what: 'the connection broke' });
      };
      const options = { clock, signal: new AbortController().signal, progress: () => undefined };
      await runMachineJob(shell, 'node101', job, { ...options, patienceMs: 10_000, timeoutMs: 60_000 });
      return calls;
    };
    expect(await follow(30_000)).toBe(2);
    await expect(follow(60_000)).rejects.toMatchObject({ code: 'LW3003' });
  });

  test('is not asked again when it was not its silence', async () => {
    const calls: unknown[] = [];
    const shell: Shell = async (command) => {
      calls.push(command);
      throw new LabwrightError('LW3004', { what: 'another host key' });
    };
    await expect(runJob(shell)).rejects.toMatchObject({ code: 'LW3004' });
    expect(calls).toHaveLength(1);
  });

  test('is let go at an interrupt', async () => {
    const interrupt = new AbortController();
    const { shell } = makeShell({ text: '', lost: true });
    const interrupted: Shell = async (command, call) => {
      interrupt.abort(new Error('interrupted'));
      return await shell(command, call);
    };
    await expect(runJob(interrupted, interrupt.signal)).rejects.toThrow('interrupted');
  });
});
