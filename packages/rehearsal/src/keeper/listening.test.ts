// Listening ports as the kernel lists them.
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { hasListener, isListening } from './listening.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0A00010A:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0
   1: 0A00010A:0016 0900010A:8CA0 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0
`;

it('tells listening from connected', () => {
  expect(hasListener(table, 6443)).toBe(true);
  expect(hasListener(table, 22)).toBe(false);
  expect(hasListener(table, 644)).toBe(false);
});

it('finds a port of this process', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await isListening(process.pid, port)).toBe(true);
  server.close();
  await once(server, 'close');
  expect(await isListening(process.pid, port)).toBe(false);
});
