import { cidr } from '@labwright/core/addresses/ipv4';
import { expect, test } from 'vitest';
import { type NetworkState, networkState } from '../controller/network-end.ts';
import {
  makeFacts,
  makeIngress,
  makeNode,
  makeService,
  makeSettings,
  makeSlice,
} from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import type { ExposureFacts } from '../exposures/exposure.ts';
import { ownerOf } from './entry-names.ts';
import { exposureEntries } from './exposure-entries.ts';
import { formatEntries, makeBlueprint, makeSetup } from './sample-router.test-data.ts';

const owner = ownerOf(makeBlueprint().lab);
const all = { names: true, balancers: true };
const at = (address: string) => ({ 'labwright.dev/address': address });

const stateOf = (facts: Partial<ExposureFacts>): NetworkState =>
  networkState(decideExposures(makeFacts(facts), makeSettings()));

test('names, addresses, TCP with sources and affinity, and HTTP by host and path', async () => {
  const state = stateOf({
    services: [
      makeService('db', {
        hostname: 'db.svc,db.home.arpa',
        annotations: at('10.1.3.101'),
        ports: [{ port: 3306, protocol: 'TCP', nodePort: 30_306 }],
        spec: { loadBalancerSourceRanges: ['10.1.0.0/22'], sessionAffinity: 'ClientIP' },
      }),
      makeService('web', { spec: { type: 'NodePort' } }),
      makeService('local', { annotations: at('10.1.3.102'), spec: { externalTrafficPolicy: 'Local' } }),
    ],
    slices: [makeSlice('local', ['node102', '!node103'])],
    nodes: [makeNode('node101'), makeNode('node102'), makeNode('node103')],
    ingresses: [
      makeIngress('shop', ['shop.svc/ web:80', '=shop.svc/exact web:80', '*.shop.svc/ web:80'], {
        annotations: at('10.1.3.109'),
      }),
      makeIngress('admin', ['shop.svc/admin/ web:80'], {
        annotations: { 'labwright.dev/source-ranges': '10.1.0.0/24' },
      }),
    ],
  });
  const { entries, problems } = exposureEntries(owner, state, makeSetup(), all);
  expect(problems).toEqual([]);
  await expect(formatEntries(entries)).toMatchFileSnapshot('testdata/exposed-entries.txt');
});

test('what the router does not manage has no entries', () => {
  const state = stateOf({ services: [makeService('web', { hostname: 'web.svc' })] });
  const tags = (parts: typeof all) =>
    exposureEntries(owner, state, makeSetup(), parts).entries.map(({ place }) => place.tag);
  expect(tags({ names: true, balancers: false })).toEqual(['hosts']);
  expect(tags({ names: false, balancers: true })).toEqual(['vip', 'item', 'item']);
});

test('a path that would end a word of HAProxy is refused, and the others are there', () => {
  const state = stateOf({
    services: [makeService('web', { spec: { type: 'NodePort' } })],
    ingresses: [
      makeIngress('shop', ['shop.svc/ web:80'], {
        spec: {
          rules: [
            {
              host: 'shop.svc',
              http: {
                paths: [
                  { path: '/a b', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
                  { path: '/well', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
                ],
              },
            },
          ],
        },
      }),
    ],
  });
  const { entries, problems } = exposureEntries(owner, state, makeSetup(), all);
  expect(problems).toMatchObject([{ owner: 'Ingress default/shop', subject: 'shop.svc/a b' }]);
  expect(formatEntries(entries)).toContain('<value>/well</value>');
  expect(formatEntries(entries)).not.toContain('/a b');
});

test('an address that is in no network of the router is a problem of its Service alone', () => {
  const state = stateOf({ services: [makeService('web', { hostname: 'web.svc' })] });
  const elsewhere = makeSetup({
    interfaces: [{ ...makeSetup().interfaces[0]!, cidr: cidr('10.9.0.0/22') }],
  });
  const { entries, problems } = exposureEntries(owner, state, elsewhere, all);
  expect(problems).toMatchObject([
    { owner: 'Service default/web', fix: 'correct services of the network in the lab file' },
  ]);
  expect(entries.map(({ place }) => place.tag)).toEqual(['hosts', 'item', 'item']);
});

test('names of any length have keys and names that the router takes', () => {
  const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.svc`;
  const state = stateOf({ services: [makeService('web', { hostname: long })] });
  const { entries, subjects } = exposureEntries(owner, state, makeSetup({ nameServer: 'dnsmasq' }), all);
  for (const { mark } of entries) expect(mark.key).toMatch(/^[a-z0-9][a-z0-9._~-]{0,99}$/);
  expect([...subjects.values()].map(({ subject }) => subject)).toContain(long);
});
