// The exposure controller on a real API server: from a Service to the answer of a name server, through everything that goes wrong.
import { Resolver } from 'node:dns/promises';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { exposedServiceKind, ingressKind, statusAddresses } from '@labwright/network/cluster/exposed-kinds';
import { type ExposureController, startExposureController } from '@labwright/network/controller/exposure-controller';
import type { EndProblem, NetworkEnd, NetworkState } from '@labwright/network/controller/network-end';
import { makeDnsEnd } from '@labwright/network/dns/dns-end';
import type { NameMemory, RememberedNames } from '@labwright/network/dns/name-memory';
import { type NameServer, startNameServer } from '@labwright/network/dns/name-server';
import type { ExposureSettings, NodePower } from '@labwright/network/exposures/exposure';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { fakeNode, type FakeNode } from '../kubernetes/fake-node.ts';

const found = await findPrograms();
const { signal } = new AbortController();
const call = { signal };
const patience = { timeout: 15_000, interval: 50 };
const loopback = ipv4('127.0.0.1');
const range = { first: ipv4('10.1.3.100'), last: ipv4('10.1.3.103') };

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

/** A router that keeps what it is told, and can be away, slow, or have an entry of a person. */
function makeRouter() {
  const router = {
    states: [] as NetworkState[],
    isAway: false,
    problems: [] as readonly EndProblem[],
    underWay: 0,
    mostUnderWay: 0,
  };
  const end: NetworkEnd = {
    name: 'a router',
    async put(state, until) {
      router.underWay += 1;
      router.mostUnderWay = Math.max(router.mostUnderWay, router.underWay);
      await systemClock.sleep(20, until).finally(() => (router.underWay -= 1));
      if (router.isAway) throw new Error('no route to host');
      router.states.push(state);
      return router.problems;
    },
  };
  return { router, end };
}

describe.skipIf(found.kind === 'missing')('exposures', () => {
  let plane: ControlPlane;
  let server: NameServer;
  let controller: ExposureController;
  let nodes: readonly FakeNode[];
  let ends: readonly NetworkEnd[];
  const { router, end } = makeRouter();
  const power = new Map<string, NodePower>();
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });

  let remembered: RememberedNames | undefined;
  const memory: NameMemory = { recall: () => remembered, remember: (names) => void (remembered = names) };
  const openNames = async (port: number): Promise<void> => {
    server = await startNameServer({ address: loopback, port, clock: systemClock, log: silentLog });
    const dns = makeDnsEnd({ server, domains: ['svc'], range, fixedNames: [], memory, clock: systemClock });
    ends = [dns, end];
  };
  const start = (): ExposureController =>
    startExposureController({
      connection: plane.connection,
      ends,
      settings: () => settings,
      power: () => power,
      clock: systemClock,
      log: silentLog,
    });
  const resolve = async (name: string): Promise<string> => {
    try {
      return (await resolver.resolve4(name)).toSorted().join();
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  const put = async (name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): Promise<void> => {
    const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
    const whole = { type: 'LoadBalancer', selector: { app: name }, ports, ...spec };
    const metadata = { name, namespace: 'default', annotations };
    await plane.connection.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec: whole }, call);
  };
  const remove = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await plane.connection.delete(exposedServiceKind, { name, namespace: 'default' }, call);
  };
  const statusOf = async (name: string): Promise<string> => {
    const service = await plane.connection.get(exposedServiceKind, { name, namespace: 'default' }, call);
    return service === undefined ? 'absent' : statusAddresses(service).join();
  };
  /** Seconds since 1970. */
  const createdAt = async (name: string): Promise<number> => {
    const service = await plane.connection.get(exposedServiceKind, { name, namespace: 'default' }, call);
    return Date.parse(service?.metadata.creationTimestamp ?? '') / 1_000;
  };
  const eventsOf = async (name: string): Promise<string> =>
    await plane.kubectl([
      'get',
      'events',
      `--field-selector=involvedObject.name=${name}`,
      '-o',
      'jsonpath={.items[*].message}',
    ]);
  const backendsOf = (owner: string): string | undefined => {
    const balancer = router.states.at(-1)?.balancers.find((each) => each.kind === 'tcp' && each.owner === owner);
    return balancer?.kind === 'tcp' ? balancer.backends.map(({ node }) => node).join(' ') : undefined;
  };

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    plane = await startControlPlane({ programs: found.programs });
    await openNames(0);
    resolver.setServers([`${loopback}:${server.port}`]);
    nodes = await Promise.all(['node101', 'node102'].map(async (name) => await fakeNode(plane.connection, name)));
    controller = start();
  });
  afterAll(async () => {
    await controller?.close();
    await Promise.all((nodes ?? []).map((node) => node.stop()));
    await server?.close();
    await plane?.stop();
  });

  test('a Service has its name, its address and its balancer at once, and says so', async () => {
    await expect.poll(() => controller.decision(), patience).toBeDefined();
    expect(await resolve('web.svc')).toBe('ENOTFOUND');
    await put('web', {}, { 'external-dns.alpha.kubernetes.io/hostname': 'web.svc' });
    await expect.poll(async () => await resolve('web.svc'), patience).toMatch(/^10\.1\.3\.10\d$/);
    const address = await resolve('web.svc');
    await expect.poll(async () => await statusOf('web'), patience).toBe(address);
    await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node101 node102');
    await expect.poll(async () => await eventsOf('web'), patience).toContain(`web.svc is at ${address} port 80`);
    const reverse = await resolver.reverse(address);
    expect(reverse).toEqual(['web.svc']);
  });

  test('backends follow pods, drains and VMs that stop', async () => {
    await put('local', { externalTrafficPolicy: 'Local' });
    await expect.poll(() => backendsOf('Service default/local'), patience).toBe('');
    const pod = (name: string, nodeName: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: 'local' } },
      spec: { nodeName, containers: [{ name: 'main', image: 'none' }] },
    });
    await plane.connection.apply(pod('local-1', 'node102'), call);
    await expect.poll(() => backendsOf('Service default/local'), patience).toBe('node102');
    await plane.kubectl(['cordon', 'node101']);
    await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node102');
    await plane.kubectl(['uncordon', 'node101']);
    await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node101 node102');
    power.set('node102', 'stopped');
    controller.touch();
    await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node101');
    power.clear();
    controller.touch();
    await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node101 node102');
    await remove('local');
    await expect.poll(() => backendsOf('Service default/local'), patience).toBeUndefined();
  });

  test('what cannot be exposed has an Event with the way out', async () => {
    // Kubernetes tells ages in whole seconds; of the same one, the one whose name comes first would be the older.
    await expect.poll(async () => Math.floor(Date.now() / 1_000) > (await createdAt('web')), patience).toBe(true);
    await put('dns', { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
    await put('outside', {}, { 'labwright.dev/hostname': 'web.example.org,web.svc' });
    await expect
      .poll(async () => await eventsOf('dns'), patience)
      .toMatch(/port 53\/UDP cannot be balanced .*; reach it by its node port/);
    await expect
      .poll(async () => await eventsOf('outside'), patience)
      .toContain('web.example.org is in none of the domains');
    await expect
      .poll(async () => await eventsOf('outside'), patience)
      .toContain('web.svc is the name of Service default/web');
    expect(await statusOf('dns')).toBe('');
    router.problems = [
      { owner: 'Service default/web', subject: 'web.svc', why: 'a person made web.svc', fix: 'adopt it' },
    ];
    await put('outside', {}, { 'labwright.dev/hostname': 'other.svc' });
    await expect.poll(async () => await eventsOf('web'), patience).toContain('a person made web.svc; adopt it');
    router.problems = [];
    await remove('dns', 'outside');
  });

  test('what is left alone names no address any more, and a new process clears what the old one did not', async () => {
    await put('alone', {});
    await expect.poll(async () => await statusOf('alone'), patience).toMatch(/^10\.1\.3\./);
    await put('alone', {}, { 'labwright.dev/expose': 'false' });
    await expect.poll(async () => await statusOf('alone'), patience).toBe('');
    await put('alone', {});
    await expect.poll(async () => await statusOf('alone'), patience).toMatch(/^10\.1\.3\./);
    await controller.close();
    await put('alone', {}, { 'labwright.dev/expose': 'false' });
    expect(await statusOf('alone')).toMatch(/^10\.1\.3\./);
    controller = start();
    await expect.poll(async () => await statusOf('alone'), patience).toBe('');
    // Of another balancer it is left as it is.
    const present = JSON.parse(await plane.kubectl(['get', 'service', 'alone', '-o', 'json'])) as object;
    const status = { loadBalancer: { ingress: [{ ip: '10.1.3.103' }] } };
    const path = '/api/v1/namespaces/default/services/alone/status';
    await plane.kubectl(['replace', `--raw=${path}`, '-f', '-'], JSON.stringify({ ...present, status }));
    await put('other', {});
    await expect.poll(async () => await statusOf('other'), patience).toMatch(/^10\.1\.3\./);
    expect(await statusOf('alone')).toBe('10.1.3.103');
    await remove('alone', 'other');
  });

  test('the one after the last address is refused, and gets the one that becomes free', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await put(name, {});
    const statuses = async () => (await Promise.all(names.map(statusOf))).filter((status) => status !== '').length;
    // web has one of the four.
    await expect.poll(statuses, patience).toBe(3);
    const refused = names[(await Promise.all(names.map(statusOf))).indexOf('')] ?? '';
    await expect.poll(async () => await eventsOf(refused), patience).toContain('10.1.3.100-10.1.3.103 are in use');
    await remove(names.find((name) => name !== refused) ?? '');
    await expect.poll(async () => await statusOf(refused), patience).toMatch(/^10\.1\.3\./);
    await remove(...names);
  });

  test('an Ingress has an address of its own, and a route to the node port of each Service', async () => {
    const path = (route: string, name: string) => ({
      path: route,
      pathType: 'Prefix',
      backend: { service: { name, port: { number: 80 } } },
    });
    const http = { paths: [path('/', 'web'), path('/api', 'none')] };
    const metadata = { name: 'shop', namespace: 'default' };
    const spec = { rules: [{ host: 'shop.svc', http }] };
    await plane.connection.apply({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata, spec }, call);
    await expect.poll(async () => await resolve('shop.svc'), patience).toMatch(/^10\.1\.3\.10\d$/);
    expect(await resolve('shop.svc')).not.toBe(await resolve('web.svc'));
    await expect.poll(async () => await eventsOf('shop'), patience).toContain('and there is no such Service');
    await expect
      .poll(async () => {
        const ingress = await plane.connection.get(ingressKind, metadata, call);
        return ingress === undefined ? '' : statusAddresses(ingress).join();
      }, patience)
      .toBe(await resolve('shop.svc'));
    const balancer = router.states.at(-1)?.balancers.find(({ kind }) => kind === 'http');
    expect(balancer).toMatchObject({ port: 80, routes: [{ host: 'shop.svc', path: '/', target: 'default/web:80' }] });
    await plane.connection.delete(ingressKind, metadata, call);
    await expect.poll(async () => await resolve('shop.svc'), patience).toBe('ENOTFOUND');
  });

  test('an end that is away holds up no other, and gets the newest when it is back', async () => {
    router.isAway = true;
    await put('late', {}, { 'labwright.dev/hostname': 'late.svc' });
    await expect.poll(async () => await resolve('late.svc'), patience).toMatch(/^10\.1\.3\./);
    await expect.poll(() => controller.ends().map(({ state }) => state), patience).toEqual(['in step', 'behind']);
    await remove('late');
    await expect.poll(async () => await resolve('late.svc'), patience).toBe('ENOTFOUND');
    router.isAway = false;
    await expect.poll(() => controller.ends().map(({ state }) => state), patience).toEqual(['in step', 'in step']);
    expect(router.states.at(-1)?.names.map(({ name }) => name)).toEqual(['web.svc']);
    expect(router.mostUnderWay).toBe(1);
  });

  test(
    'nothing is withdrawn while the API server is away, and a new process changes nothing',
    { timeout: 60_000 },
    async () => {
      const address = await resolve('web.svc');
      const told = router.states.length;
      await plane.apiServers[0].kill();
      // The VM of a node stops meanwhile: that is not for the API server to say.
      power.set('node101', 'stopped');
      controller.touch();
      await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node102');
      await systemClock.sleep(1_500, signal);
      expect(await resolve('web.svc')).toBe(address);
      expect(router.states.slice(told).every(({ names }) => names.some(({ name }) => name === 'web.svc'))).toBe(true);
      // All of ours begins anew before the API server is back.
      await controller.close();
      await server.close();
      power.clear();
      await openNames(server.port);
      controller = start();
      await systemClock.sleep(1_500, signal);
      expect(controller.decision()).toBeUndefined();
      expect(await resolve('web.svc')).toBe(address);
      await plane.apiServers[0].start();
      await expect.poll(() => controller.decision(), { ...patience, timeout: 30_000 }).toBeDefined();
      await expect.poll(() => backendsOf('Service default/web'), patience).toBe('node101 node102');
      expect(await resolve('web.svc')).toBe(address);
      expect(await statusOf('web')).toBe(address);
    },
  );

  test('from the write of a Service to the answer takes how long', { timeout: 60_000 }, async () => {
    const times: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const name = `timed${round}`;
      const before = performance.now();
      await put(name, {}, { 'labwright.dev/hostname': `${name}.svc` });
      while ((await resolve(`${name}.svc`)) === 'ENOTFOUND') await systemClock.sleep(2, signal);
      times.push(performance.now() - before);
      await remove(name);
      await expect.poll(async () => await resolve(`${name}.svc`), patience).toBe('ENOTFOUND');
    }
    const sorted = times.toSorted((one, other) => one - other);
    console.log(
      `Service to answer of the embedded name server, ms: p50 ${sorted[10]?.toFixed(0)}, worst ${sorted[19]?.toFixed(0)} of 20`,
    );
    expect(sorted[19]).toBeLessThan(5_000);
  });
});
