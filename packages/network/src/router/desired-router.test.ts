import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { formatXml, parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { formatChange } from '@labwright/drivers/pfsense/edits/change';
import { planRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { routerSetup } from '@labwright/drivers/pfsense/router-setup';
import { profileOf } from '@labwright/drivers/pfsense/version-profile';
import { sampleConfig } from '@labwright/drivers/pfsense/test-config';
import { describe, expect, test } from 'vitest';
import { networkState } from '../controller/network-end.ts';
import { makeFacts, makeService, makeSettings } from '../exposures/cluster.test-data.ts';
import { decideExposures } from '../exposures/decide-exposures.ts';
import { desireRouter, routerTerms, type RouterWish } from './desired-router.ts';
import { makeBlueprint } from './sample-router.test-data.ts';

const blueprint = makeBlueprint();
const terms = routerTerms(blueprint);
const state = networkState(
  decideExposures(makeFacts({ services: [makeService('web', { hostname: 'web.svc' })] }), makeSettings()),
);
/** The sample router moved into the network of the home example. */
const router = parseXml(
  sampleConfig
    .replaceAll('192.0.2.', '10.1.2.')
    .replace('<ipaddr>10.1.2.1</ipaddr>', '<ipaddr>10.1.0.1</ipaddr>')
    .replace('<subnet>24</subnet>', '<subnet>22</subnet>'),
);
const profile = profileOf('2.7.2-RELEASE', 'pfSense');

function plan(document: typeof router, wish: RouterWish, by = terms) {
  const { desired } = desireRouter(by, wish, routerSetup({ document, profile, hasBalancer: true }));
  return planRouter(document, desired);
}
const changesOf = (document: typeof router, wish: RouterWish, by = terms) =>
  plan(document, wish, by).changes.map(formatChange);

test('the lab and what is exposed come together, and a second plan is empty', () => {
  const wish: RouterWish = { lab: { blueprint }, exposures: state };
  const first = plan(router, wish);
  expect(first.conflicts).toEqual([]);
  expect(first.changes.map(formatChange)).toEqual(
    expect.arrayContaining([
      'adds dhcpd/lan/staticmap lab.machine.node101',
      'adds unbound/hosts lab.endpoint',
      'adds unbound/hosts exposed.web.svc',
    ]),
  );
  expect(plan(first.document, wish).changes).toEqual([]);
});

test('what is not known yet stays as it is', () => {
  const { document } = plan(router, { lab: { blueprint }, exposures: state });
  expect(changesOf(document, { lab: 'kept', exposures: 'kept' })).toEqual([]);
  expect(changesOf(document, { lab: { blueprint }, exposures: 'kept' })).toEqual([]);
  expect(changesOf(document, { lab: 'kept', exposures: state })).toEqual([]);
  const gone = changesOf(document, { lab: 'kept', exposures: 'none' });
  expect(gone).toContain('removes unbound/hosts exposed.web.svc');
  expect(gone.every((text) => text.includes('exposed.'))).toBe(true);
});

test('with nothing wanted any more nothing of ours is left, and all of the others’', () => {
  const { document } = plan(router, { lab: { blueprint }, exposures: state });
  expect(changesOf(document, { lab: 'gone', exposures: state })).toEqual(
    changesOf(document, { lab: 'none', exposures: 'none' }),
  );
  const after = plan(document, { lab: 'none', exposures: 'none' }).document;
  expect(plan(after, { lab: 'none', exposures: 'none' }).changes).toEqual([]);
  expect(JSON.stringify(after)).not.toContain('labwright:');
});

describe('a part that is not managed any more', () => {
  const booted = makeBlueprint({ 'mode: serve': 'mode: router' });
  const boot = { nextServer: ipv4('10.1.0.9'), bios: 'labwright.pxe', uefi64: 'labwright.efi' };
  const kea = parseXml(formatXml(router).replace('</pfsense>', '\t<dhcpbackend>kea</dhcpbackend>\n</pfsense>'));
  const { document } = plan(kea, { lab: { blueprint: booted, boot }, exposures: state });
  const withManage = (manage: string) => makeBlueprint({ 'manage: [dhcp, dns, haproxy]': `manage: [${manage}]` });

  test('goes whole, also what is exposed and not known, and what is managed stays', () => {
    const less = withManage('dhcp, haproxy');
    const wish: RouterWish = { lab: { blueprint: less, boot }, exposures: 'kept' };
    const changes = changesOf(document, wish, routerTerms(less));
    expect(changes).toEqual([
      'removes unbound/hosts lab.machine.node101',
      'removes unbound/hosts lab.machine.node102',
      'removes unbound/hosts lab.machine.node103',
      'removes unbound/hosts lab.endpoint',
      'removes unbound/hosts exposed.web.svc',
    ]);
  });

  test.each([
    ['with the lab', (blueprint: Blueprint): RouterWish => ({ lab: { blueprint }, exposures: 'kept' })],
    ['without it', (): RouterWish => ({ lab: 'gone', exposures: 'kept' })],
  ])('goes to the last entry and boot file when nothing is left in the list, %s', (_, wish) => {
    const nothing = withManage('');
    expect(JSON.stringify(document)).toContain('labwright.pxe');
    const after = plan(document, wish(nothing), routerTerms(nothing)).document;
    expect(JSON.stringify(after)).not.toContain('labwright:');
    // The section of the notes stays, empty; everything else is as it was to the letter.
    expect(formatXml(after).replace('\t\t<labwright></labwright>\n', '')).toBe(formatXml(kea));
    expect(changesOf(after, wish(nothing), routerTerms(nothing))).toEqual([]);
  });

  test('stays while no plan was applied, and entries of other labs stay for ever', () => {
    const nothing = withManage('');
    expect(changesOf(document, { lab: 'kept', exposures: 'kept' }, routerTerms(nothing))).toEqual([]);
    const other = { ...terms, owner: { ...terms.owner, lab: labId('other') } };
    const others = plan(router, { lab: { blueprint }, exposures: state }, other).document;
    expect(changesOf(others, { lab: { blueprint: nothing }, exposures: 'none' }, routerTerms(nothing))).toEqual([]);
  });
});

test('names go to the name server of our own where there is one', () => {
  const served = makeBlueprint({ 'ssh:\n': 'exposures: { nameServer: {} }\n\nssh:\n' });
  const { desired } = desireRouter(
    routerTerms(served),
    { lab: { blueprint: served }, exposures: state },
    routerSetup({ document: router, profile, hasBalancer: true }),
  );
  const exposed = desired.entries.filter(({ mark }) => mark.key.startsWith('exposed.'));
  expect(exposed.map(({ place }) => place.tag)).toEqual(['vip', 'item', 'item']);
});

describe('while HAProxy is switched off', () => {
  const off = parseXml(formatXml(router).replace(/<haproxy>\s*<enable><\/enable>/, '<haproxy>'));
  const wish: RouterWish = { lab: { blueprint }, exposures: state };

  test('nothing is written for it, all the rest is, and what is exposed has the reason', () => {
    const changes = changesOf(off, wish);
    expect(changes).toContain('adds unbound/hosts exposed.web.svc');
    expect(changes.filter((text) => /haproxy|virtualip/.test(text))).toEqual([]);
    const { exposed } = desireRouter(terms, wish, routerSetup({ document: off, profile, hasBalancer: true }));
    expect(exposed.problems).toMatchObject([{ why: 'HAProxy is switched off on the router' }]);
  });

  test('what is there of ours stays, and goes with the lab', () => {
    const { document } = plan(router, wish);
    const offNow = parseXml(formatXml(document).replace(/<haproxy>\s*<enable><\/enable>/, '<haproxy>'));
    expect(changesOf(offNow, wish)).toEqual([]);
    expect(changesOf(offNow, { lab: { blueprint }, exposures: 'none' })).toEqual([
      'removes unbound/hosts exposed.web.svc',
    ]);
    const { document: after } = plan(offNow, { lab: 'gone', exposures: state });
    expect(JSON.stringify(after)).not.toContain('labwright:');
  });
});
