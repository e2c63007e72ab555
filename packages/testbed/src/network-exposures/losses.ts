// What clients of a balanced Service lose while a node is drained and while one dies: 200 new connections a second.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { LoadResult } from './load-client.ts';

const exec = promisify(execFile);
export const connectionsASecond = 200;
const quietMs = 3_000;

export interface LossSetting {
  /** The balanced address. */
  readonly address: string;
  readonly port: number;
  /** Two nodes of this computer: name, address, the device that has it. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly device: string;
  readonly nodePort: number;
  readonly kubectl: (words: readonly string[]) => Promise<string>;
  /** Waits until the balancer has what the cluster says. */
  readonly inStep: () => Promise<void>;
  /** Waits until the balancer has seen that the servers are open. */
  readonly balanced: () => Promise<void>;
}

export interface Losses {
  readonly opened: number;
  readonly failed: number;
  readonly reasons: readonly string[];
  /** From the first to the last connection that failed without a good one between them. */
  readonly longestGapMs: number;
  /** When the first one that failed was begun, after the event; undefined when none did. */
  readonly firstAfterMs: number | undefined;
  /** Failed and begun more than five seconds after it happened. */
  readonly failedLate: number;
}

/** The node is drained, its programs end, it comes back. */
export async function measureDrain(setting: LossSetting): Promise<Losses> {
  const [one, two] = await openNodes(setting);
  await setting.balanced();
  const load = startLoad(setting);
  await sleep(quietMs);
  const at = Date.now();
  await setting.kubectl(['cordon', setting.nodes[0]?.name ?? '']);
  await setting.inStep();
  await one.close();
  await sleep(quietMs);
  const again = await openNode(setting, 0);
  await setting.kubectl(['uncordon', setting.nodes[0]?.name ?? '']);
  await setting.inStep();
  await sleep(quietMs);
  const losses = judge(await load.end(), at);
  await Promise.all([again.close(), two.close()]);
  return losses;
}

/** The node's address is gone from one moment to the next, as with its power: nothing answers, nothing is refused. */
export async function measureDeath(setting: LossSetting): Promise<Losses> {
  const [one, two] = await openNodes(setting);
  const address = `${setting.nodes[1]?.address ?? ''}/24`;
  await setting.balanced();
  const load = startLoad(setting);
  await sleep(quietMs);
  const at = Date.now();
  await exec('ip', ['addr', 'del', address, 'dev', setting.device]);
  two.die();
  await sleep(15_000);
  const losses = judge(await load.end(), at);
  await exec('ip', ['addr', 'add', address, 'dev', setting.device]);
  await one.close();
  return losses;
}

interface OpenNode {
  close(): Promise<void>;
  /** What is open is never closed by the other side: its address is gone. */
  die(): void;
}

async function openNodes(setting: LossSetting): Promise<readonly [OpenNode, OpenNode]> {
  return [await openNode(setting, 0), await openNode(setting, 1)];
}

/** Its node port, as kube-proxy opens it. Closed, it refuses; what is open at that moment is let finish. */
async function openNode({ nodes, nodePort }: LossSetting, index: number): Promise<OpenNode> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.end('x');
  });
  server.listen(nodePort, nodes[index]?.address);
  await once(server, 'listening');
  return {
    close: async () => {
      server.close();
      await Promise.all([...sockets].map(async (socket) => await once(socket, 'close')));
    },
    die: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function startLoad({ address, port }: LossSetting): { end(): Promise<LoadResult> } {
  const file = new URL('load-client.ts', import.meta.url).pathname;
  const client = spawn(process.execPath, [file, address, String(port), String(connectionsASecond)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // It must not outlive a measurement that fails.
    timeout: 120_000,
  });
  const said = text(client.stdout);
  return {
    end: async () => {
      client.stdin.end();
      return JSON.parse(await said) as LoadResult;
    },
  };
}

function judge({ opened, failures }: LoadResult, since: number): Losses {
  const betweenMs = 1000 / connectionsASecond;
  const times = failures.map(({ at }) => at).toSorted((a, b) => a - b);
  let [longestGapMs, from] = [0, times[0] ?? 0];
  for (const [index, at] of times.entries()) {
    // The next one that was begun got its byte.
    if (index > 0 && at - (times[index - 1] ?? at) > 3 * betweenMs) from = at;
    longestGapMs = Math.max(longestGapMs, at - from);
  }
  return {
    opened,
    failed: failures.length,
    reasons: [...new Set(failures.map(({ why }) => why))],
    longestGapMs,
    firstAfterMs: times[0] === undefined ? undefined : times[0] - since,
    failedLate: times.filter((at) => at - since > 5_000).length,
  };
}
