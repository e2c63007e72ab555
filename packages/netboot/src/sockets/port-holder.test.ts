import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { findHolder, findSockets, parseSocketTable } from './port-holder.ts';

test('the kernel’s table is read: IPv4 and IPv6, little-endian', () => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   10: 0900010A:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0
   11: 00000000000000000000000000000000:0045 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0
`;
  expect(parseSocketTable(text)).toEqual([
    { address: '10.1.0.9', port: 67, inode: '4711' },
    { address: '0.0.0.0', port: 69, inode: '4712' },
  ]);
});

test('our own socket is found, and that we have it', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const [row] = await findSockets('udp', socket.address().port);
  expect(row?.address).toBe('127.0.0.1');
  expect(await findHolder(row?.inode ?? '')).toMatchObject({ pid: process.pid });
  socket.close();
});
