// Real sockets on loopback: what a client meets there is what is told.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { systemClock } from '@labwright/core/ports/system';
import { afterEach, expect, test } from 'vitest';
import { tryConnections } from './look-around.ts';

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a connection that is taken answers, also when the other side says nothing', async () => {
  const silent = await listen(createServer((socket) => socket.on('error', () => undefined)));
  const talking = await listen(createServer((socket) => socket.end('hello')));
  const places = [silent, talking].map((port) => ({ address: '127.0.0.1', port }));
  const seen = await tryConnections([...places, ...places], { clock: systemClock, signal });
  expect([...seen.values()]).toEqual(['answers', 'answers']);
});

test('one that is refused, or taken and ended without a word as a balancer without servers does, is refused', async () => {
  const resetting = await listen(createServer((socket) => void socket.resetAndDestroy()));
  const ending = await listen(
    createServer((socket) => void systemClock.sleep(500, signal).then(() => socket.resume().end())),
  );
  const gone = createServer();
  const closed = await listen(gone);
  gone.close();
  await once(gone, 'close');
  const places = [resetting, ending, closed].map((port) => ({ address: '127.0.0.1', port }));
  const seen = await tryConnections(places, { clock: systemClock, signal });
  expect([...seen.values()]).toEqual(['refused', 'refused', 'refused']);
});
