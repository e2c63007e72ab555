// A server as a plain process of a test: ends with the test, however that ends, and its last lines are told when it fails.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  /** The last lines it said, oldest first. */
  readonly log: readonly string[];
  readonly hasEnded: boolean;
  /** Returns when it has ended. */
  end(signal?: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP'): Promise<void>;
}

const keptLines = 200;

export async function startProcess(
  name: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  // The kernel ends it with the process that started it; nothing is left when a test is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...environment },
  });
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} did not start`);
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.push(line);
      if (log.length > keptLines) log.shift();
    });
  }
  let hasEnded = false;
  const ended = once(child, 'exit').then(() => {
    hasEnded = true;
  });
  return {
    name,
    pid,
    log,
    get hasEnded() {
      return hasEnded;
    },
    async end(signal = 'SIGKILL') {
      if (!hasEnded) child.kill(signal);
      await ended;
    },
  };
}

/** Ports that were free on loopback a moment ago, given by the kernel. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Asks until it holds. Throws with the last reason, and with the last lines of a process that it waits for. */
export async function waitFor(
  what: string,
  condition: () => Promise<true | string>,
  {
    timeoutMs,
    everyMs = 50,
    of,
  }: { readonly timeoutMs: number; readonly everyMs?: number; readonly of?: ServerProcess },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const state = await condition();
    if (state === true) return;
    const isOver = performance.now() > deadline;
    if (isOver || of?.hasEnded === true) {
      const waited = isOver ? `within ${timeoutMs} ms` : 'before its process ended';
      throw new Error([`${what} did not come about ${waited}: ${state}`, ...(of?.log.slice(-20) ?? [])].join('\n'));
    }
    await delay(everyMs);
  }
}
