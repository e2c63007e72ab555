// The LAN of these tests itself: what a wrong one would make fail elsewhere, now and then.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { makeLan } from './lan.ts';

const ip = async (...argv: readonly string[]) => await promisify(execFile)('ip', argv);

test('two peers on one bridge reach each other and the bridge', async () => {
  const lan = await makeLan('lan-test', '10.99.0.1/24');
  const one = await lan.addPeer('one', '02:00:00:00:00:01', '10.99.0.11/24');
  await lan.addPeer('two', '02:00:00:00:00:02', '10.99.0.12/24');
  for (const address of ['10.99.0.1', '10.99.0.12']) {
    const seen = await one.exec(['ip', '-o', 'route', 'get', address]);
    expect(seen.stdout).toContain('dev eth0');
  }
  const refused = await one.exec(['ip', 'route', 'get', '192.0.2.1']);
  expect(refused.exitCode).not.toBe(0);
});

test('a port that comes and goes cuts nobody off from this process', { timeout: 60_000 }, async () => {
  const lan = await makeLan('quiet-lan', '10.77.61.9/24');
  const peer = await lan.addPeer('quiet-peer', '06:00:00:00:00:01', '10.77.61.50/24');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('here\n');
  });
  server.listen(8080, '10.77.61.9');
  await once(server, 'listening');
  const mac = async () => /link\/ether (\S+)/.exec((await ip('link', 'show', 'quiet-lan')).stdout)?.[1];
  const ask = async () =>
    (await peer.exec(['bash', '-c', 'read -r -t 5 said < /dev/tcp/10.77.61.9/8080; echo "$said"'])).stdout.trim();
  const before = await mac();
  expect(await ask()).toBe('here');
  await ip('link', 'add', 'quiet-low', 'address', '00:00:00:00:00:02', 'type', 'veth', 'peer', 'name', 'quiet-end');
  await ip('link', 'set', 'quiet-low', 'master', 'quiet-lan', 'up');
  // Whoever asks anew meanwhile remembers what it was told.
  await peer.exec(['ip', 'neigh', 'flush', 'dev', 'eth0']);
  expect([await mac(), await ask()]).toEqual([before, 'here']);
  await ip('link', 'del', 'quiet-low');
  expect([await mac(), await ask()]).toEqual([before, 'here']);
  server.close();
});
