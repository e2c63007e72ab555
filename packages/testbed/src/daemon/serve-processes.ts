// Labwright processes one after the other on the same lab, each to be killed at a chosen moment.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Intent } from '@labwright/core/contract/contract';
import type { ErrorJson } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import { makeLabClient, type LabClient } from '@labwright/daemon/api/client';
import type { ServeOrder } from './serve-child.ts';

export interface RunEnded {
  readonly outcome: string;
  readonly errors: readonly ErrorJson[];
  readonly events: readonly LabEvent[];
  readonly problems: readonly ErrorJson[];
}

export interface ServeProcess {
  readonly client: LabClient;
  /** As a command that has read the lab file with this digest. */
  clientBy(labDigest: string): LabClient;
  /** Plans and runs the plan, as the commands do. */
  run(intent: Intent, options?: RunHooks): Promise<RunEnded>;
  /** SIGKILL; resolves when the process is gone. Safe to call twice. */
  kill(): Promise<void>;
}

interface RunHooks {
  /** Told of every event the moment it comes over the socket. */
  readonly onEvent?: (event: LabEvent) => void;
  readonly interrupt?: AbortSignal;
}

export interface ServeProcesses {
  /** Serves with the next process, which has done its imports by now. */
  start(): Promise<ServeProcess>;
  close(): Promise<void>;
}

const never = new AbortController().signal;
const entry = join(import.meta.dirname, 'serve-child.ts');

/** `programs` is the folder of those they may start. */
export function makeServeProcesses(order: ServeOrder, programs: string): ServeProcesses {
  const alive = new Set<ChildProcess>();
  let runs = 0;
  const warmUp = (): ChildProcess => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: programs },
    });
    // A line written to a process that was just killed.
    child.stdin?.on('error', () => undefined);
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    return child;
  };
  let next = warmUp();

  const start = async (): Promise<ServeProcess> => {
    const child = next;
    next = warmUp();
    child.stdin?.write(`${JSON.stringify(order)}\n`);
    await untilServing(child);
    const client = makeLabClient(order.socket);
    return {
      client,
      clientBy: (labDigest) => makeLabClient(order.socket, labDigest),
      kill: () => killProcess(child),
      run: async (intent, { onEvent, interrupt = never } = {}) => {
        const plan = await client.plan(intent, never);
        const events: LabEvent[] = [];
        runs += 1;
        const ended = await client.run({
          planId: plan.id,
          ticket: `test-${runs}`,
          emit: (event) => {
            events.push(event);
            onEvent?.(event);
          },
          interrupt,
          signal: never,
        });
        return { ...ended, events, problems: plan.problems };
      },
    };
  };
  return {
    start,
    close: async () => {
      await Promise.all([...alive].map(killProcess));
    },
  };
}

async function untilServing(child: ChildProcess): Promise<void> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the process has no output');
  const ended = new AbortController();
  const exited = once(child, 'exit', { signal: ended.signal }).then(() => 'exited' as const);
  const served = once(createInterface({ input: stdout }), 'line', { signal: ended.signal }).then(
    () => 'serving' as const,
  );
  for (const loser of [exited, served]) loser.catch(() => undefined);
  try {
    if ((await Promise.race([exited, served])) === 'exited')
      throw new Error('it ended before it served; see its output');
  } finally {
    ended.abort();
  }
}

async function killProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
