import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import { expect, test } from 'vitest';
import { places } from '../config/place.ts';
import { parseXml } from '../config/xml-tree.ts';
import { backEndEntry, frontEndEntry } from '../entries/balancer-entry.ts';
import { leaseEntry } from '../entries/lease-entry.ts';
import { hostEntries } from '../entries/name-entry.ts';
import { everyPlace, markFor, owner, sampleConfig } from '../test-config.ts';
import { applyChanges } from './apply.ts';
import { invertChanges } from './change.ts';
import { planAdoption } from './plan-adoption.ts';
import { entriesOf, type OwnedEntry, planEdits } from './plan-edits.ts';

const sample = parseXml(sampleConfig);

const one = (entries: readonly OwnedEntry[]): OwnedEntry => {
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) throw new Error('one entry is meant');
  return entry;
};
const host = (name: string, aliases: readonly string[] = []): OwnedEntry =>
  one(hostEntries(markFor('x'), { name, addresses: ['192.0.2.50'], aliases }, 'unbound'));
const lease = (address: string, last: string, name: string): OwnedEntry =>
  leaseEntry(
    markFor('x'),
    { interface: 'lan', mac: mac(`02:00:5e:00:00:${last}`), address: ipv4(address), name: hostName(name) },
    'isc',
  );
const front = (name: string): OwnedEntry =>
  frontEndEntry(markFor('x'), {
    name,
    address: { kind: 'every-ipv4' },
    port: 8080,
    routing: { kind: 'tcp', backEnd: name },
  });
const back = (name: string, ports: readonly number[]): OwnedEntry => {
  const servers = ports.map((port) => ({ name: `n${port}`, address: '192.0.2.20', port }));
  return backEndEntry(markFor('x'), { name, check: { kind: 'none' }, servers });
};

test('changes exactly the entry that a person handed over, and can be taken back', () => {
  const desired = host('photos.lab.test', ['pics.lab.test']);
  const adoption = planAdoption(sample, desired);
  const changes = adoption?.kind === 'change' ? [adoption.change] : [];
  const after = applyChanges(sample, changes);
  expect(planEdits(after, owner, [desired], everyPlace)).toEqual({ changes: [], conflicts: [] });
  const back = applyChanges(after, invertChanges(changes));
  expect(entriesOf(back, places.resolverHosts)).toEqual(entriesOf(sample, places.resolverHosts));
  expect(planAdoption(sample, host('nobody.lab.test'))).toBeUndefined();
});

test('a name that is only an alias there hands nothing over', () => {
  expect(planAdoption(sample, host('pics.lab.test'))).toEqual({
    kind: 'refused',
    why: 'the name pics.lab.test is only an alias in it: the entry is that of photos.lab.test, which would be gone',
    fix: 'take the name pics.lab.test out of the entry of photos.lab.test on the router: then nothing is in the way',
  });
});

test.each([
  ['an alias', sampleConfig, host('photos.lab.test'), 'the name pics.lab.test'],
  ['a server', sampleConfig, back('family', [5001]), 'the server 192.0.2.20:5000'],
  [
    'another address and port',
    sampleConfig.replace('<extaddr_port>8080', '<extaddr_port>8080, 8081'),
    front('lw-x'),
    'the address and port any_ipv4:8081',
  ],
  ['the name of a lease', sampleConfig, lease('192.0.2.60', '99', 'node1'), 'the host name printer'],
])('what would be gone with it is said: %s', (_what, text, desired, lost) => {
  expect(planAdoption(parseXml(text), desired)).toMatchObject({
    kind: 'refused',
    why: `it has more than ours, which would be gone: ${lost}`,
  });
});

test('a lease is handed over when the machine is the same by its name or its network card', () => {
  expect(planAdoption(sample, lease('192.0.2.61', '99', 'printer'))?.kind).toBe('change');
  expect(planAdoption(sample, lease('192.0.2.60', '01', 'printer'))?.kind).toBe('change');
  const unnamed = parseXml(sampleConfig.replace('<hostname>printer', '<hostname>'));
  expect(planAdoption(unnamed, lease('192.0.2.60', '01', 'node1'))).toMatchObject({
    why: 'it is the lease of another machine, 02:00:5e:00:00:99',
  });
});

test('a back end with the same servers, and a front end that nobody shares, are handed over', () => {
  expect(planAdoption(sample, back('family', [5000, 5001]))?.kind).toBe('change');
  expect(planAdoption(sample, front('lw-x'))?.kind).toBe('change');
  const second = '<item><name>films</name><secondary>yes</secondary><primary_frontend>family</primary_frontend></item>';
  const shared = parseXml(sampleConfig.replace('<ha_backends>', `<ha_backends>${second}`));
  expect(planAdoption(shared, front('lw-x'))).toMatchObject({ why: 'other front ends share its address: films' });
});

test('of two entries none is chosen', () => {
  const twice = sampleConfig.replace(
    '\t</unbound>',
    '<hosts><host>photos</host><domain>lab.test</domain><ip>2001:db8::1</ip></hosts>\t</unbound>',
  );
  expect(planAdoption(parseXml(twice), host('photos.lab.test', ['pics.lab.test']))).toMatchObject({
    kind: 'refused',
    why: '2 entries that were made by hand stand in its way, and one can be handed over',
  });
});
