// What clients of a balanced Service lose while a node is drained, while one dies, and while its pods move, go and come back: 200
// new connections a second.
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

/** Of a Service whose connections end only on nodes that hold its pods. */
export interface ScaleSetting extends LossSetting {
  /** Says to the cluster on which nodes its ready pods are. */
  readonly placePods: (nodes: readonly string[]) => Promise<void>;
  /** Waits until the balancer was told that they are there, however late it hears of it. */
  readonly placed: (nodes: readonly string[]) => Promise<void>;
}

export interface ScaleLosses {
  /** While its pods went from one node to the other and back: one of the two served at any time. */
  readonly moved: Losses;
  /** Once there were pods again after there was none, from the moment on that the cluster was told. */
  readonly back: Losses;
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

/** The pods go to the other node and back, then they are none, and then they are there again. */
export async function measureScale(setting: ScaleSetting): Promise<ScaleLosses> {
  const [one, two] = [setting.nodes[0]?.name ?? '', setting.nodes[1]?.name ?? ''];
  let open = await openNode(setting, 0);
  await place([one], setting);
  await setting.balanced();
  const moving = startLoad(setting);
  await sleep(quietMs);
  const movedAt = Date.now();
  for (const [index, name] of [[1, two] as const, [0, one] as const]) {
    const next = await openNode(setting, index);
    await place([name], setting);
    await open.close();
    open = next;
    await sleep(quietMs);
  }
  const moved = judge(await moving.end(), movedAt);
  await place([], setting);
  await open.close();
  await sleep(quietMs);
  const returning = startLoad(setting);
  // Refused, as there is nobody: what counts is what comes after.
  await sleep(quietMs);
  open = await openNode(setting, 0);
  await setting.placePods([one]);
  const backAt = Date.now();
  await sleep(2 * quietMs);
  const back = judge(since(await returning.end(), backAt), backAt);
  await open.close();
  return { moved, back };
}

async function place(nodes: readonly string[], setting: ScaleSetting): Promise<void> {
  await setting.placePods(nodes);
  await setting.placed(nodes);
}

/** Without those that were begun before; every one of these failed. */
function since({ opened, failures }: LoadResult, at: number): LoadResult {
  const later = failures.filter((failure) => failure.at >= at);
  return { opened: opened - (failures.length - later.length), failures: later };
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
