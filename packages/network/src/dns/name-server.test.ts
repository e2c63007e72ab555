import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { decodeMessage, encodeMessage } from '@labwright/wire/dns/message';
import { formatQuery } from '@labwright/wire/dns/query';
import { frame, readFrames } from '@labwright/wire/dns/tcp-frames';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeExposureZone } from './exposure-zone.ts';
import { type NameServer, startNameServer } from './name-server.ts';

const loopback = ipv4('127.0.0.1');
let server: NameServer;
let client: Socket;

const makeZone = (address: string, serial: number) =>
  makeExposureZone({
    domains: ['svc'],
    address: loopback,
    names: [
      { name: 'web.svc', addresses: [address] },
      { name: 'many.svc', addresses: Array.from({ length: 200 }, (_, index) => `10.1.3.${index}`) },
    ],
    serial,
  });

beforeEach(async () => {
  server = await startNameServer({ address: loopback, port: 0, clock: systemClock, log: silentLog });
  client = createSocket('udp4');
  client.bind(0, loopback);
  await once(client, 'listening');
});
afterEach(async () => {
  await server.close();
  client.close();
});

async function askByDatagram(message: Uint8Array) {
  client.send(message, server.port, loopback);
  const [bytes] = (await once(client, 'message')) as [Uint8Array];
  return decodeMessage(bytes);
}

async function askByStream(...pieces: readonly Uint8Array[]) {
  const socket = connect({ port: server.port, host: loopback, allowHalfOpen: true });
  for (const piece of pieces) socket.write(piece);
  socket.end();
  const answers = [];
  try {
    for await (const bytes of readFrames(socket)) answers.push(decodeMessage(bytes));
  } catch (error) {
    // What is hung up on while there is something unread.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  return answers;
}

const code = ({ flags }: { readonly flags: number }): number => flags & 0xf;

test('fails until it has a zone, and answers from each new one at once', async () => {
  expect(code(await askByDatagram(formatQuery(1, 'web.svc', 'A')))).toBe(2);
  server.setZone(makeZone('10.1.3.100', 1));
  const first = await askByDatagram(formatQuery(2, 'web.svc', 'A'));
  // An answer, from its own zone, and none of others to be had.
  expect(first).toMatchObject({ id: 2, flags: 0x8500, answers: [{ name: 'web.svc', type: 'A', data: '10.1.3.100' }] });
  server.setZone(makeZone('10.1.3.101', 2));
  const { answers } = await askByDatagram(formatQuery(3, 'web.svc', 'A'));
  expect(answers).toMatchObject([{ data: '10.1.3.101' }]);
});

test('says that there is no name with the start of its zone', async () => {
  server.setZone(makeZone('10.1.3.100', 9));
  const answer = await askByDatagram(formatQuery(1, 'none.svc', 'A'));
  expect(code(answer)).toBe(3);
  expect(answer.authorities).toMatchObject([{ name: 'svc', ttlSeconds: 3, type: 'SOA', data: { minimumSeconds: 3 } }]);
});

test.each(['AXFR', 'IXFR'])('%s is refused, and so is a name of others', async (type) => {
  server.setZone(makeZone('10.1.3.100', 1));
  expect(code(await askByDatagram(formatQuery(1, 'svc', type)))).toBe(5);
  const [overTcp] = await askByStream(frame(formatQuery(1, 'svc', type)));
  expect(overTcp?.answers).toEqual([]);
  expect(code(await askByDatagram(formatQuery(1, 'example.org', 'A')))).toBe(5);
  expect(server.counters()).toMatchObject({ queries: 3, refused: 3 });
});

test('what does not fit is cut, and whole over TCP', async () => {
  server.setZone(makeZone('10.1.3.100', 1));
  const cut = await askByDatagram(formatQuery(1, 'many.svc', 'A'));
  expect(cut.flags & 0x200).toBe(0x200);
  const [whole] = await askByStream(frame(formatQuery(2, 'many.svc', 'A')));
  expect(whole?.answers).toHaveLength(200);
});

test('a version of EDNS that is not known is told so', async () => {
  const edns = { datagramBytes: 1232, extendedCode: 0, version: 1, flags: 0, options: new Uint8Array(0) };
  const query = { ...decodeMessage(formatQuery(1, 'web.svc', 'A')), edns };
  server.setZone(makeZone('10.1.3.100', 1));
  const answer = await askByDatagram(encodeMessage(query));
  expect(answer).toMatchObject({ answers: [], edns: { extendedCode: 1, version: 0 } });
});

describe('over TCP', () => {
  test('several questions have as many answers, however they are cut', async () => {
    server.setZone(makeZone('10.1.3.100', 1));
    const both = Uint8Array.from([...frame(formatQuery(1, 'web.svc', 'A')), ...frame(formatQuery(2, 'none.svc', 'A'))]);
    const answers = await askByStream(both.subarray(0, 5), both.subarray(5, 40), both.subarray(40));
    expect(answers.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('what is no query, or too long for one, ends the connection', async () => {
    server.setZone(makeZone('10.1.3.100', 1));
    const good = frame(formatQuery(1, 'web.svc', 'A'));
    expect(await askByStream(frame(Uint8Array.from([1, 2, 3])), good)).toEqual([]);
    expect(await askByStream(frame(new Uint8Array(5000)), good)).toEqual([]);
    expect(server.counters().malformed).toBe(1);
    expect(await askByStream(good)).toHaveLength(1);
  });
});

test('malformed datagrams are counted and dropped, and the next query is answered', async () => {
  server.setZone(makeZone('10.1.3.100', 1));
  const good = formatQuery(7, 'web.svc', 'A');
  const bad = [
    new Uint8Array(0),
    good.subarray(0, 14),
    Uint8Array.from(good).fill(0xff, 2, 3),
    new Uint8Array(12).fill(0xc0),
  ];
  for (const bytes of bad) client.send(bytes, server.port, loopback);
  expect(await askByDatagram(good)).toMatchObject({ id: 7, answers: [{ data: '10.1.3.100' }] });
  expect(server.counters()).toEqual({ queries: 1, refused: 0, malformed: 4, dropped: 0 });
});

test('a port that is taken is told with who to ask', async () => {
  await expect(
    startNameServer({ address: loopback, port: server.port, clock: systemClock, log: silentLog }),
  ).rejects.toMatchObject({ code: 'LW0008' });
});
