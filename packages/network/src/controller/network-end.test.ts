import { describe, expect, test } from 'vitest';
import { makeFacts, makeIngress, makeNode, makeService, makeSettings } from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import { makeLatest } from './latest.ts';
import { networkState } from './network-end.ts';

const at = (address: string) => ({ 'labwright.dev/address': address });

test('a decision is names, addresses and balancers, each once and in order', () => {
  const facts = makeFacts({
    nodes: [makeNode('node101')],
    services: [
      makeService('web', {
        hostname: 'web.svc',
        annotations: at('10.1.3.109'),
        spec: { loadBalancerSourceRanges: ['10.1.0.0/22'], sessionAffinity: 'ClientIP' },
      }),
      makeService('lb', {
        hostname: 'lb.svc',
        spec: { loadBalancerClass: 'metallb.io/metallb' },
        address: '10.1.3.100',
      }),
      makeService('new', { hostname: 'new.svc', spec: { loadBalancerClass: 'metallb.io/metallb' } }),
    ],
    ingresses: [
      makeIngress('a', ['shop.svc/ web:80'], { annotations: { 'labwright.dev/source-ranges': '10.1.0.0/24' } }),
      makeIngress('b', ['shop.svc/api web:80']),
    ],
  });
  const state = networkState(decideExposures(facts, makeSettings()));
  expect(state.names.map(({ name, owners }) => `${name} ${owners.join('+')}`)).toEqual([
    'lb.svc Service default/lb',
    'shop.svc Ingress default/a+Ingress default/b',
    'web.svc Service default/web',
  ]);
  expect(state.addresses).toHaveLength(2);
  expect(state.addresses.map(({ address }) => address)).not.toContain('10.1.3.100');
  expect(state.balancers.toSorted((one) => (one.kind === 'tcp' ? -1 : 1))).toMatchObject([
    {
      kind: 'tcp',
      address: '10.1.3.109',
      port: 80,
      owner: 'Service default/web',
      backends: [{ node: 'node101', port: 30_080 }],
      sourceRanges: ['10.1.0.0/22'],
      affinity: 'client',
    },
    {
      kind: 'http',
      port: 80,
      routes: [
        { host: 'shop.svc', path: '/api', owner: 'Ingress default/b' },
        { host: 'shop.svc', path: '/', owner: 'Ingress default/a', sourceRanges: ['10.1.0.0/24'] },
      ],
    },
  ]);
});

describe('the latest of something', () => {
  const { signal } = new AbortController();

  test('is waited for, and what came between is missed', async () => {
    const latest = makeLatest<string>();
    const first = latest.after(0, signal);
    latest.set('a');
    expect(await first).toEqual({ value: 'a', number: 1 });
    latest.set('b');
    latest.set('c');
    expect(await latest.after(1, signal)).toEqual({ value: 'c', number: 3 });
  });

  test('is no longer waited for when that is called off', async () => {
    const stopping = new AbortController();
    const waiting = makeLatest<string>().after(0, stopping.signal);
    stopping.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
