// The cluster's name server, following a real API server, asked by dig, with dnsmasq as the lab's resolver.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { type ClusterDns, clusterDnsObjects, serveClusterDns } from '@labwright/cluster/dns/serve-cluster-dns';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeLan, type Peer } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';
import { findPrograms } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { fakeNode, type FakeNode } from './fake-node.ts';
import { freePorts } from './process.ts';

const found = await findPrograms();
const { signal } = new AbortController();
const call = { signal };
const patience = { timeout: 15_000, interval: 100 };
const zone = 'cluster.local';

describe.skipIf(found.kind === 'missing')('cluster DNS', () => {
  let plane: ControlPlane;
  let dns: ClusterDns;
  let node: FakeNode;
  let pod: Peer;
  let root: string;

  /** What dig says, without its comments: "name ttl IN A data". */
  const dig = async (...argv: readonly string[]): Promise<string> => {
    const options = ['+noall', '+answer', '+tries=1', '+time=3', '+nocookie'];
    const { stdout } = await pod.exec(['dig', '@10.82.0.9', '-p', String(dns.port), ...options, ...argv], { root });
    return stdout.replaceAll(/[\t ]+/g, ' ').trim();
  };
  const short = async (...argv: readonly string[]): Promise<readonly string[]> =>
    (await dig('+short', ...argv))
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  const status = async (...argv: readonly string[]): Promise<string> =>
    /status: (\w+)/.exec(await dig('+comments', ...argv))?.[1] ?? 'none';

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    root = await peersRoot();
    const lan = await makeLan('dns-lan', '10.82.0.9/22');
    pod = await lan.addPeer('pod', '02:00:00:00:00:10', '10.82.0.50/22');
    const router = await lan.addPeer('router', '02:00:00:00:00:01', '10.82.0.1/22');
    const many = Array.from({ length: 60 }, (_, index) => `--host-record=many.example.test,192.0.2.${index + 1}`);
    const names = ['--host-record=nas.home.arpa,10.82.0.5', '--host-record=example.test,192.0.2.1', ...many];
    router.spawn(
      ['dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--user=root', '--local=/test/', ...names],
      { root },
    );
    plane = await startControlPlane({ programs: found.programs });
    dns = await serveClusterDns({
      connection: plane.connection,
      cluster: { dnsDomain: zone, pods: cidr('10.128.0.0/12'), services: cidr('10.96.0.0/16') },
      // The first one is not there: its queries go on to the second.
      resolvers: [{ address: ipv4('10.82.0.3') }, { address: ipv4('10.82.0.1') }],
      address: ipv4('10.82.0.9'),
      port: 0,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    await dns.complete;
    node = await fakeNode(plane.connection, 'node101');
  });
  afterAll(async () => {
    await dns?.close();
    await node?.stop();
    await plane?.stop();
  });

  const apply = async (
    kind: string,
    name: string,
    spec: object,
    labels: Record<string, string> = {},
  ): Promise<void> => {
    await plane.connection.apply(
      { apiVersion: 'v1', kind, metadata: { name, namespace: 'default', labels }, spec },
      call,
    );
  };

  test('knows a Service as soon as it is there, by the names of a search list, and not when it is gone', async () => {
    await apply('Service', 'web', { clusterIP: '10.96.3.4', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] });
    await expect.poll(async () => await short(`web.default.svc.${zone}`), patience).toEqual(['10.96.3.4']);
    // A pod's resolv.conf: search default.svc.cluster.local svc.cluster.local cluster.local, ndots:5.
    expect(await short('+search', `+domain=default.svc.${zone}`, 'web')).toEqual(['10.96.3.4']);
    expect(await short('+search', '+ndots=5', `+domain=svc.${zone}`, 'web.default')).toEqual(['10.96.3.4']);
    expect(await status(`example.test.default.svc.${zone}`)).toBe('NXDOMAIN');
    expect(await short('SRV', `_http._tcp.web.default.svc.${zone}`)).toEqual([`0 100 80 web.default.svc.${zone}.`]);
    expect(await short('-x', '10.96.3.4')).toEqual([`web.default.svc.${zone}.`]);
    await plane.kubectl(['delete', 'service', 'web']);
    await expect.poll(async () => await status(`web.default.svc.${zone}`), patience).toBe('NXDOMAIN');
  });

  test('what has no data says so with a start of authority, and from cluster.local nothing is asked elsewhere', async () => {
    await apply('Service', 'web', { clusterIP: '10.96.3.4', ports: [{ port: 80, protocol: 'TCP' }] });
    await expect.poll(async () => await status(`web.default.svc.${zone}`), patience).toBe('NOERROR');
    const before = dns.counters().forwarded;
    expect(await dig('+comments', '+authority', 'AAAA', `web.default.svc.${zone}`)).toMatch(
      /NOERROR[^]* SOA ns\.dns\.cluster\.local\./,
    );
    expect(await status(`nothing.default.svc.${zone}`)).toBe('NXDOMAIN');
    expect(dns.counters().forwarded).toBe(before);
  });

  test('gives each ready pod of a headless Service its name', async () => {
    await apply('Service', 'db', {
      clusterIP: 'None',
      selector: { app: 'db' },
      ports: [{ name: 'sql', port: 3306, protocol: 'TCP' }],
    });
    const container = { containers: [{ name: 'main', image: 'none' }], nodeName: 'node101', subdomain: 'db' };
    await apply('Pod', 'db-0', { ...container, hostname: 'db-0' }, { app: 'db' });
    await apply('Pod', 'db-1', { ...container, hostname: 'db-1' }, { app: 'db' });
    await expect.poll(async () => (await short(`db.default.svc.${zone}`)).length, patience).toBe(2);
    const [first] = await short(`db-0.db.default.svc.${zone}`);
    expect(await short(`db.default.svc.${zone}`)).toContain(first);
    expect(await short('SRV', `_sql._tcp.db.default.svc.${zone}`)).toEqual([
      `0 100 3306 db-0.db.default.svc.${zone}.`,
      `0 100 3306 db-1.db.default.svc.${zone}.`,
    ]);
    await plane.kubectl(['delete', 'pod', 'db-1']);
    await expect.poll(async () => await short(`db.default.svc.${zone}`), patience).toEqual([first]);
  });

  test('knows pods by their address', async () => {
    expect(await short(`10-128-1-2.default.pod.${zone}`)).toEqual(['10.128.1.2']);
  });

  test('asks the lab’s resolvers for everything else, one after the other, over UDP and TCP', async () => {
    expect(await short('example.test')).toEqual(['192.0.2.1']);
    expect(await short('+tcp', 'example.test')).toEqual(['192.0.2.1']);
    expect(await status('nothing.test')).toBe('NXDOMAIN');
    expect(await short('-x', '10.82.0.5')).toEqual(['nas.home.arpa.']);
  });

  test('follows a Service that is an alias to where it leads', async () => {
    await apply('Service', 'nas', { type: 'ExternalName', externalName: 'nas.home.arpa' });
    await apply('Service', 'also-nas', { type: 'ExternalName', externalName: `nas.default.svc.${zone}` });
    await apply('Service', 'loop', { type: 'ExternalName', externalName: `loop.default.svc.${zone}` });
    await expect
      .poll(async () => await short(`also-nas.default.svc.${zone}`), patience)
      .toEqual(['10.82.0.5', 'nas.default.svc.cluster.local.', 'nas.home.arpa.']);
    await expect.poll(async () => await status(`loop.default.svc.${zone}`), patience).toBe('SERVFAIL');
  });

  test('an answer too large for a datagram comes over TCP, ours and theirs', async () => {
    const endpoints = Array.from({ length: 200 }, (_, index) => ({ ip: `10.128.9.${index + 1}` }));
    await apply('Service', 'large', { clusterIP: 'None', ports: [{ port: 80, protocol: 'TCP' }] });
    await plane.connection.apply(
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'large', namespace: 'default' },
        subsets: [{ addresses: endpoints, ports: [{ port: 80, protocol: 'TCP' }] }],
      },
      call,
    );
    await expect.poll(async () => (await short(`large.default.svc.${zone}`)).length, patience).toBe(200);
    expect(await dig('+ignore', '+comments', `large.default.svc.${zone}`)).toMatch(/flags: qr aa tc rd ra/);
    expect(await short('+noedns', 'many.example.test')).toHaveLength(60);
    expect(await dig('+noedns', '+ignore', '+comments', 'many.example.test')).toMatch(/flags: qr (aa )?tc rd/);
  });

  test('drops and counts what is no query, and answers on', async () => {
    const [port = 0] = await freePorts(1);
    const socket = createSocket('udp4').bind(port, '10.82.0.9');
    await once(socket, 'listening');
    const before = dns.counters().malformed;
    for (const bytes of [
      [],
      [1, 2, 3],
      [0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1],
      [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63],
    ]) {
      socket.send(Uint8Array.from(bytes), dns.port, '10.82.0.9');
    }
    await expect.poll(() => dns.counters().malformed - before).toBe(4);
    socket.close();
    expect(await status('AXFR', zone)).toBe('REFUSED');
    expect(await short(`10-128-1-2.default.pod.${zone}`)).toEqual(['10.128.1.2']);
  });

  test('is what the cluster’s resolver address leads to', async () => {
    const labels = { 'labwright.dev/lab': 'home' };
    const objects = clusterDnsObjects({ dnsAddress: ipv4('10.96.0.10'), server: dns, labels });
    for (const object of [...objects, ...objects]) await plane.connection.apply(object, call);
    const described = async (): Promise<string> =>
      await plane.kubectl(['get', 'service,endpointslice', '-n', 'kube-system', '-o', 'wide', '--no-headers']);
    // Without a selector, its slice is made from the Endpoints: what kube-proxy goes by.
    await expect
      .poll(described, patience)
      .toMatch(new RegExp(`endpointslice\\S*kube-dns\\S* .*,${dns.port} +10\\.82\\.0\\.9 `));
    expect(await described()).toMatch(/service\/kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53\/UDP,53\/TCP/);
    expect(await short(`kube-dns.kube-system.svc.${zone}`)).toEqual(['10.96.0.10']);
  });
});
