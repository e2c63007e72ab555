import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { formatQuery, readAnswers } from '@labwright/wire/dns/query';
import { encode, type Packet } from '@leichtgewicht/dns-packet';
import { afterEach, expect, test } from 'vitest';
import { makeForward, type Resolver } from './forward.ts';

const { signal } = new AbortController();
const message = formatQuery(7, 'nas.test', 'A');
const loopback = ipv4('127.0.0.1');
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Asked {
  readonly id: number;
  readonly from: RemoteInfo;
}

/** A resolver that sends what the test says for each query, in that order. */
async function makeResolver(
  answer: (asked: Asked) => readonly Uint8Array[],
): Promise<{ resolver: Resolver; asked: Asked[] }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const asked: Asked[] = [];
  socket.on('message', (bytes, from) => {
    const query = { id: bytes.readUInt16BE(0), from };
    asked.push(query);
    for (const reply of answer(query)) socket.send(reply, from.port, from.address);
  });
  cleanups.push(async () => {
    socket.close();
    await once(socket, 'close');
  });
  return { resolver: { address: loopback, port: socket.address().port }, asked };
}

const answerOf = (id: number, data: string, changes: Partial<Packet> = {}): Uint8Array =>
  encode({
    type: 'response',
    id,
    questions: [{ name: 'nas.test', type: 'A' }],
    answers: [{ name: 'nas.test', type: 'A', ttl: 1, data }],
    ...changes,
  });
const dataOf = (bytes: Uint8Array | undefined): unknown =>
  bytes === undefined ? undefined : readAnswers(bytes)?.answers.map((each) => each.data);
const forwardTo = (...resolvers: Resolver[]) => {
  const forward = makeForward({ resolvers, clock: systemClock, random: systemRandom, timeoutMs: 200 });
  return async (): Promise<Uint8Array | undefined> => await forward(message, message.subarray(12), 'udp', signal);
};

test('only an answer with the id and the question that were sent counts, and goes back with the client’s id', async () => {
  const { resolver } = await makeResolver(({ id }) => [
    answerOf((id + 1) & 0xffff, '192.0.2.66'),
    answerOf(id, '192.0.2.66', { questions: [{ name: 'bank.test', type: 'A' }] }),
    answerOf(id, '192.0.2.66', { type: 'query' }),
    Uint8Array.from([1, 2, 3]),
    answerOf(id, '192.0.2.1'),
  ]);
  const answer = await forwardTo(resolver)();
  expect([dataOf(answer), answer?.[0], answer?.[1]]).toEqual([['192.0.2.1'], 0, 7]);
});

test('each query has an id and a port of its own', async () => {
  const { resolver, asked } = await makeResolver(({ id }) => [answerOf(id, '192.0.2.1')]);
  const ask = forwardTo(resolver);
  await Promise.all(Array.from({ length: 20 }, async () => await ask()));
  expect(new Set(asked.map(({ from }) => from.port)).size).toBe(20);
  expect(new Set(asked.map(({ id }) => id)).size).toBeGreaterThan(17);
});

test('one that is silent or fails is passed over, and the one that answered comes first then', async () => {
  const silent = await makeResolver(() => []);
  const failing = await makeResolver(({ id }) => [answerOf(id, '192.0.2.66', { flags: 2 })]);
  const good = await makeResolver(({ id }) => [answerOf(id, '192.0.2.1')]);
  const ask = forwardTo(silent.resolver, failing.resolver, good.resolver);
  expect([dataOf(await ask()), dataOf(await ask())]).toEqual([['192.0.2.1'], ['192.0.2.1']]);
  expect([silent.asked.length, failing.asked.length, good.asked.length]).toEqual([1, 1, 2]);
});

test('nobody who answers is nothing, and a failure of all of them is theirs', async () => {
  const silent = await makeResolver(() => []);
  expect(await forwardTo(silent.resolver)()).toBeUndefined();
  const closed = createSocket('udp4').bind(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  closed.close();
  const failing = await makeResolver(({ id }) => [answerOf(id, '192.0.2.66', { flags: 2 })]);
  expect((await forwardTo({ address: loopback, port }, failing.resolver)())?.[3]).toBe(2);
});
