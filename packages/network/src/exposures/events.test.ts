import { ipv4 } from '@labwright/core/addresses/ipv4';
import { describe, expect, test } from 'vitest';
import type { ExposedService } from '../cluster/exposed-kinds.ts';
import type { ExposureFacts } from './exposure.ts';
import { carryOut, makeFacts, makeIngress, makeService, makeSettings, makeSlice } from './cluster.test-data.ts';
import { decideExposures, heldAddresses, routerIngressKey } from './decide-exposures.ts';
import { decisionEvents, eventObject, statusChanges } from './events.ts';
import { type ExposureSight, exposureLines } from './exposure-lines.ts';

const services = [
  makeService('web', { hostname: 'web.svc', annotations: { 'labwright.dev/address': '10.1.3.105' } }),
  makeService('dns', { ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] }),
  makeService('lb', { spec: { loadBalancerClass: 'metallb.io/metallb' }, address: '10.1.3.100', hostname: 'lb.svc' }),
];
const facts = makeFacts({ services });
const decision = decideExposures(facts, makeSettings());

test('each refusal and each address is an Event with what to do', () => {
  expect(decisionEvents(decision).map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual([
    'Warning NotExposed: port 53/UDP cannot be balanced by the router: its HAProxy takes TCP; reach it by its node port, or let MetalLB balance: exposures.balancer: metallb in the lab file',
    'Warning NotExposed: none of the ports of Service dns can be balanced, so it gets no address and no name; reach it by its node port, or let MetalLB balance: exposures.balancer: metallb in the lab file',
    'Normal Exposed: lb.svc is at 10.1.3.100 port 80',
    'Normal Exposed: web.svc is at 10.1.3.105 port 80',
  ]);
});

test('an Event told twice is one object, and a long one is cut', () => {
  const [event] = decisionEvents(decision);
  if (event === undefined) throw new Error('no event');
  const first = eventObject(event, Date.UTC(2026, 0, 1));
  const again = eventObject(event, Date.UTC(2026, 0, 1, 1));
  expect(again.metadata).toEqual(first.metadata);
  expect(again).toMatchObject({
    lastTimestamp: '2026-01-01T01:00:00Z',
    involvedObject: { kind: 'Service', name: 'dns' },
  });
  const other = eventObject({ ...event, message: 'x'.repeat(5_000) }, 0);
  expect(other.metadata.name).not.toBe(first.metadata.name);
  expect(String(other['message']).length).toBeLessThan(1_024);
});

describe('the status', () => {
  test('is changed only of what the router balances, and only where it differs', () => {
    expect(statusChanges(decision, facts).map(({ source, addresses }) => [source.name, addresses])).toEqual([
      ['web', ['10.1.3.105']],
    ]);
    const after = carryOut(facts, decision);
    expect(statusChanges(decideExposures(after, makeSettings()), after)).toEqual([]);
  });

  test('of what is no longer exposed loses what we gave it', () => {
    const after = carryOut(facts, decision);
    const broken = {
      ...after,
      services: after.services.map((service) => ({
        ...service,
        spec: { ...service.spec, loadBalancerSourceRanges: ['home'] },
      })),
    };
    expect(statusChanges(decideExposures(broken, makeSettings()), broken).map(({ addresses }) => addresses)).toEqual([
      [],
    ]);
  });

  test.each<[string, Partial<ExposedService['spec']>, Record<string, string>]>([
    ['is left alone from now on', {}, { 'labwright.dev/expose': 'false' }],
    ['is for inside the cluster now', { type: 'ClusterIP' }, {}],
    ['was refused before this process began', { loadBalancerSourceRanges: ['home'] }, {}],
  ])('of what %s loses what we gave it, and nothing that somebody else gave', (_, spec, annotations) => {
    const after = { ...carryOut(facts, decision), held: new Map() };
    const change = (service: ExposedService): ExposedService => ({
      ...service,
      spec: { ...service.spec, ...spec },
      metadata: { ...service.metadata, annotations: { ...service.metadata.annotations, ...annotations } },
    });
    const left = { ...after, services: after.services.map(change) };
    const lost = statusChanges(decideExposures(left, makeSettings()), left);
    expect(lost.map(({ source, addresses }) => [source.name, addresses])).toEqual([['web', []]]);
  });

  test('of an Ingress that is refused is cleared before its address is another’s', () => {
    const web = makeService('web', { spec: { type: 'NodePort' } });
    const routed = makeFacts({ services: [web], ingresses: [makeIngress('a', ['a.svc/ web:80'])] });
    const after = carryOut(routed, decideExposures(routed, makeSettings()));
    const left = {
      ...after,
      ingresses: [
        makeIngress('b', ['b.svc/ web:80']),
        ...after.ingresses.map((ingress) => ({
          ...ingress,
          metadata: { ...ingress.metadata, annotations: { 'labwright.dev/source-ranges': 'home' } },
        })),
      ],
    };
    const [lost, given] = statusChanges(decideExposures(left, makeSettings()), left);
    expect([lost?.source.name, lost?.addresses, given?.source.name]).toEqual(['a', [], 'b']);
  });

  test('of all Ingresses is one address, which is held for them together', () => {
    const web = makeService('web', { spec: { type: 'NodePort' } });
    const ingresses = [makeIngress('a', ['a.svc/ web:80']), makeIngress('b', ['b.svc/ web:80'])];
    const routed = makeFacts({ services: [web], ingresses });
    const decided = decideExposures(routed, makeSettings());
    const changes = statusChanges(decided, routed);
    expect(new Set(changes.map(({ addresses }) => addresses.join())).size).toBe(1);
    expect(heldAddresses(decided)).toEqual(new Map([[routerIngressKey, ipv4(changes[0]?.addresses[0] ?? '')]]));
  });
});

test('the lines tell every object, where it ends, and whether it answers', () => {
  const sight: ExposureSight = { connections: new Map([['10.1.3.105:80', 'refused']]), from: new Map(), slices: [] };
  expect(
    exposureLines(decision, sight).map((line) => [line.object, line.name, line.port, line.endsAt, line.state]),
  ).toEqual([
    ['Service default/dns', '53/UDP', '-', '-', 'not exposed'],
    ['Service default/dns', 'dns', '-', '-', 'not exposed'],
    ['Service default/lb', 'lb.svc', '80', 'MetalLB', 'not tried'],
    ['Service default/web', 'web.svc', '80', 'node101:30080, node102:30080, node103:30080', 'refused'],
  ]);
  const [none] = exposureLines(decideExposures({ ...facts, nodes: [] }, makeSettings()), sight).filter(
    ({ name }) => name === 'web.svc',
  );
  expect(none).toMatchObject({ endsAt: '-', state: 'no backend' });
});

describe('a line says of', () => {
  const noSight: ExposureSight = { connections: new Map(), from: new Map(), slices: [] };
  const lineOf = (made: Partial<ExposureFacts>, sight: Partial<ExposureSight>) => {
    const [line] = exposureLines(decideExposures(makeFacts(made), makeSettings()), { ...noSight, ...sight });
    return [line?.state, line?.words];
  };

  test('ports with UDP beside TCP, and IPv6, whether what can be tried answers', () => {
    const spec = { loadBalancerClass: 'metallb.io/metallb' };
    const ports = [
      { port: 53, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ];
    const made = (address: string) => ({ services: [makeService('dns', { spec, ports, address })] });
    const connections = new Map([
      ['10.1.3.100:53', 'answers'],
      ['[fd00::100]:53', 'refused'],
    ] as const);
    expect(lineOf(made('10.1.3.100'), { connections })).toEqual(['answers', undefined]);
    expect(lineOf(made('fd00::100'), { connections })).toEqual(['refused', undefined]);
    const datagrams = {
      services: [makeService('dns', { spec, ports: [{ port: 53, protocol: 'UDP' }], address: '10.1.3.100' })],
    };
    expect(lineOf(datagrams, { connections })).toEqual(['not tried', undefined]);
  });

  test.each<[string, Record<string, string>]>([
    ['the router balances', { 'labwright.dev/address': '10.1.3.105' }],
    ['MetalLB balances', {}],
  ])('what is limited to other networks and %s, that it was not tried', (_, annotations) => {
    const isRouter = 'labwright.dev/address' in annotations;
    const spec = {
      loadBalancerSourceRanges: ['10.9.0.0/16'],
      ...(isRouter ? {} : { loadBalancerClass: 'metallb.io/metallb' }),
    };
    const services = [makeService('web', { spec, annotations, address: '10.1.3.105' })];
    const connections = new Map([['10.1.3.105:80', 'refused']] as const);
    const from = (own: string) => new Map([['10.1.3.105', ipv4(own)]]);
    expect(lineOf({ services }, { connections, from: from('10.1.0.50') })).toEqual([
      'not tried',
      'only clients in 10.9.0.0/16 may connect, and this computer is 10.1.0.50',
    ]);
    expect(lineOf({ services }, { connections, from: from('10.9.0.50') })).toEqual(['refused', undefined]);
    expect(lineOf({ services }, { connections })).toEqual(['refused', undefined]);
  });

  test('an Ingress that it has no pod, though the router takes connections and answers 503', () => {
    const services = [
      makeService('web', { spec: { type: 'NodePort' } }),
      makeService('api', { spec: { type: 'NodePort' } }),
    ];
    const ingresses = [makeIngress('shop', ['shop.svc/ web:80', 'shop.svc/api api:80'], { address: '10.1.3.105' })];
    const connections = new Map([['10.1.3.105:80', 'answers']] as const);
    const line = (...slices: ExposureSight['slices']) =>
      lineOf({ services, ingresses, slices }, { connections, slices });
    const web = makeSlice('web', ['node101']);
    expect(line(web, makeSlice('api', ['!node101', 'node102']))).toEqual(['answers', undefined]);
    expect(line(web, makeSlice('api', ['!node101']))).toEqual(['no backend', 'no pod is ready for default/api:80']);
    expect(line()).toEqual(['no backend', 'no pod is ready for default/api:80, default/web:80']);
  });
});
