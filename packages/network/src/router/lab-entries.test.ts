import { ipv4 } from '@labwright/core/addresses/ipv4';
import { formatPlace } from '@labwright/drivers/pfsense/config/place';
import { expect, test } from 'vitest';
import { ownerOf } from './entry-names.ts';
import { labEntries } from './lab-entries.ts';
import { formatEntries, makeBlueprint, makeSetup } from './sample-router.test-data.ts';

const blueprint = makeBlueprint();
const owner = ownerOf(blueprint.lab);

test('the home example has leases, names, its endpoint, and its machines as back ends', async () => {
  const { entries, problems } = labEntries(owner, { blueprint }, makeSetup());
  expect(problems).toEqual([]);
  await expect(formatEntries(entries)).toMatchFileSnapshot('testdata/home-entries.txt');
});

test('what is not managed has no entries', () => {
  const names = makeBlueprint({ 'manage: [dhcp, dns, haproxy]': 'manage: [dns]' });
  const { entries } = labEntries(owner, { blueprint: names }, makeSetup());
  expect(new Set(entries.map(({ place }) => formatPlace(place)))).toEqual(new Set(['unbound/hosts']));
});

test('machines that the router starts have the boot files in their leases, and those that may come have leases', () => {
  const booted = makeBlueprint({
    'mode: serve': 'mode: router',
    'firmware: uefi': 'firmware: uefi\n    heal: replace',
  });
  const boot = { nextServer: ipv4('10.1.0.9'), bios: 'labwright.pxe', uefi64: 'labwright.efi' };
  const leases = (setup: ReturnType<typeof makeSetup>) =>
    labEntries(owner, { blueprint: booted, boot }, setup)
      .entries.filter(({ place }) => place.tag === 'staticmap')
      .map(({ value }) => [value['hostname'], value['filename'], value['filename64']]);
  const isc = leases(makeSetup());
  expect(isc.slice(0, 3)).toEqual([
    ['node101', 'labwright.pxe', 'labwright.efi'],
    ['node102', 'labwright.pxe', 'labwright.efi'],
    ['node103', 'labwright.pxe', 'labwright.efi'],
  ]);
  expect(isc.length).toBeGreaterThan(3);
  // pfSense hands Kea none of a single lease.
  expect(leases(makeSetup({ dhcpBackEnd: 'kea' }))[0]).toEqual(['node101', undefined, undefined]);
});

test('a router without the network of the lab has none of what needs it, and it is said', () => {
  const { entries, problems } = labEntries(owner, { blueprint }, makeSetup({ interfaces: [] }));
  expect(entries.some(({ place }) => place.tag === 'vip' || place.tag === 'staticmap')).toBe(false);
  expect(problems).toContain('kubernetes.endpoint.address, 10.1.0.10, is in no network of the router');
});

test('a name server of our own is led to for its domains', () => {
  const served = makeBlueprint({ 'ssh:\n': 'exposures: { nameServer: { port: 5353 } }\n\nssh:\n' });
  const overrides = labEntries(owner, { blueprint: served }, makeSetup()).entries.filter(
    ({ place }) => place.tag === 'domainoverrides',
  );
  expect(overrides.map(({ value }) => [value['domain'], value['ip']])).toEqual([
    ['svc', '10.1.0.9@5353'],
    ['home.arpa', '10.1.0.9@5353'],
  ]);
});

test('dnsmasq has names where it looks for them', () => {
  const { entries } = labEntries(owner, { blueprint }, makeSetup({ nameServer: 'dnsmasq' }));
  expect(entries.filter(({ place }) => place.tag === 'hosts').map(({ place }) => place.path[0])).toContain('dnsmasq');
});
