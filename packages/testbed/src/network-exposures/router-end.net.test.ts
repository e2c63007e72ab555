// From a Service to a connection through the router: a real API server, the controller, the driver's keeper, and an emulated pfSense
// with real PHP, Unbound and HAProxy.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { type PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import { exposedServiceKind, statusAddresses } from '@labwright/network/cluster/exposed-kinds';
import { type ExposureController, startExposureController } from '@labwright/network/controller/exposure-controller';
import type { ExposureSettings, NodePower } from '@labwright/network/exposures/exposure';
import { ManagedRouter } from '@labwright/network/router/managed-router';
import { RouterEnd } from '@labwright/network/router/router-end';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { fakeNode, type FakeNode } from '../kubernetes/fake-node.ts';
import { makeLan } from '../network/lan.ts';
import { connectRouter, keepRouter } from '../pfsense/router-connection.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';

const found = await findPrograms();
if (found.kind === 'missing') console.log(`left out: ${found.why}`);

const routerAddress = '10.77.50.1';
/** Both are ours here: what listens on a node port listens in this process. */
const nodeAddresses = { node101: '10.77.50.50', node102: '10.77.50.51' } as const;
const range = { first: ipv4('10.77.50.200'), last: ipv4('10.77.50.209') };
const { signal } = new AbortController();
const call = { signal };
const patience = { timeout: 30_000, interval: 50 };

const settings: ExposureSettings = {
  domains: ['svc'],
  balancer: 'router',
  ingress: 'router',
  routerBalances: true,
  range,
  takenAddresses: new Map(),
  reservedNames: new Map(),
  routerPorts: [],
};

describe.skipIf(found.kind === 'missing')('a Service on the router', { timeout: 60_000 }, () => {
  let plane: ControlPlane;
  let router: RouterPeer;
  let connection: PfsenseConnection;
  let nodes: readonly FakeNode[];
  let running: Running;
  const servers: Server[] = [];
  const power = new Map<string, NodePower>();
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });

  interface Running {
    readonly managed: ManagedRouter;
    readonly controller: ExposureController;
    /** As if the process were killed: nothing is said to anybody. */
    kill(): Promise<void>;
  }

  /** `holder`: a new process is a new writer unless it is the same one started again. */
  const start = (holder = 'test'): Running => {
    const { managed, stop } = keepRouter(connection, {
      holder,
      keeper: { limits: { quietMs: 500, longestMs: 2_000, verifyMs: 2_000, writesPerHour: 200 }, lookEveryMs: 1_000 },
    });
    const controller = startExposureController({
      connection: plane.connection,
      ends: [new RouterEnd(managed, silentLog)],
      settings: () => settings,
      power: () => power,
      clock: systemClock,
      log: silentLog,
    });
    return {
      managed,
      controller,
      kill: async () => {
        await Promise.all([stop(), controller.close()]);
      },
    };
  };

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    const lan = await makeLan('end-lan', `${nodeAddresses.node101}/24`);
    await promisify(execFile)('ip', ['addr', 'add', `${nodeAddresses.node102}/24`, 'dev', 'end-lan']);
    router = await addRouterPeer(lan, routerAddress, {
      hosts: [{ host: 'taken', domain: 'svc', ip: '10.77.50.9' }],
    });
    resolver.setServers([routerAddress]);
    connection = connectRouter(router);
    plane = await startControlPlane({ programs: found.programs });
    nodes = await Promise.all(
      Object.entries(nodeAddresses).map(async ([name, address]) => await fakeNode(plane.connection, name, { address })),
    );
    for (const [name, address] of Object.entries(nodeAddresses))
      servers.push(await serveNodePort(name, address, 30_080));
    running = start();
  }, 180_000);
  afterAll(async () => {
    await running?.kill();
    await connection?.close();
    await Promise.all((nodes ?? []).map((node) => node.stop()));
    for (const server of servers) server.close();
    await plane?.stop();
    await router?.stop();
  });

  const put = async (name: string, hostname: string, port: { port: number; nodePort: number }): Promise<void> => {
    const spec = { type: 'LoadBalancer', selector: { app: name }, ports: [{ name: 'tcp', protocol: 'TCP', ...port }] };
    const metadata = { name, namespace: 'default', annotations: { 'dns.pfsense.org/hostname': hostname } };
    await plane.connection.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec }, call);
  };
  const lookUp = async (name: string): Promise<string> => (await resolver.resolve4(name).catch(() => [])).join();
  const eventsOf = async (name: string): Promise<string> =>
    await plane.kubectl([
      'get',
      'events',
      `--field-selector=involvedObject.name=${name}`,
      '-o',
      'jsonpath={.items[*].message}',
    ]);
  const statusOf = async (name: string): Promise<string> => {
    const service = await plane.connection.get(exposedServiceKind, { name, namespace: 'default' }, call);
    return service === undefined ? 'absent' : statusAddresses(service).join();
  };
  const settled = async (): Promise<void> => {
    await expect.poll(() => running.managed.standing.kind, patience).toBe('settled');
  };
  const writesSince = async (count: number): Promise<number> =>
    (await router.control.fetchJournal()).slice(count).filter(({ what }) => what === 'config written').length;

  test('has its name, its address, and answers at its port by name, with nothing else to do', async () => {
    await put('web', 'web.svc', { port: 80, nodePort: 30_080 });
    await expect.poll(async () => await lookUp('web.svc'), patience).toMatch(/^10\.77\.50\.20\d$/);
    const address = await lookUp('web.svc');
    expect(await statusOf('web')).toBe(address);
    await expect.poll(async () => await askAt(address, 80), patience).toMatch(/^node10[12]$/);
    await settled();
    const answers = new Set<string>();
    for (let count = 0; count < 10; count += 1) answers.add(await askAt(address, 80));
    expect([...answers].toSorted()).toEqual(['node101', 'node102']);
    expect(running.managed.standing.takenBack).toEqual(new Map());
  });

  test('that is wanted where a person’s entry stands has an Event, and that entry stays', async () => {
    await put('other', 'taken.svc', { port: 8081, nodePort: 30_081 });
    await expect
      .poll(async () => await eventsOf('other'), patience)
      .toContain('the name taken.svc is taken by an entry made by hand');
    expect(await eventsOf('other')).toContain('labwright router adopt NAME');
    expect(await lookUp('taken.svc')).toBe('10.77.50.9');
    await plane.connection.delete(exposedServiceKind, { name: 'other', namespace: 'default' }, call);
    // The words about the last write may name it for longer.
    await expect.poll(async () => await router.control.fetchConfig(), patience).not.toContain('<extaddr_port>8081');
    expect(await router.control.fetchConfig()).toContain('<host>taken</host>');
  });

  test('sends nothing new to a node that is drained, from the first moment on', async () => {
    await settled();
    const address = await lookUp('web.svc');
    await plane.kubectl(['cordon', 'node101']);
    await expect.poll(() => running.controller.ends()[0]?.state, patience).toBe('in step');
    await expect
      .poll(
        async () => new Set([await askAt(address, 80), await askAt(address, 80), await askAt(address, 80)]),
        patience,
      )
      .toEqual(new Set(['node102']));
    await plane.kubectl(['uncordon', 'node101']);
    await expect.poll(async () => new Set([await askAt(address, 80), await askAt(address, 80)]).size, patience).toBe(2);
    await settled();
  });

  test('stays as it is while the API server is away, also after a restart meanwhile', async () => {
    await settled();
    const address = await lookUp('web.svc');
    await plane.apiServers[0].kill();
    await running.kill();
    const before = (await router.control.fetchJournal()).length;
    running = start();
    await expect.poll(() => running.managed.standing.kind, patience).toBe('settled');
    await systemClock.sleep(3_000, signal);
    expect(await writesSince(before)).toBe(0);
    expect(await lookUp('web.svc')).toBe(address);
    expect(await askAt(address, 80)).toMatch(/^node10[12]$/);
    await plane.apiServers[0].start();
    await expect.poll(() => running.controller.decision(), patience).toBeDefined();
    await settled();
    expect(await writesSince(before)).toBe(0);
    expect(await lookUp('web.svc')).toBe(address);
  });

  test('is in step after the controller was killed at any moment', async () => {
    for (let round = 0; round < 3; round += 1) {
      const hostname = `round${round}.svc`;
      await put('again', hostname, { port: 8082, nodePort: 30_082 });
      await systemClock.sleep(round * 400, signal);
      await running.kill();
      running = start();
      await expect.poll(async () => await lookUp(hostname), patience).toMatch(/^10\.77\.50\.20\d$/);
    }
    await settled();
    const config = await router.control.fetchConfig();
    expect([...config.matchAll(/<host>round\d<\/host>/g)].map(([text]) => text)).toEqual(['<host>round2</host>']);
    await plane.connection.delete(exposedServiceKind, { name: 'again', namespace: 'default' }, call);
    await expect.poll(async () => await lookUp('round2.svc'), patience).toBe('');
  });

  test('is in step after a power cut of the router', async () => {
    await settled();
    const address = await lookUp('web.svc');
    await router.control.addFault({ kind: 'reboot', seconds: 2 });
    await put('late', 'late.svc', { port: 8083, nodePort: 30_083 });
    await expect.poll(async () => await lookUp('late.svc'), patience).toMatch(/^10\.77\.50\.20\d$/);
    await expect.poll(async () => await askAt(address, 80), patience).toMatch(/^node10[12]$/);
  });
});

/** Tells its node's name to whoever connects, as a Service's pods would behind a node port. */
async function serveNodePort(name: string, address: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(name);
  });
  server.listen({ host: address, port });
  await once(server, 'listening');
  expect((server.address() as AddressInfo).port).toBe(port);
  return server;
}

/** What is said there, or the code of the error. */
async function askAt(host: string, port: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    let said = '';
    socket.setTimeout(3_000, () => socket.destroy(new Error('silent')));
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    socket.on('close', () => {
      resolve(said);
    });
  });
}
