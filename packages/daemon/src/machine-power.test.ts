import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { hasSystemAt } from './machine-power.ts';

const never = new AbortController().signal;

test('a system is at an address whose port is open, and at one whose port is closed', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await hasSystemAt('127.0.0.1', port, never)).toBe(true);
  server.close();
  await once(server, 'close');
  expect(await hasSystemAt('127.0.0.1', port, never)).toBe(true);
});

test('nobody is at an address that cannot be reached', async () => {
  // No TCP connection goes to the broadcast address (RFC 9293 §3.9.2.3), so nothing leaves this computer.
  expect(await hasSystemAt('255.255.255.255', 22, never)).toBe(false);
});

test('an interrupt ends the question', async () => {
  const stop = new AbortController();
  stop.abort(new Error('Ctrl-C'));
  await expect(hasSystemAt('127.0.0.1', 22, stop.signal)).rejects.toThrow('Ctrl-C');
});
