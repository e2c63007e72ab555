import { ipv4 } from '@labwright/core/addresses/ipv4';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ExposureZone, makeExposureZone } from './exposure-zone.ts';

const makeZone = (...names: readonly (readonly [name: string, ...addresses: string[]])[]): ExposureZone =>
  makeExposureZone({
    domains: ['svc', 'apps.home.arpa'],
    range: { first: ipv4('10.1.3.100'), last: ipv4('10.1.4.20') },
    address: ipv4('10.1.0.9'),
    names: names.map(([name, ...addresses]) => ({ name, addresses })),
    serial: 7,
  });

const zone = makeZone(
  ['web.svc', '10.1.3.100', '2001:db8::5'],
  ['www.svc', '10.1.3.100'],
  ['a.b.svc', '10.1.4.7'],
  ['x.apps.home.arpa', '10.9.9.9'],
);

/** "A 10.1.3.100", or what there is not. */
const ask = (name: string, type: string, of: ExposureZone = zone): string => {
  const answer = of.lookup(name, type);
  if (answer.kind === 'foreign') return 'foreign';
  if (answer.kind !== 'records') return `${answer.kind} in ${answer.authority.name}`;
  return answer.records
    .map((record) => `${record.type} ${typeof record.data === 'string' ? record.data : '…'}`)
    .join(', ');
};

test.each([
  ['web.svc', 'A', 'A 10.1.3.100'],
  ['WEB.Svc', 'AAAA', 'AAAA 2001:db8::5'],
  ['web.svc', 'ANY', 'A 10.1.3.100, AAAA 2001:db8::5'],
  ['web.svc', 'TXT', 'no-data in svc'],
  ['web.svc', 'TYPE65', 'no-data in svc'],
  ['nothing.svc', 'A', 'no-name in svc'],
  ['inner.web.svc', 'A', 'no-name in svc'],
  ['b.svc', 'A', 'no-data in svc'],
  ['svc', 'SOA', 'SOA …'],
  ['svc', 'NS', 'NS ns.svc'],
  ['svc', 'A', 'no-data in svc'],
  ['ns.svc', 'A', 'A 10.1.0.9'],
  ['apps.home.arpa', 'NS', 'NS ns.apps.home.arpa'],
  ['x.apps.home.arpa', 'A', 'A 10.9.9.9'],
  ['home.arpa', 'A', 'foreign'],
  ['websvc', 'A', 'foreign'],
  ['', 'NS', 'foreign'],
  ['100.3.1.10.in-addr.arpa', 'PTR', 'PTR web.svc'],
  ['101.3.1.10.in-addr.arpa', 'PTR', 'no-name in 3.1.10.in-addr.arpa'],
  ['7.4.1.10.in-addr.arpa', 'PTR', 'PTR a.b.svc'],
  ['4.1.10.in-addr.arpa', 'SOA', 'SOA …'],
  ['4.1.10.in-addr.arpa', 'PTR', 'no-data in 4.1.10.in-addr.arpa'],
  ['1.0.7.4.1.10.in-addr.arpa', 'PTR', 'no-name in 4.1.10.in-addr.arpa'],
  ['1.2.1.10.in-addr.arpa', 'PTR', 'foreign'],
  ['9.9.9.10.in-addr.arpa', 'PTR', 'foreign'],
  ['300.3.1.10.in-addr.arpa', 'PTR', 'no-name in 3.1.10.in-addr.arpa'],
  ['5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa', 'PTR', 'PTR web.svc'],
  [
    '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    'PTR',
    'no-name in 0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  ],
])('%s %s: %s', (name, type, answer) => {
  expect(ask(name, type)).toBe(answer);
});

test('an answer has the name as it was asked for, and that there is none is remembered for 3 s', () => {
  expect(zone.lookup('wEb.svc', 'A')).toMatchObject({ records: [{ name: 'wEb.svc', ttlSeconds: 5 }] });
  expect(zone.lookup('none.svc', 'A')).toMatchObject({
    authority: { name: 'svc', ttlSeconds: 3, data: { serial: 7, minimumSeconds: 3, primary: 'ns.svc' } },
  });
});

test('of any names each is found, and every name above it exists', () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/);
  const names = fc.uniqueArray(fc.array(label, { minLength: 1, maxLength: 3 }).map((all) => `${all.join('.')}.svc`));
  fc.assert(
    fc.property(names, (all) => {
      const many = makeZone(...all.map((name) => [name, '10.1.3.100'] as const));
      for (const name of all) {
        const own = name === 'ns.svc' ? 'A 10.1.0.9, A 10.1.3.100' : 'A 10.1.3.100';
        expect(ask(name, 'A', many)).toBe(own);
        const labels = name.split('.');
        for (let above = 1; above < labels.length; above += 1) {
          expect(ask(labels.slice(above).join('.'), 'A', many)).not.toContain('no-name');
        }
      }
    }),
    { numRuns: 200 },
  );
});
