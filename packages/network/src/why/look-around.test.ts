// Real sockets on loopback: what a client meets there is what is told.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { cidr } from '@labwright/core/addresses/ipv4';
import { systemClock } from '@labwright/core/ports/system';
import { afterEach, expect, test } from 'vitest';
import type { Exposure } from '../exposures/exposure.ts';
import { findOwnAddresses, nameAnswer, tryConnections, tryExposures } from './look-around.ts';

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

test('what is limited to networks without this computer is not tried', async () => {
  const port = await listen(createServer((socket) => void socket.resetAndDestroy()));
  const limitedTo = (network?: string): Exposure => ({
    key: 'Service default/web',
    source: { kind: 'Service', namespace: 'default', name: 'web', uid: '1' },
    names: [],
    addresses: ['127.0.0.1'],
    balancer: 'router',
    ports: [
      { port, protocol: 'TCP', backends: [], standby: [] },
      { port: 53, protocol: 'UDP', backends: [], standby: [] },
    ],
    routes: [],
    ...(network === undefined ? {} : { sourceRanges: [cidr(network)] }),
    affinity: 'none',
  });
  const asking = { clock: systemClock, signal };
  const own = new Map([['127.0.0.1', '127.0.0.1']]);
  const refused = new Map([[`127.0.0.1:${port}`, 'refused']]);
  expect(await tryExposures([limitedTo('10.9.0.0/16')], [], asking)).toEqual({ from: own, connections: new Map() });
  expect(await tryExposures([limitedTo('127.0.0.0/8')], [], asking)).toEqual({ from: own, connections: refused });
  expect(await tryExposures([limitedTo()], [], asking)).toEqual({ from: new Map(), connections: refused });
});

test('this computer knows which of its addresses it connects from', async () => {
  expect(await findOwnAddresses(['127.0.0.1', '::1'])).toEqual(new Map([['127.0.0.1', '127.0.0.1']]));
});

test('that there is no name is said only when every question was answered so', () => {
  const failing = (code: string): PromiseRejectedResult => ({
    status: 'rejected',
    reason: Object.assign(new Error(code), { code }),
  });
  const giving = (...value: readonly string[]) => ({ status: 'fulfilled', value }) as const;
  expect(nameAnswer([failing('ENOTFOUND'), failing('ENOTFOUND')])).toEqual({ kind: 'no-name' });
  expect(nameAnswer([failing('ENODATA'), failing('ENODATA')])).toEqual({ kind: 'no-name' });
  const silent = { kind: 'silent', why: 'no answer within seconds' };
  expect(nameAnswer([failing('ETIMEOUT'), failing('ENODATA')])).toEqual(silent);
  expect(nameAnswer([failing('ENODATA'), failing('ETIMEOUT')])).toEqual(silent);
  expect(nameAnswer([failing('ESERVFAIL'), failing('ENODATA')])).toEqual({ kind: 'silent', why: 'ESERVFAIL' });
  expect(nameAnswer([giving('10.1.3.100'), failing('ENODATA')])).toEqual({
    kind: 'addresses',
    addresses: ['10.1.3.100'],
  });
});
