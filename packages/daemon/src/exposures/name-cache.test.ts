// The name server over a restart, with the real store and asked over its socket, while the cluster does not answer.
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { makeDnsEnd } from '@labwright/network/dns/dns-end';
import { startNameServer } from '@labwright/network/dns/name-server';
import { makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../store/store.ts';
import { makeExposuresArea } from './exposures-area.ts';
import { makeNameCache } from './name-cache.ts';

const loopback = ipv4('127.0.0.1');
const dayMs = 86_400_000;
const state = {
  names: [{ name: 'web.svc', addresses: ['10.1.3.100'], owners: ['Service default/web' as const] }],
  addresses: [],
  balancers: [],
};
let folder: string;
let file: string;
let port: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'names-'));
  file = join(folder, 'store.sqlite');
  port = await findClosedPort();
});
afterEach(() => rm(folder, { recursive: true }));

async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, loopback);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A service that knew the cluster, at some time ago. */
async function runBefore(ageMs: number): Promise<void> {
  const store = openStore(file);
  const clock = { ...systemClock, now: () => systemClock.now() - ageMs };
  const memory = makeNameCache(store, silentLog);
  const server = await startNameServer({ address: loopback, port: 0, clock, log: silentLog });
  const end = makeDnsEnd({ server, domains: ['svc'], fixedNames: [], memory, clock });
  await end.put(state, new AbortController().signal);
  await server.close();
  store.close();
}

/** The area as it is after a start, with a cluster that is not known: what it answers, and what it warned of. */
async function answerAfterStart(name: string): Promise<readonly [answer: string, warnings: readonly string[]]> {
  const store = openStore(file);
  const stop = new AbortController();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const blueprint = makeBlueprint([makeMachine(101)]);
  const area = makeExposuresArea({
    blueprint: {
      ...blueprint,
      netboot: { ...blueprint.netboot, address: loopback },
      exposures: { ...blueprint.exposures, domains: ['svc'], nameServer: { port } },
    },
    cluster: { reach: awayCluster },
    names: makeNameCache(store, log),
    clock: systemClock,
    log,
    signal: stop.signal,
  });
  try {
    await area.attend();
    const resolver = new Resolver({ timeout: 1_000, tries: 1 });
    resolver.setServers([`${loopback}:${port}`]);
    return [await resolver.resolve4(name).then(String, (error: NodeJS.ErrnoException) => error.code ?? ''), warnings];
  } finally {
    stop.abort(new Error('closed'));
    await area.close();
    store.close();
  }
}

type Reach = Parameters<typeof makeExposuresArea>[0]['cluster']['reach'];
const notAsked = (): never => {
  throw new Error('it is not asked');
};
const awayCluster = {
  vault: { read: async () => await Promise.resolve(undefined) },
  connect: notAsked,
  connectLasting: notAsked,
} as unknown as Reach;

test('what it answered last is answered after a restart while the cluster is away', async () => {
  await runBefore(dayMs / 2);
  expect(await answerAfterStart('web.svc')).toEqual(['10.1.3.100', []]);
  expect(await answerAfterStart('none.svc')).toEqual(['ENOTFOUND', []]);
});

test.each([
  ['never known', undefined],
  ['known longer ago than a day', dayMs + 60_000],
  ['known at a time that is still to come', -60_000],
])('a cluster that was %s fails, and is not said to have no such name', async (_, ageMs) => {
  if (ageMs !== undefined) await runBefore(ageMs);
  expect(await answerAfterStart('web.svc')).toEqual(['ESERVFAIL', []]);
});

test('a cache that cannot be read is done without, and said', async () => {
  await runBefore(0);
  const database = new DatabaseSync(file);
  database.exec("UPDATE cache SET body = '[{}]'");
  database.close();
  const [answer, warnings] = await answerAfterStart('web.svc');
  expect(answer).toBe('ESERVFAIL');
  expect(warnings).toEqual(['names from before the start cannot be read; they are told when the cluster is known']);
});

test('a cache that cannot be written to keeps no name from being answered', async () => {
  const store = openStore(file);
  const warnings: string[] = [];
  const memory = makeNameCache(store, { ...silentLog, warn: (message) => void warnings.push(message) });
  store.close();
  memory.remember({ at: 0, names: [] });
  expect(memory.recall()).toBeUndefined();
  expect(warnings).toHaveLength(2);
});
