// A client on the laptop that waits for the first byte of a Service, at a node's port and behind its name, side by side:
//   node first-byte-client.ts ROUTER NAME PORT NODE NODE-PORT     says when each came, milliseconds since 1970, as JSON
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [router = '', name = '', port = '', node = '', nodePort = ''] = process.argv.slice(2);
const againMs = 20;
const signal = AbortSignal.timeout(300_000);
const resolver = new Resolver({ timeout: 1_000, tries: 1 });
resolver.setServers([router]);

/** An empty one while there is none. */
async function lookUp(): Promise<string> {
  try {
    return (await resolver.resolve4(name))[0] ?? '';
  } catch {
    return '';
  }
}

async function isAnswered(host: string, at: number): Promise<boolean> {
  const socket = connect({ host, port: at, timeout: 2_000 });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
      socket.once('data', (data) => resolve(data.toString('latin1').includes(' 200 ')));
      for (const event of ['error', 'timeout', 'close'] as const) socket.once(event, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

async function firstByte(place: () => Promise<string>, at: number): Promise<number> {
  for (;;) {
    const host = await place();
    if (host !== '' && (await isAnswered(host, at))) return Date.now();
    await sleep(againMs, undefined, { signal });
  }
}

const [atNode, balanced] = await Promise.all([
  firstByte(async () => node, Number(nodePort)),
  firstByte(lookUp, Number(port)),
]);
process.stdout.write(JSON.stringify({ node: atNode, balanced }));
