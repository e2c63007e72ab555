// A Service whose connections end only on nodes that hold its pods (externalTrafficPolicy: Local), on an emulated pfSense with real
// HAProxy: pods move, go and come back, and the configuration is not written for it.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId } from '@labwright/core/addresses/names';
import { makeNode, makeService, makeSlice } from '@labwright/network/exposures/cluster.test-data';
import { ownerOf } from '@labwright/network/router/entry-names';
import { tcpBackEndName } from '@labwright/network/router/exposure-entries';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { askAt, type ExposingRouter, quickLimits, startExposingRouter } from './exposing-router.ts';

/** Both are ours here: what listens on a node port listens in this process. */
const addresses = { node101: '10.77.53.50', node102: '10.77.53.51' } as const;
type NodeName = keyof typeof addresses;
const service = '10.77.53.200';
const nodePort = 30_084;
const web = { name: '', port: 80, protocol: 'TCP' as const, nodePort };
/** Of pods that are nowhere. */
const other = { name: 'other', port: 81, protocol: 'TCP' as const, nodePort: 30_085 };
const open = new Map<NodeName, Server>();
let router: ExposingRouter;

beforeAll(async () => {
  const lan = await makeLan('local-lan', `${addresses.node101}/24`);
  await promisify(execFile)('ip', ['addr', 'add', `${addresses.node102}/24`, 'dev', 'local-lan']);
  const range = { first: ipv4(service), last: ipv4(service) };
  router = await startExposingRouter(lan, '10.77.53.1', range);
}, 300_000);
afterAll(async () => {
  await router?.stop();
  for (const server of open.values()) server.close();
});

/** Node ports are open before the cluster says so, and closed after the router heard that they are to be left. */
async function holdPods(...places: readonly NodeName[]): Promise<void> {
  for (const place of places) if (!open.has(place)) open.set(place, await openNodePort(place));
  await putService(places, [web]);
  for (const [place, server] of open) {
    if (places.includes(place)) continue;
    server.close();
    open.delete(place);
  }
}

async function putService(places: readonly NodeName[], ports: readonly (typeof web)[]): Promise<void> {
  await router.put({
    services: [
      makeService('web', {
        ports,
        spec: { externalTrafficPolicy: 'Local' },
      }),
    ],
    slices: [makeSlice('web', places)],
    nodes: Object.entries(addresses).map(([name, address]) => makeNode(name, { address })),
  });
}

async function openNodePort(name: NodeName): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(name);
  });
  server.listen({ host: addresses[name], port: nodePort });
  await once(server, 'listening');
  return server;
}

const ask = async (): Promise<string> => await askAt({ host: service, port: 80 });

test(
  'is served where its pods are, at once and without a write, also who comes a moment before them',
  { timeout: 300_000 },
  async () => {
    await holdPods('node101');
    await router.written();
    expect(await ask()).toBe('node101');
    // As at the hourly cap: nothing is written while this lasts.
    await router.restart({ ...quickLimits, quietMs: 3_600_000, longestMs: 3_600_000 });
    await holdPods('node101');
    const before = await router.countWrites();

    await holdPods('node102');
    expect(await ask()).toBe('node102');
    await holdPods('node101', 'node102');
    await holdPods('node101');
    expect(await ask()).toBe('node101');

    for (const place of ['node102', 'node101', 'node102', 'node101', 'node102'] as const) {
      await holdPods();
      // A connection that fails takes the server out, and the next check is up to a second away.
      await expect.poll(ask, { timeout: 30_000, interval: 5 }).not.toMatch(/^node/);
      // Who comes shortly before the pods waits for them.
      const early = [ask()];
      const asking = setInterval(() => early.push(ask()), 50);
      await holdPods(place);
      clearInterval(asking);
      expect(await early.at(-1)).toBe(place);
      expect(await ask()).toBe(place);
    }
    expect(await router.countWrites()).toBe(before);
  },
);

test('is served as well when it comes back after none was written', { timeout: 300_000 }, async () => {
  await router.restart(quickLimits);
  await holdPods();
  await router.written();
  expect(await ask()).not.toMatch(/^node/);
  await holdPods('node101');
  expect(await ask()).toBe('node101');
  await router.written();
  expect(await ask()).toBe('node101');
});

test(
  'what HAProxy was told outlives its reload where the configuration says nothing newer',
  { timeout: 300_000 },
  async () => {
    await holdPods('node101');
    await router.written();
    await movePodUnseen();
    const before = await router.countWrites();
    await putService(['node101'], [web, other]);
    await router.written();
    expect(await router.countWrites()).toBe(before + 1);
    expect(await ask()).toBe('node102');
    // The cluster is told of at last, and the configuration has the last word again.
    await holdPods('node102');
    await router.written();
    await holdPods('node101');
    await router.written();
    expect(await ask()).toBe('node101');
  },
);

test(
  'what others made HAProxy forget, or hear, is put right by the look every few minutes',
  { timeout: 300_000 },
  async () => {
    await holdPods('node101');
    await router.written();
    await movePodUnseen();
    await router.putAgain();
    expect(await ask()).toBe('node101');

    // As at the hourly cap.
    await router.restart({ ...quickLimits, quietMs: 3_600_000, longestMs: 3_600_000 });
    await holdPods('node102');
    expect(await ask()).toBe('node102');
    await router.applyByHand();
    expect(await ask()).not.toBe('node102');
    await router.putAgain();
    expect(await ask()).toBe('node102');
  },
);

/** As in the moment in which a write that does not know of it yet is on its way. */
async function movePodUnseen(): Promise<void> {
  const backEnd = tcpBackEndName(ownerOf(labId('test+rehearsal')), { address: ipv4(service), port: 80 });
  if (!open.has('node102')) open.set('node102', await openNodePort('node102'));
  await router.moveServers([
    { backEnd, server: 'node102', state: 'ready' },
    { backEnd, server: 'node102', state: 'healthy' },
    { backEnd, server: 'node101', state: 'drain' },
  ]);
  expect(await ask()).toBe('node102');
}
