// A client that opens connections at a steady rate and takes one byte from each, in a process of its own; for benchmarks:
//   node load-client.ts ADDRESS PORT A-SECOND     until its standard input ends; then it says what it got, as JSON
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds since 1970 at which each connection was begun that got no byte, and why. */
export interface LoadResult {
  readonly opened: number;
  readonly failures: readonly { readonly at: number; readonly why: string }[];
}

const [address = '', port = '', aSecond = ''] = process.argv.slice(2);
const everyMs = 1000 / Number(aSecond);
const patienceMs = 10_000;
const failures: { at: number; why: string }[] = [];
let opened = 0;
const open = new Set<Promise<void>>();

async function take(): Promise<void> {
  const at = Date.now();
  const why = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: address, port: Number(port), timeout: patienceMs });
    socket.once('data', () => resolve(undefined));
    socket.once('timeout', () => resolve('no byte in time'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed without a byte'));
    socket.once('data', () => socket.destroy());
    socket.once('timeout', () => socket.destroy());
  });
  if (why !== undefined) failures.push({ at, why });
}

const over = new AbortController();
process.stdin.resume().once('end', () => {
  over.abort();
});
const startedAt = performance.now();
while (!over.signal.aborted) {
  // As many as are due by now: a timer that is late holds nobody up.
  for (const due = (performance.now() - startedAt) / everyMs; opened < due; opened += 1) {
    const taking = take();
    open.add(taking);
    void taking.finally(() => open.delete(taking));
  }
  await sleep(everyMs);
}
await Promise.all(open);
process.stdout.write(JSON.stringify({ opened, failures } satisfies LoadResult));
