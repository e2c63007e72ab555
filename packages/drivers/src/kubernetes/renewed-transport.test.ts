import { Secret } from '@labwright/core/ports/secret';
import { expect, test } from 'vitest';
import type { ClusterLogin } from './connection.ts';
import { openRenewedTransport } from './renewed-transport.ts';
import type { Exchange } from './transport.ts';

const { signal } = new AbortController();
const read = { method: 'GET', path: '/version' } as const;
const done: Exchange = { kind: 'answer', status: 200, body: '{}' };

/** A login that is good for ten milliseconds, as is each one after it; which one a request went by is told, and what became of it. */
function makeWorld() {
  const told: string[] = [];
  let now = 0;
  let made = 0;
  const makeLogin = (): ClusterLogin => {
    made += 1;
    return {
      endpoint: { address: '10.1.0.10', port: 6443, serverName: 'kube.home.arpa' },
      ca: '',
      certificate: `login ${made}`,
      privateKey: new Secret(''),
      renewal: { at: now + 10, next: async () => makeLogin() },
    };
  };
  const transport = openRenewedTransport(
    makeLogin(),
    ({ certificate }) => ({
      send: async () => {
        told.push(`${certificate} sends`);
        return done;
      },
      stream: async () => {
        told.push(`${certificate} follows`);
        return done;
      },
      finish: async () => void told.push(`${certificate} finishes`),
      close: async () => void told.push(`${certificate} is closed`),
    }),
    { now: () => now },
  );
  return { transport, told, pass: (ms: number) => void (now += ms) };
}

test('requests go by one login until its time comes, and by the next one from then on', async () => {
  const { transport, told, pass } = makeWorld();
  await transport.send(read, signal);
  pass(9);
  await transport.send(read, signal);
  pass(1);
  await transport.stream('/nodes', 1, signal);
  pass(1000);
  await transport.send(read, signal);
  await transport.close();
  expect(told).toEqual([
    'login 1 sends',
    'login 1 sends',
    'login 1 finishes',
    'login 2 follows',
    'login 2 finishes',
    'login 3 sends',
    'login 3 is closed',
  ]);
});

test('many at once have one login made, and none goes by one that takes no more', async () => {
  const { transport, told, pass } = makeWorld();
  pass(10);
  await Promise.all([
    transport.send(read, signal),
    transport.stream('/nodes', 1, signal),
    transport.send(read, signal),
  ]);
  expect(told).toEqual(['login 1 finishes', 'login 2 sends', 'login 2 follows', 'login 2 sends']);
});
