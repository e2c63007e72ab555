// How fast a Service is reached by name and address: a real API server, the controller, the keeper, and one emulated pfSense.
//   tools/in-testbed node packages/testbed/src/network-exposures/exposures.bench.ts [CHANGES [names,bytes,burst,losses,scale]]
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { type PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import { exposedServiceKind, statusAddresses } from '@labwright/network/cluster/exposed-kinds';
import { type ExposureController, startExposureController } from '@labwright/network/controller/exposure-controller';
import type { ExposureSettings } from '@labwright/network/exposures/exposure';
import { ManagedRouter } from '@labwright/network/router/managed-router';
import { RouterEnd } from '@labwright/network/router/router-end';
import { findPrograms } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { fakeNode } from '../kubernetes/fake-node.ts';
import { makeLan } from '../network/lan.ts';
import { connectRouter, keepRouter } from '../pfsense/router-connection.ts';
import { addRouterPeer } from '../pfsense/router-peer.ts';
import {
  connectionsASecond,
  type Losses,
  type LossSetting,
  measureDeath,
  measureDrain,
  measureScale,
  type ScaleSetting,
} from './losses.ts';

const changes = Number(process.argv[2] ?? 100);
const parts = (process.argv[3] ?? 'names,bytes,burst,losses,scale').split(',');
const latency = 'small-appliance';
const routerAddress = '10.77.51.1';
const nodes = { node101: '10.77.51.50', node102: '10.77.51.51' } as const;
/** One address for each Service of the burst but the last. */
const burst = 100;
const range = { first: ipv4('10.77.51.100'), last: ipv4('10.77.51.199') };
const firstNodePort = 30_100;
const { signal } = new AbortController();
const call = { signal };
const patienceMs = 120_000;

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

const stack = new AsyncDisposableStack();

async function main(): Promise<void> {
  const found = await findPrograms();
  if (found.kind === 'missing') throw new Error(found.why);
  const lan = await makeLan('bench-lan', `${nodes.node101}/24`);
  await promisify(execFile)('ip', ['addr', 'add', `${nodes.node102}/24`, 'dev', 'bench-lan']);
  const owned = Array.from({ length: 100 }, (_, index) => `h${index}`);
  const router = await addRouterPeer(lan, routerAddress, {
    latency,
    hosts: owned.map((host, index) => ({ host, domain: 'home.arpa', ip: `192.0.2.${index + 1}` })),
  });
  stack.defer(() => router.stop());
  const connection = connectRouter(router);
  stack.defer(() => connection.close());
  const plane = await startControlPlane({ programs: found.programs });
  stack.defer(() => plane.stop());
  for (const [name, address] of Object.entries(nodes)) {
    const node = await fakeNode(plane.connection, name, { address });
    stack.defer(() => node.stop());
  }
  const bench = makeBench(plane, connection);
  const writesOf = async (since: number): Promise<number> =>
    (await router.control.fetchJournal()).slice(since).filter(({ what }) => what === 'config written').length;
  const journalLength = async (): Promise<number> => (await router.control.fetchJournal()).length;

  console.log(`one emulated router, latency profile ${latency}; limits of the product; ${changes} changes`);
  if (parts.includes('names')) await tellNames(bench, owned);
  if (parts.includes('bytes')) await tellBytes(bench);
  if (parts.includes('burst')) {
    const since = await journalLength();
    await tellBurst(bench, async () => await writesOf(since));
  }
  if (parts.includes('losses')) await tellLosses(bench);
  if (parts.includes('scale')) await tellScale(bench);
}

function tellLost(what: string, { opened, failed, reasons, longestGapMs, firstAfterMs, failedLate }: Losses): void {
  console.log(
    row(`connections lost while ${what}`, `${failed} of ${opened}${reasons.map((why) => `, ${why}`).join('')}`),
  );
  console.log(row('longest gap, and lost later than five seconds after', `${longestGapMs} ms, ${failedLate}`));
  if (firstAfterMs !== undefined) console.log(row('the first of them after', `${firstAfterMs} ms`));
}

async function tellLosses(bench: Bench): Promise<void> {
  await bench.run(async (managed, isInStep) => {
    await bench.put('lossy', 'lossy.svc', firstNodePort + 400);
    const setting = lossSetting(bench, await answerOf('lossy.svc'), firstNodePort + 400, isInStep);
    await until('the router rests', () => managed.standing.kind === 'settled');
    console.log(row('new connections a second', String(connectionsASecond)));
    tellLost('a node is drained and comes back', await measureDrain(setting));
    await until('the router rests', () => managed.standing.kind === 'settled');
    tellLost('a node dies', await measureDeath(setting));
    await bench.removeAll();
    await until('the names are gone', async () => (await lookUp('lossy.svc')) === undefined);
  });
}

async function tellScale(bench: Bench): Promise<void> {
  await bench.run(async (managed, isInStep, controller) => {
    const nodesOfPods = (): string | undefined =>
      controller
        .decision()
        ?.exposures.find(({ key }) => key === 'Service default/scaled')
        ?.ports[0]?.backends.map(({ node }) => node)
        .join();
    await bench.put('scaled', 'scaled.svc', firstNodePort + 401, { externalTrafficPolicy: 'Local' });
    const setting: ScaleSetting = {
      ...lossSetting(bench, await answerOf('scaled.svc'), firstNodePort + 401, isInStep),
      placePods: async (places) => {
        await bench.plane.connection.apply(podsOn('scaled', places), call);
      },
      placed: async (places) => {
        await until('the balancer knows where pods are', () => nodesOfPods() === places.join() && isInStep());
      },
    };
    await until('the router rests', () => managed.standing.kind === 'settled');
    const { moved, back } = await measureScale(setting);
    console.log(row('new connections a second, to a Service with the policy Local', String(connectionsASecond)));
    tellLost('its pods go to another node and back', moved);
    tellLost('its pods are there again after none was', back);
    await bench.removeAll();
    await until('the names are gone', async () => (await lookUp('scaled.svc')) === undefined);
  });
}

function lossSetting(bench: Bench, address: string, nodePort: number, isInStep: () => boolean): LossSetting {
  return {
    address,
    port: 80,
    nodes: Object.entries(nodes).map(([name, at]) => ({ name, address: at })),
    device: 'bench-lan',
    nodePort,
    kubectl: async (words) => await bench.plane.kubectl([...words]),
    balanced: async () => {
      await until('the balancer has seen its servers', async () => await readsByte(address, 80));
    },
    inStep: async () => {
      await systemClock.sleep(200, signal);
      await until('the balancer is in step', isInStep);
    },
  };
}

/** What the controller of slices would say of ready pods on these nodes, as Kubernetes to 1.24 has it too. */
function podsOn(service: string, places: readonly string[]) {
  return {
    apiVersion: 'discovery.k8s.io/v1beta1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: places.map((place, index) => ({
      addresses: [`10.244.0.${index + 1}`],
      conditions: { ready: true },
      topology: { 'kubernetes.io/hostname': place },
    })),
    ports: [{ name: 'tcp', port: 8080, protocol: 'TCP' }],
  };
}

async function tellNames(bench: Bench, owned: readonly string[]): Promise<void> {
  const pauses = { 'a change each second': 1_000, 'one change after the other without pause': 0 };
  for (const [how, pauseMs] of Object.entries(pauses)) {
    const named = await measureNames(bench, owned, pauseMs);
    console.log(how);
    console.log(row('  write of a Service to the resolver’s answer, p50 and p99', `${named.p50} ms, ${named.p99} ms`));
    console.log(row('  answers lost meanwhile, of 100 names asked without pause', `${named.lost} of ${named.asked}`));
    if (named.reasons.length > 0) console.log(row('  lost with', named.reasons.join(', ')));
  }
}

async function tellBytes(bench: Bench): Promise<void> {
  const bytes = await measureFirstBytes(bench, 9);
  console.log(row('write of a Service to the first byte of its node port', `${bytes.node} ms (median of 9)`));
  console.log(row('write of a Service to the first balanced byte', `${bytes.balanced} ms (median of 9)`));
  console.log(row('ratio', (bytes.balanced / bytes.node).toFixed(2)));
}

async function tellBurst(bench: Bench, countWrites: () => Promise<number>): Promise<void> {
  const many = await measureBurst(bench, countWrites);
  console.log(row(`burst of ${burst} Services: every name answers`, `${many.namesMs} ms`));
  console.log(row(`burst of ${burst} Services: every one is balanced`, `${many.balancedMs} ms`));
  console.log(row('writes of the router for it', String(many.writes)));
  console.log(row('the Service after the range’s last', many.event));
}

const row = (what: string, figure: string): string => `${what.padEnd(62)} ${figure}`;

interface Bench {
  readonly plane: ControlPlane;
  /** A controller and a keeper of their own, with a fresh hour of writes. */
  run<Result>(
    work: (managed: ManagedRouter, isInStep: () => boolean, controller: ExposureController) => Promise<Result>,
  ): Promise<Result>;
  put(name: string, hostname: string, nodePort: number, more?: Readonly<Record<string, unknown>>): Promise<void>;
  removeAll(): Promise<void>;
}

function makeBench(plane: ControlPlane, connection: PfsenseConnection): Bench {
  const namespace = 'default';
  return {
    plane,
    async run(work) {
      const { managed, stop } = keepRouter(connection, { holder: 'bench' });
      const controller = startExposureController({
        connection: plane.connection,
        ends: [new RouterEnd(managed, silentLog)],
        settings: () => settings,
        power: () => new Map(),
        clock: systemClock,
        log: silentLog,
      });
      try {
        const isInStep = (): boolean => controller.ends()[0]?.state === 'in step';
        await until('the controller is in step', isInStep);
        return await work(managed, isInStep, controller);
      } finally {
        await Promise.all([stop(), controller.close()]);
      }
    },
    async put(name, hostname, nodePort, more = {}) {
      const ports = [{ name: 'tcp', protocol: 'TCP', port: 80, nodePort }];
      const metadata = { name, namespace, annotations: { 'dns.pfsense.org/hostname': hostname } };
      const spec = { type: 'LoadBalancer', selector: { app: name }, ports, ...more };
      await plane.connection.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec }, call);
    },
    async removeAll() {
      await plane.kubectl(['delete', 'service', '--wait=false', '-l', 'component!=apiserver']);
    },
  };
}

/** Ten Services, renamed in turn. */
async function measureNames(
  bench: Bench,
  owned: readonly string[],
  pauseMs: number,
): Promise<{ p50: number; p99: number; asked: number; lost: number; reasons: readonly string[] }> {
  return await bench.run(async () => {
    const names = owned.map((name) => `${name}.home.arpa`);
    const client = spawn(
      process.execPath,
      [new URL('name-client.ts', import.meta.url).pathname, routerAddress, ...names],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const taken: number[] = [];
    for (let change = 0; change < changes; change += 1) {
      const startedAt = performance.now();
      await bench.put(`named${change % 10}`, `c${change}.svc`, firstNodePort + (change % 10));
      await answerOf(`c${change}.svc`);
      taken.push(performance.now() - startedAt);
      await systemClock.sleep(pauseMs, signal);
    }
    const answers = await finish(client);
    await bench.removeAll();
    await until('the names are gone', async () => (await lookUp(`c${changes - 1}.svc`)) === undefined);
    return { p50: percentile(taken, 50), p99: percentile(taken, 99), ...answers };
  });
}

/** What kube-proxy does, by a watch of our own: a node port is open as soon as its Service is known. */
async function openNodePort(nodePort: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('x');
  });
  server.listen(nodePort, '0.0.0.0');
  await once(server, 'listening');
  return server;
}

async function measureFirstBytes(bench: Bench, count: number): Promise<{ node: number; balanced: number }> {
  return await bench.run(async (managed) => {
    const [nodes, balanced]: [number[], number[]] = [[], []];
    for (let index = 0; index < count; index += 1) {
      const nodePort = firstNodePort + 100 + index;
      const name = `first${index}`;
      await until('the router rests', () => managed.standing.kind === 'settled');
      const startedAt = performance.now();
      await bench.put(name, `${name}.svc`, nodePort);
      const seen = watchFor(bench, name);
      const server = await seen.then(async () => await openNodePort(nodePort));
      const [atNode, atRouter] = await Promise.all([
        firstByte(() => Promise.resolve(['10.77.51.50', nodePort] as const)),
        firstByte(async () => [await statusOf(bench, name), 80] as const),
      ]);
      nodes.push(atNode - startedAt);
      balanced.push(atRouter - startedAt);
      server.close();
    }
    await bench.removeAll();
    await until('the names are gone', async () => (await lookUp('first0.svc')) === undefined);
    return { node: percentile(nodes, 50), balanced: percentile(balanced, 50) };
  });
}

async function measureBurst(
  bench: Bench,
  countWrites: () => Promise<number>,
): Promise<{ namesMs: number; balancedMs: number; writes: number; event: string }> {
  return await bench.run(async (managed) => {
    await until('the router rests', () => managed.standing.kind === 'settled');
    const numbers = Array.from({ length: burst + 1 }, (_, index) => index);
    const servers = await Promise.all(numbers.map((number) => openNodePort(firstNodePort + 200 + number)));
    const startedAt = performance.now();
    const since = (): number => Math.round(performance.now() - startedAt);
    // The last comes after the others: who comes first has the address.
    for (let from = 0; from < burst; from += 10) {
      const some = numbers.slice(from, from + 10);
      await Promise.all(
        some.map((number) => bench.put(`burst${number}`, `b${number}.svc`, firstNodePort + 200 + number)),
      );
    }
    const all = numbers.slice(0, burst);
    const addresses = await Promise.all(all.map((number) => answerOf(`b${number}.svc`)));
    const namesMs = since();
    await Promise.all(addresses.map((address) => firstByte(() => Promise.resolve([address, 80] as const))));
    const balancedMs = since();
    const writes = await countWrites();
    await bench.put(`burst${burst}`, `b${burst}.svc`, firstNodePort + 200 + burst);
    let event = 'no Event';
    await until('the last has its Event', async () => {
      event = await bench.plane.kubectl([
        'get',
        'events',
        `--field-selector=involvedObject.name=burst${burst}`,
        '-o',
        'jsonpath={.items[*].message}',
      ]);
      return event !== '';
    });
    for (const server of servers) server.close();
    await bench.removeAll();
    await until('the names are gone', async () => (await lookUp('b0.svc')) === undefined);
    return { namesMs, balancedMs, writes, event };
  });
}

async function watchFor(bench: Bench, name: string): Promise<void> {
  await until('the Service is known', async () => (await getService(bench, name)) !== undefined);
}

const getService = async (bench: Bench, name: string) =>
  await bench.plane.connection.get(exposedServiceKind, { name, namespace: 'default' }, call);

async function statusOf(bench: Bench, name: string): Promise<string | undefined> {
  const service = await getService(bench, name);
  return service === undefined ? undefined : statusAddresses(service)[0];
}

/** The time at which the first byte came; asked again every few milliseconds until it does. */
async function firstByte(place: () => Promise<readonly [address: string | undefined, port: number]>): Promise<number> {
  let at = 0;
  await until('a byte comes', async () => {
    const [address, port] = await place();
    if (address === undefined) return false;
    const isThere = await readsByte(address, port);
    at = performance.now();
    return isThere;
  });
  return at;
}

async function readsByte(address: string, port: number): Promise<boolean> {
  const socket = connect({ host: address, port, timeout: 1_000 });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true));
      for (const event of ['error', 'timeout', 'close'] as const) socket.once(event, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

const resolver = new Resolver({ timeout: 1_000, tries: 1 });
resolver.setServers([routerAddress]);

async function lookUp(name: string): Promise<string | undefined> {
  try {
    return (await resolver.resolve4(name))[0];
  } catch {
    return undefined; // Not there yet, or any more.
  }
}

async function answerOf(name: string): Promise<string> {
  let address: string | undefined;
  await until(`${name} answers`, async () => {
    address = await lookUp(name);
    return address !== undefined;
  });
  return address ?? '';
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited ${patienceMs} ms: ${what}`);
    await systemClock.sleep(2, signal);
  }
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0);
}

async function finish(client: ChildProcess): Promise<{ asked: number; lost: number; reasons: readonly string[] }> {
  let text = '';
  client.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  client.stdin?.end();
  await once(client, 'close');
  return JSON.parse(text) as { asked: number; lost: number; reasons: readonly string[] };
}

try {
  await main();
} finally {
  await stack.disposeAsync();
}
