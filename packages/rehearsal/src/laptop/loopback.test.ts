// The loopback port: the same each time, another when it is taken, and what HAProxy is told about it.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { formatLoopbackConfig, loopbackDescriptor, openLoopbackSocket } from './loopback.ts';

it('takes the same port for the same seed, and the next one while that is taken', async () => {
  const first = await openLoopbackSocket('/state/a');
  const second = await openLoopbackSocket('/state/a');
  expect(first.port).toBeGreaterThanOrEqual(20_000);
  expect(first.port).toBeLessThan(30_000);
  expect(second.port).not.toBe(first.port);
  await Promise.all([first.close(), second.close()]);
  const again = await openLoopbackSocket('/state/a');
  expect(again.port).toBe(first.port);
  await again.close();
});

it('outlives this process in one that has the descriptor', async () => {
  const socket = await openLoopbackSocket('/state/b');
  const program = `require('net').createServer((c) => c.end('through the descriptor')).listen({ fd: ${loopbackDescriptor} })`;
  const heir = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'inherit', socket.descriptor] });
  await socket.close();
  const client = connect(socket.port, '127.0.0.1').setEncoding('utf8');
  const [text] = (await once(client, 'data')) as [string];
  expect(text).toBe('through the descriptor');
  client.destroy();
  heir.kill('SIGKILL');
  await once(heir, 'close');
  const late = connect(socket.port, '127.0.0.1');
  await expect(once(late, 'connect')).rejects.toThrow('ECONNREFUSED');
});

it('bounds connections and leaves idle ones alone', async () => {
  await expect(formatLoopbackConfig({ address: '10.1.0.10', port: 6443 })).toMatchFileSnapshot('testdata/loopback.cfg');
});
