import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName } from '@labwright/core/addresses/names';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { sampleConfig } from '@labwright/drivers/pfsense/test-config';
import { profileOf } from '@labwright/drivers/pfsense/version-profile';
import { expect, test } from 'vitest';
import { judgeRouter, judgeServices } from './router-check.ts';

const router = { name: hostName('fw1'), address: ipv4('10.1.0.1'), port: 443, manage: ['dns', 'haproxy'] } as const;
const judge = (version: string, hasBalancer = true, config = sampleConfig) =>
  judgeRouter(router, 'labwright', {
    profile: profileOf(version, 'pfSense'),
    document: parseXml(config),
    hasBalancer,
  }).map(({ verdict, what }) => `${verdict}: ${what}`);

test('a router that is known and has what is managed is fine', () => {
  expect(judge('2.7.2-RELEASE')).toEqual([
    'fine: router fw1 (10.1.0.1) answers: pfSense 2.7.2-RELEASE',
    "fine: labwright may use the router's interface for programs",
  ]);
});

test('a version that was not checked, and a package that is missing, are in the way', () => {
  expect(judge('2.9.1-RELEASE')).toContain('blocks: the router fw1 is read and not written to');
  expect(judge('2.7.2-RELEASE', false)).toContain('blocks: the router fw1 has no HAProxy');
});

test('a range for services that the router uses in part is told of', () => {
  const range = { first: ipv4('10.1.3.100'), last: ipv4('10.1.3.200') };
  expect(judgeServices(router, range, [])).toEqual([]);
  expect(judgeServices(router, range, ['a', 'b', 'c', 'd', 'e'])).toMatchObject([
    {
      verdict: 'nice',
      what: 'the range for services, 10.1.3.100-10.1.3.200, is partly in use on the router fw1',
      why: 'a, b, c and 2 more',
    },
  ]);
});

test('HAProxy that is switched off is its owner’s to switch on', () => {
  const off = sampleConfig.replace(/<haproxy>\s*<enable><\/enable>/, '<haproxy>');
  expect(judge('2.7.2-RELEASE', true, off)).toContain('blocks: HAProxy is switched off on fw1');
});
