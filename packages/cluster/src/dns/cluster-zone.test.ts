import { cidr } from '@labwright/core/addresses/ipv4';
import { type EndpointSlice, endpointSliceKind, type Service, serviceKind } from '@labwright/drivers/kubernetes/kind';
import { describe, expect, test } from 'vitest';
import { type ClusterZone, makeClusterZone } from './cluster-zone.ts';

const meta = (name: string, namespace: string, more: object = {}) => ({
  name,
  namespace,
  uid: `uid-${name}`,
  resourceVersion: '1',
  ...more,
});

const makeService = (name: string, spec: object, namespace = 'default'): Service =>
  serviceKind.parse({ apiVersion: 'v1', kind: 'Service', metadata: meta(name, namespace), spec });

const makeSlice = (name: string, service: string, endpoints: readonly object[], changes: object = {}): EndpointSlice =>
  endpointSliceKind.parse({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: meta(name, 'default', { labels: { 'kubernetes.io/service-name': service } }),
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'sql', port: 3306, protocol: 'TCP' }],
    ...changes,
  });

const makeZone = (): ClusterZone =>
  makeClusterZone({ domain: 'cluster.local', networks: [cidr('10.96.0.0/16'), cidr('10.128.0.0/12')] });

const web = makeService('web', {
  clusterIP: '10.96.3.4',
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }, { port: 81 }],
});
const db = makeService('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 3306 }] });

/** Data of the records, or in a word why there are none. */
const ask = (zone: ClusterZone, name: string, type = 'A'): unknown => {
  const found = zone.lookup(name, type);
  return found.kind === 'records' ? found.records.map(({ data }) => data) : found.kind;
};

describe('a Service with an address', () => {
  const zone = makeZone();
  zone.putService(web);

  test.each([
    ['web.default.svc.cluster.local', 'A', ['10.96.3.4']],
    ['WEB.Default.svc.CLUSTER.local', 'A', ['10.96.3.4']],
    ['web.default.svc.cluster.local', 'AAAA', 'no-data'],
    ['_http._tcp.web.default.svc.cluster.local', 'SRV', [{ target: 'web.default.svc.cluster.local', port: 80 }]],
    ['_http._udp.web.default.svc.cluster.local', 'SRV', 'no-name'],
    ['_tcp.web.default.svc.cluster.local', 'SRV', 'no-data'],
    ['other.web.default.svc.cluster.local', 'A', 'no-name'],
    ['web.other.svc.cluster.local', 'A', 'no-name'],
    ['web.default.cluster.local', 'A', 'no-name'],
    ['default.svc.cluster.local', 'A', 'no-data'],
    ['other.svc.cluster.local', 'A', 'no-name'],
    ['svc.cluster.local', 'A', 'no-data'],
    ['cluster.local', 'A', 'no-data'],
    ['4.3.96.10.in-addr.arpa', 'PTR', ['web.default.svc.cluster.local']],
    ['5.3.96.10.in-addr.arpa', 'PTR', 'no-name'],
    ['1.1.168.192.in-addr.arpa', 'PTR', 'foreign'],
    ['example.com', 'A', 'foreign'],
    ['notcluster.local', 'A', 'foreign'],
    ['', 'NS', 'foreign'],
    ['dns-version.cluster.local', 'TXT', ['1.1.0']],
    // What a pod's search list makes of "example.com" and "web.default".
    ['example.com.default.svc.cluster.local', 'A', 'no-name'],
    ['web.default.cluster.local', 'A', 'no-name'],
  ])('%s %s', (name, type, expected) => {
    expect(ask(zone, name, type)).toEqual(expected);
  });

  test('is gone with it, and its namespace with the last', () => {
    const own = makeZone();
    own.putService(web);
    own.putService(web);
    own.removeService(web);
    expect(['web.default.svc.cluster.local', 'default.svc.cluster.local'].map((name) => ask(own, name))).toEqual([
      'no-name',
      'no-name',
    ]);
    expect(ask(own, '4.3.96.10.in-addr.arpa', 'PTR')).toBe('no-name');
  });

  test('moves when its address does', () => {
    const own = makeZone();
    own.putService(web);
    own.putService(makeService('web', { clusterIP: '10.96.9.9' }));
    expect(ask(own, 'web.default.svc.cluster.local')).toEqual(['10.96.9.9']);
    expect(ask(own, '4.3.96.10.in-addr.arpa', 'PTR')).toBe('no-name');
  });
});

describe('a headless Service', () => {
  const zone = makeZone();
  const first = makeSlice('db-1', 'db', [
    { addresses: ['10.128.1.5'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.128.2.6'], conditions: {} },
    { addresses: ['10.128.3.7'], hostname: 'db-2', conditions: { ready: false } },
  ]);
  // In any order: the endpoints may be told before their Service.
  zone.putSlice(first);
  zone.putService(db);

  test.each([
    ['db.default.svc.cluster.local', 'A', ['10.128.1.5', '10.128.2.6']],
    ['db-0.db.default.svc.cluster.local', 'A', ['10.128.1.5']],
    ['10-128-2-6.db.default.svc.cluster.local', 'A', ['10.128.2.6']],
    ['db-2.db.default.svc.cluster.local', 'A', 'no-name'],
    [
      '_sql._tcp.db.default.svc.cluster.local',
      'SRV',
      [
        { target: 'db-0.db.default.svc.cluster.local', port: 3306 },
        { target: '10-128-2-6.db.default.svc.cluster.local', port: 3306 },
      ],
    ],
    ['5.1.128.10.in-addr.arpa', 'PTR', ['db-0.db.default.svc.cluster.local']],
  ])('%s %s', (name, type, expected) => {
    expect(ask(zone, name, type)).toEqual(expected);
  });

  test('gives the addresses of its targets along', () => {
    expect(zone.lookup('_sql._tcp.db.default.svc.cluster.local', 'SRV')).toMatchObject({
      additional: [
        { name: 'db-0.db.default.svc.cluster.local', data: '10.128.1.5' },
        { name: '10-128-2-6.db.default.svc.cluster.local', data: '10.128.2.6' },
      ],
    });
  });

  test('names endpoints that are not ready when it says so', () => {
    const own = makeZone();
    own.putService(makeService('db', { clusterIP: 'None', publishNotReadyAddresses: true }));
    own.putSlice(first);
    expect(ask(own, 'db-2.db.default.svc.cluster.local')).toEqual(['10.128.3.7']);
  });

  test('is the sum of its slices, and exists without any', () => {
    const own = makeZone();
    own.putService(db);
    expect(ask(own, 'db.default.svc.cluster.local')).toBe('no-data');
    own.putSlice(makeSlice('db-1', 'db', [{ addresses: ['10.128.1.1'] }]));
    own.putSlice(makeSlice('db-2', 'db', [{ addresses: ['10.128.1.1'] }, { addresses: ['10.128.1.2'] }]));
    own.putSlice(makeSlice('db-6', 'db', [{ addresses: ['fd00::1'] }], { addressType: 'IPv6' }));
    expect(ask(own, 'db.default.svc.cluster.local')).toEqual(['10.128.1.1', '10.128.1.2']);
    own.removeSlice(makeSlice('db-2', 'db', []));
    expect(ask(own, 'db.default.svc.cluster.local')).toEqual(['10.128.1.1']);
  });
});

test('an ExternalName Service is an alias', () => {
  const zone = makeZone();
  zone.putService(makeService('nas', { type: 'ExternalName', externalName: 'nas.home.arpa' }));
  expect(zone.lookup('nas.default.svc.cluster.local', 'A')).toEqual({ kind: 'alias', target: 'nas.home.arpa' });
  expect(ask(zone, 'x.nas.default.svc.cluster.local')).toBe('no-name');
});

test.each([
  ['10-128-4-5.default.pod.cluster.local', 'A', ['10.128.4.5']],
  ['10-128-4-5.default.pod.cluster.local', 'AAAA', 'no-data'],
  ['10-128-4-500.default.pod.cluster.local', 'A', 'no-name'],
  ['x.10-128-4-5.default.pod.cluster.local', 'A', 'no-name'],
  ['default.pod.cluster.local', 'A', 'no-data'],
])('a pod: %s %s', (name, type, expected) => {
  expect(ask(makeZone(), name, type)).toEqual(expected);
});
