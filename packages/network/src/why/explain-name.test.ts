import { ipv4 } from '@labwright/core/addresses/ipv4';
import { podKind } from '@labwright/drivers/kubernetes/kind';
import { describe, expect, test } from 'vitest';
import {
  makeFacts,
  makeIngress,
  makeNode,
  makeService,
  makeSettings,
  makeSlice,
} from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import type { ExposureFacts, ExposureSettings } from '../exposures/exposure.ts';
import { explainName } from './explain-name.ts';
import { type Connection, type WhyFacts, type WhyPod, whyPod } from './why-facts.ts';

const pod: WhyPod = {
  namespace: 'default',
  name: 'web-0',
  labels: { app: 'web' },
  phase: 'Running',
  isReady: true,
  restarts: 0,
};

/** A Service that answers at every hop, unless something is changed. */
function makeWhy(
  changes: Partial<WhyFacts> = {},
  cluster: Partial<ExposureFacts> = {},
  settings: Partial<ExposureSettings> = {},
) {
  const facts = makeFacts({
    services: [makeService('web', { hostname: 'web.svc', spec: { selector: { app: 'web' } } })],
    slices: [makeSlice('web', ['node101'])],
    nodes: [makeNode('node101')],
    ...cluster,
  });
  const decision = decideExposures(facts, makeSettings(settings));
  const addresses = decision.exposures[0]?.addresses ?? [];
  const answer = { kind: 'addresses', addresses } as const;
  const connections = new Map<string, Connection>([
    ...addresses.map((address) => [`${address}:80`, 'answers'] as const),
    ['10.1.1.101:30080', 'answers'],
  ]);
  return {
    cluster: facts,
    decision,
    pods: [pod],
    records: [{ by: 'pfSense fw1', answer }],
    resolvers: [{ by: '10.1.0.1', answer }],
    connections,
    from: new Map(),
    ...changes,
  };
}

const states = (facts: WhyFacts, name = 'web.svc') =>
  explainName(name, facts).hops.map(({ hop, state }) => `${hop} ${state}`);

test('a name that answers does so at all six hops', () => {
  const { hops, verdict, failing } = explainName('Web.svc.', makeWhy());
  expect(hops.map(({ hop, state }) => `${hop} ${state}`)).toEqual([
    'record ok',
    'resolver ok',
    'balancer ok',
    'node port ok',
    'endpoint ok',
    'pod ok',
  ]);
  expect(failing).toBeUndefined();
  expect(verdict).toBe('web.svc answers, and so does every hop');
});

describe('the first hop that fails is', () => {
  const looks = (answer: WhyFacts['records'][number]['answer']) => [{ by: '10.1.0.1', answer }];
  const addressed = makeWhy().decision.exposures[0]?.addresses[0] ?? '';

  test.each<[string, string, WhyFacts, string]>([
    ['record', 'when nothing asks for the name', makeWhy({}, { services: [] }), 'no Service of type LoadBalancer'],
    [
      'record',
      'when the name is refused',
      makeWhy({}, { services: [makeService('web', { hostname: 'web.svc' })] }, { domains: ['home.arpa'] }),
      'Service default/web may not have it: web.svc is in none of the domains',
    ],
    [
      'record',
      'when what has it is refused',
      makeWhy({}, { services: [makeService('web', { hostname: 'web.svc', ports: [{ port: 53, protocol: 'UDP' }] })] }),
      'Service default/web has it and is not exposed: port 53/UDP cannot be balanced',
    ],
    [
      'record',
      'when MetalLB gave no address',
      makeWhy({}, {}, { balancer: 'metallb' }),
      'has no address yet, which MetalLB gives',
    ],
    [
      'record',
      'when an end does not hold it',
      makeWhy({ records: looks({ kind: 'no-name' }) }),
      '10.1.0.1 knows no web.svc',
    ],
    [
      'record',
      'when a person holds another',
      makeWhy({ records: looks({ kind: 'addresses', addresses: ['10.1.0.77'] }) }),
      '10.1.0.1 holds 10.1.0.77 for web.svc, and it is ',
    ],
    [
      'resolver',
      'when it does not know the name',
      makeWhy({ resolvers: looks({ kind: 'no-name' }) }),
      'knows no web.svc',
    ],
    [
      'resolver',
      'when it is silent',
      makeWhy({ resolvers: looks({ kind: 'silent', why: 'timed out' }) }),
      'does not answer: timed out',
    ],
    [
      'balancer',
      'when it refuses',
      makeWhy({ connections: new Map([[`${addressed}:80`, 'refused']]) }),
      '(the router) refuses connections',
    ],
    [
      'balancer',
      'when no node is there for it',
      makeWhy({}, { nodes: [makeNode('node101')], power: new Map([['node101', 'stopped']]) }),
      'the router has nowhere to send connections for Service default/web',
    ],
    [
      'node port',
      'when all refuse',
      makeWhy({
        connections: new Map([
          [`${addressed}:80`, 'answers'],
          ['10.1.1.101:30080', 'refused'],
        ]),
      }),
      'node101:30080 refuse connections: nothing is ready behind them',
    ],
    [
      'endpoint',
      'when none is ready',
      makeWhy({}, { slices: [makeSlice('web', ['!node101'])] }),
      'none of the 1 endpoints of Service default/web is ready',
    ],
    ['endpoint', 'when there is none', makeWhy({}, { slices: [] }), 'no pod with app=web has an address'],
    [
      'pod',
      'when it crashes',
      makeWhy({ pods: [{ ...pod, isReady: false, reason: 'CrashLoopBackOff', restarts: 4 }] }),
      'pod default/web-0 is CrashLoopBackOff and not ready, restarted 4 times',
    ],
    ['pod', 'when there is none', makeWhy({ pods: [{ ...pod, labels: {} }] }), 'selects no pod that exists'],
  ])('the %s %s', (hop, _, facts, words) => {
    const { failing, verdict } = explainName('web.svc', facts);
    expect(failing?.hop).toBe(hop);
    expect(failing?.words).toContain(words);
    expect(verdict).toContain(`fails at the ${hop}: `);
  });
});

test('what is behind the first fault is told as well', () => {
  const facts = makeWhy({ pods: [{ ...pod, isReady: false, reason: 'ImagePullBackOff' }] }, { slices: [] });
  expect(states(facts)).toEqual([
    'record ok',
    'resolver ok',
    'balancer ok',
    'node port ok',
    'endpoint fails',
    'pod fails',
  ]);
});

test('the nodes say why none takes a connection', () => {
  const nodes = [makeNode('node101'), makeNode('node102', { ready: false }), makeNode('node103')];
  const services = [makeService('web', { hostname: 'web.svc', spec: { externalTrafficPolicy: 'Local' } })];
  const facts = makeWhy({}, { services, nodes, slices: [], power: new Map([['node103', 'stopped']]) });
  expect(explainName('web.svc', facts).hops.find(({ hop }) => hop === 'node port')?.words).toBe(
    'no node can take a connection: node101 has no endpoint, or no node port, node102 is not ready, node103 is off',
  );
});

test('what nobody looked at is not said to be well', () => {
  const facts = makeWhy({ records: [], resolvers: [], connections: new Map() });
  expect(states(facts).slice(0, 4)).toEqual([
    'record unknown',
    'resolver unknown',
    'balancer unknown',
    'node port unknown',
  ]);
  expect(explainName('web.svc', facts).verdict).toBe(
    'no hop of web.svc is seen to fail; not known: record, resolver, balancer, node port',
  );
});

test('a balancer that this computer may not connect to is not said to fail', () => {
  const spec = { selector: { app: 'web' }, loadBalancerSourceRanges: ['10.9.0.0/16'] };
  const services = [makeService('web', { hostname: 'web.svc', spec })];
  const { decision } = makeWhy({}, { services });
  const [address = ''] = decision.exposures[0]?.addresses ?? [];
  const connections = new Map<string, Connection>([['10.1.1.101:30080', 'answers']]);
  const seenFrom = (own: string) =>
    explainName('web.svc', makeWhy({ connections, from: new Map([[address, ipv4(own)]]) }, { services }));
  const { hops, verdict } = seenFrom('10.1.0.50');
  expect(hops.find(({ hop }) => hop === 'balancer')).toEqual({
    hop: 'balancer',
    state: 'unknown',
    words: 'only clients in 10.9.0.0/16 may connect, and this computer is 10.1.0.50',
  });
  expect(verdict).toBe('no hop of web.svc is seen to fail; not known: balancer');
  connections.set(`${address}:80`, 'refused');
  expect(seenFrom('10.9.0.50').failing?.words).toContain('(the router) refuses connections');
});

test('an Ingress leads to each of its Services', () => {
  const service = makeService('web', { spec: { type: 'NodePort', selector: { app: 'web' } } });
  const ingresses = [makeIngress('shop', ['shop.svc/ web:80', 'shop.svc/api none:80'])];
  const report = explainName('shop.svc', makeWhy({}, { services: [service], ingresses }));
  expect(report.hops.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok', 'fails', 'ok']);
  expect(report.failing?.words).toBe('there is no Service default/none');
});

test('a pod is read with the reason it waits for', () => {
  const parsed = podKind.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'default', uid: '1', resourceVersion: '1', labels: { app: 'web' } },
    spec: {},
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'False' }],
      containerStatuses: [{ name: 'main', restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
    },
  });
  expect(whyPod(parsed)).toEqual({ ...pod, isReady: false, reason: 'CrashLoopBackOff', restarts: 3 });
});
