import { ipv4, cidr } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import { array, assert, boolean, constantFrom, integer, oneof, property, record, uniqueArray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textAt } from '../config/config-value.ts';
import { formatMark } from '../config/mark.ts';
import { leasesOf } from '../config/place.ts';
import { type XmlDocument, formatXml, parseXml } from '../config/xml-tree.ts';
import { backEndEntry, frontEndEntry } from '../entries/balancer-entry.ts';
import { planBootSection } from '../entries/boot-section.ts';
import { leaseEntry, poolEntry } from '../entries/lease-entry.ts';
import { domainEntry, hostEntries } from '../entries/name-entry.ts';
import { virtualIpEntry } from '../entries/virtual-ip-entry.ts';
import { everyPlace, markFor, otherOwner, owner, residueOf, sampleConfig } from '../test-config.ts';
import { applyChanges } from './apply.ts';
import { invertChanges } from './change.ts';
import { type OwnedEntry, planEdits } from './plan-edits.ts';

const sample = parseXml(sampleConfig);

const web = hostEntries(markFor('web.svc'), { name: 'web.svc', addresses: ['192.0.2.50', '2001:db8::50'] }, 'unbound');

function entriesOfService(number: number, port: number, withAlias: boolean): readonly OwnedEntry[] {
  const mark = markFor(`s${number}`);
  const name = `lw-s${number}`;
  const address = `192.0.2.${200 + number}`;
  return [
    ...hostEntries(
      mark,
      { name: `s${number}.svc`, addresses: [address], aliases: withAlias ? [`t${number}.svc`] : [] },
      'unbound',
    ),
    virtualIpEntry(mark, 'lan', address),
    backEndEntry(mark, {
      name,
      check: { kind: 'tcp', intervalMs: 1000 },
      servers: [{ name: 'node1', address: '192.0.2.21', port }],
    }),
    frontEndEntry(mark, { name, address: { kind: 'one', address }, port, routing: { kind: 'tcp', backEnd: name } }),
    leaseEntry(
      mark,
      {
        interface: 'lan',
        mac: mac(`02:00:5e:00:01:0${number}`),
        address: ipv4(`192.0.2.${20 + number}`),
        name: hostName(`node${number}`),
      },
      'isc',
    ),
  ];
}

const planAll = (document: XmlDocument, desired: readonly OwnedEntry[]) =>
  planEdits(document, owner, desired, everyPlace);

describe('planEdits', () => {
  test('adds what is missing, and a second plan is empty', () => {
    const desired = [...web, ...entriesOfService(1, 31_001, true)];
    const plan = planAll(sample, desired);
    expect(plan.conflicts).toEqual([]);
    const after = applyChanges(sample, plan.changes);
    expect(planAll(after, desired)).toEqual({ changes: [], conflicts: [] });
    expect(planAll(parseXml(formatXml(after)), desired)).toEqual({ changes: [], conflicts: [] });
  });

  test('writes an entry as pfSense would, and only that', () => {
    const after = formatXml(applyChanges(sample, planAll(sample, web).changes));
    const added = [
      '\t\t<hosts>',
      '\t\t\t<host>web</host>',
      '\t\t\t<domain>svc</domain>',
      '\t\t\t<ip>192.0.2.50,2001:db8::50</ip>',
      '\t\t\t<descr><![CDATA[labwright:home/main/web.svc]]></descr>',
      '\t\t\t<aliases></aliases>',
      '\t\t</hosts>',
      '',
    ].join('\n');
    expect(after).toBe(sampleConfig.replace('\t</unbound>', `${added}\t</unbound>`));
  });

  test('taking additions back gives the very text there was', () => {
    const { changes } = planAll(sample, [...web, ...entriesOfService(3, 31_003, false)]);
    const after = applyChanges(sample, changes);
    expect(formatXml(applyChanges(after, invertChanges(changes)))).toBe(sampleConfig);
  });

  test('makes a container that is missing where it may, and says what to switch on where not', () => {
    const bare = parseXml('<pfsense><interfaces><lan><enable/></lan><opt1/></interfaces></pfsense>');
    const plan = planAll(bare, [virtualIpEntry(markFor('a'), 'lan', '192.0.2.50'), ...web]);
    expect(formatXml(applyChanges(bare, plan.changes))).toContain('<virtualip>\n\t\t<vip>\n\t\t\t<mode>ipalias</mode>');
    expect(plan.conflicts.map(({ reason }) => reason)).toEqual([
      'the router has no <unbound>: switch on Services > DNS Resolver',
    ]);
  });

  test.each([
    [
      'the name of a person',
      hostEntries(markFor('a'), { name: 'photos.lab.test', addresses: ['192.0.2.9'] }, 'unbound'),
      'the name photos.lab.test is taken by an entry made by hand ("Holiday & family")',
    ],
    [
      'the alias of a person',
      hostEntries(markFor('a'), { name: 'pics.lab.test', addresses: ['192.0.2.9'] }, 'unbound'),
      'the name pics.lab.test is taken by an entry made by hand ("Holiday & family")',
    ],
    [
      'a back end of a person',
      [backEndEntry(markFor('a'), { name: 'family', check: { kind: 'none' }, servers: [] })],
      'the back end family is taken by an entry made by hand',
    ],
    [
      'a port that is open for every address',
      [
        frontEndEntry(markFor('a'), {
          name: 'x',
          address: { kind: 'one', address: '192.0.2.50' },
          port: 8080,
          routing: { kind: 'tcp', backEnd: 'x' },
        }),
      ],
      'the address and port any_ipv4:8080 is taken by an entry made by hand',
    ],
    [
      'the address of a lease',
      [
        leaseEntry(
          markFor('a'),
          { interface: 'lan', mac: mac('02:00:5e:00:00:01'), address: ipv4('192.0.2.60'), name: hostName('n') },
          'isc',
        ),
      ],
      'the address 192.0.2.60 is taken by an entry made by hand',
    ],
  ])('%s is a conflict, and nothing is changed', (_what, desired, reason) => {
    expect(planAll(sample, desired)).toEqual({ changes: [], conflicts: [expect.objectContaining({ reason })] });
  });

  test.each([
    [
      'the router’s own name',
      hostEntries(markFor('a'), { name: 'gateway.lab.test', addresses: ['192.0.2.9'] }, 'unbound'),
      'the name gateway.lab.test is taken by the router itself',
    ],
    [
      'an address of an interface',
      [virtualIpEntry(markFor('a'), 'lan', '192.0.2.1')],
      "the address 192.0.2.1 is taken by the router's interface lan",
    ],
    ['no such interface', [virtualIpEntry(markFor('a'), 'opt9', '192.0.2.50')], 'the router has no interface opt9'],
    [
      'a static lease among the leases of anybody',
      [
        leaseEntry(
          markFor('a'),
          { interface: 'lan', mac: mac('02:00:5e:00:00:01'), address: ipv4('192.0.2.120'), name: hostName('n') },
          'isc',
        ),
      ],
      "the address 192.0.2.120 is leased out by the router's DHCP on lan",
    ],
    [
      'an address that is leased out',
      [virtualIpEntry(markFor('a'), 'lan', '192.0.2.120')],
      "the address 192.0.2.120 is leased out by the router's DHCP on lan",
    ],
    [
      'a virtual address that is a static lease of a person',
      [virtualIpEntry(markFor('a'), 'lan', '192.0.2.60')],
      "the address 192.0.2.60 is kept for printer by the router's DHCP on lan",
    ],
    [
      'a port of the router',
      [
        frontEndEntry(markFor('a'), {
          name: 'x',
          address: { kind: 'every-ipv4' },
          port: 443,
          routing: { kind: 'tcp', backEnd: 'x' },
        }),
      ],
      'the address and port any_ipv4:443 is taken by the page of the router',
    ],
  ])('%s is a conflict', (_what, desired, reason) => {
    expect(planAll(sample, desired)).toEqual({ changes: [], conflicts: [expect.objectContaining({ reason })] });
  });

  test('a front end on an address that the router may not have is a conflict as well', () => {
    const on = (address: string) => {
      const at = { kind: 'one', address } as const;
      const routing = { kind: 'tcp', backEnd: 'x' } as const;
      return [
        virtualIpEntry(markFor('a'), 'lan', address),
        frontEndEntry(markFor('a.80'), { name: 'x', address: at, port: 80, routing }),
      ];
    };
    const reason = "the address 192.0.2.60 is kept for printer by the router's DHCP on lan";
    const plan = planAll(sample, on('192.0.2.60'));
    expect(plan.changes).toEqual([]);
    expect(plan.conflicts.map((each) => [each.mark.key, each.reason])).toEqual([
      ['a', reason],
      ['a.80', reason],
    ]);
    // One that it has by somebody else's hand can be bound.
    const theirs = '<vip><subnet>192.0.2.70</subnet><descr>mine</descr></vip>';
    const shared = planAll(parseXml(sampleConfig.replace('<virtualip>', `<virtualip>${theirs}`)), on('192.0.2.70'));
    expect(shared.changes).toHaveLength(1);
    expect(shared.conflicts.map((each) => each.mark.key)).toEqual(['a']);
  });

  test('a lease for a virtual address of a person or of another lab is a conflict, for one of ours not', () => {
    const lease = leaseEntry(
      markFor('a'),
      { interface: 'lan', mac: mac('02:00:5e:00:00:01'), address: ipv4('192.0.2.70'), name: hostName('n') },
      'isc',
    );
    const withAddress = (descr: string) =>
      parseXml(
        sampleConfig.replace(
          '<virtualip></virtualip>',
          `<virtualip><vip><subnet>192.0.2.70</subnet><descr>${descr}</descr></vip></virtualip>`,
        ),
      );
    const reasons = (descr: string) =>
      planEdits(withAddress(descr), owner, [lease], [lease.place]).conflicts.map(({ reason }) => reason);
    expect(reasons('films')).toEqual(['the address 192.0.2.70 is a virtual address of the router (films)']);
    expect(reasons(formatMark(markFor('web', otherOwner)))).toEqual([
      'the address 192.0.2.70 is a virtual address of the router (lab home)',
    ]);
    expect(reasons(formatMark(markFor('web')))).toEqual([]);
  });

  test('a port of the router is free on an address of its own', () => {
    const front = frontEndEntry(markFor('a'), {
      name: 'x',
      address: { kind: 'one', address: '192.0.2.50' },
      port: 443,
      routing: { kind: 'tcp', backEnd: 'x' },
    });
    expect(planAll(sample, [front]).conflicts).toEqual([]);
  });

  test('two clusters on one router see each other', () => {
    const first = applyChanges(sample, planAll(sample, web).changes);
    const again = hostEntries(markFor('web', otherOwner), { name: 'web.svc', addresses: ['192.0.2.51'] }, 'unbound');
    const plan = planEdits(first, otherOwner, again, everyPlace);
    expect(plan.changes).toEqual([]);
    expect(plan.conflicts[0]?.reason).toBe(
      'the name web.svc is taken by an entry of the lab home, cluster main (web.svc)',
    );
  });

  test('a copy made by hand with our mark in it makes both untouchable', () => {
    const after = formatXml(applyChanges(sample, planAll(sample, web).changes));
    const entry = /\t\t<hosts>\n\t\t\t<host>web<[^]*?<\/hosts>\n/.exec(after)?.[0] ?? '';
    const copied = parseXml(after.replace(entry, entry + entry.replace('web<', 'copy<')));
    for (const desired of [web, []]) {
      const plan = planAll(copied, desired);
      expect(plan.changes).toEqual([]);
      expect(plan.conflicts).toHaveLength(1);
    }
  });

  test('a damaged mark makes the entry a person’s', () => {
    const after = formatXml(applyChanges(sample, planAll(sample, web).changes));
    const damaged = parseXml(after.replace('home/main/web.svc', 'home/main/web.svc mine now'));
    const plan = planAll(damaged, web);
    expect(plan.changes).toEqual([]);
    expect(plan.conflicts[0]?.reason).toContain('the name web.svc is taken');
  });
});

describe('planBootSection', () => {
  const boot = { nextServer: ipv4('192.0.2.5'), bios: 'undionly.kpxe', uefi64: 'ipxe.efi' };

  test('fills fields that nobody filled in, and takes them back to the very text', () => {
    const plan = planBootSection(sample, owner, 'lan', boot);
    const set = applyChanges(sample, plan.changes);
    expect(formatXml(set)).toContain('<nextserver>192.0.2.5</nextserver>\n\t\t\t<filename>undionly.kpxe</filename>');
    expect(planBootSection(set, owner, 'lan', boot)).toEqual({ changes: [], conflicts: [] });
    const gone = applyChanges(set, planBootSection(set, owner, 'lan', undefined).changes);
    expect(formatXml(gone).replace('\n\t\t<labwright></labwright>', '')).toBe(sampleConfig);
  });

  test('a field that a person changed afterwards stays theirs when ours go', () => {
    const set = formatXml(applyChanges(sample, planBootSection(sample, owner, 'lan', boot).changes));
    const edited = parseXml(set.replace('undionly.kpxe</filename>', 'theirs.kpxe</filename>'));
    const gone = formatXml(applyChanges(edited, planBootSection(edited, owner, 'lan', undefined).changes));
    expect(gone).toContain('<filename>theirs.kpxe</filename>');
    expect(gone).not.toContain('netboot');
  });

  test('fields that a person filled in are a conflict', () => {
    const theirs = parseXml(sampleConfig.replace('<nextserver></nextserver>', '<nextserver>192.0.2.7</nextserver>'));
    const plan = planBootSection(theirs, owner, 'lan', boot);
    expect(plan).toEqual({
      changes: [],
      conflicts: [expect.objectContaining({ reason: 'network boot of lan is set on the router, not by Labwright' })],
    });
    expect(planBootSection(sample, owner, 'opt7', boot).conflicts[0]?.reason).toBe('the router serves no DHCP on opt7');
  });
});

describe('whatever a person does in between', () => {
  const service = record({
    number: integer({ min: 0, max: 9 }),
    port: constantFrom(31_000, 31_001, 8080),
    withAlias: boolean(),
  });
  const ours = uniqueArray(service, { maxLength: 5, selector: ({ number }) => number }).map((services) => ({
    kind: 'ours' as const,
    services,
  }));
  const hand = record({
    kind: constantFrom('hand' as const),
    edit: constantFrom<readonly [RegExp | string, string]>(
      ['<custom_options></custom_options>', '<custom_options/>'],
      ['<custom_options/>', '<custom_options>c2VydmVyOg==</custom_options>'],
      [
        '\t</unbound>',
        '\t\t<hosts><host>a&#228;</host><domain>d</domain><ip>::1</ip><descr>x</descr><aliases/></hosts>\n\t</unbound>',
      ],
      ['\t</unbound>', '\t<!-- a person was here --></unbound>'],
      ['<virtualip></virtualip>', '<virtualip>\n<vip><mode>carp</mode><subnet>192.0.2.201</subnet></vip></virtualip>'],
      ['<ha_pools>', '<ha_pools>\n<item><name>lw-s1</name><advanced_backend>IyBub3RoaW5n</advanced_backend></item>'],
      [
        '</lan>\n\t</dhcpd>',
        '<staticmap><mac>02:00:5e:00:01:03</mac><descr>labwright:home/second/x</descr></staticmap></lan>\n\t</dhcpd>',
      ],
      [/<descr><!\[CDATA\[labwright:home\/main\/s1\]\]>/, '<descr><![CDATA[labwright:home/main/s1!]]>'],
      [/<port>31000<\/port>/, '<port>31999</port>'],
      [/\t\t<hosts>[^]*?<\/hosts>\n/, ''],
      ['<pfsense>', '<pfsense>\n\n'],
      ['Holiday &amp; family', 'Holiday &lt;2&gt;'],
    ),
  });

  test('every subtree without our mark keeps its bytes and its order', () => {
    assert(
      property(array(oneof(ours, hand), { maxLength: 10 }), (steps) => {
        let text = sampleConfig;
        for (const step of steps) {
          if (step.kind === 'hand') {
            const [from, to] = step.edit;
            text = text.replace(from, to);
            continue;
          }
          const before = parseXml(text);
          const desired = step.services.flatMap(({ number, port, withAlias }) =>
            entriesOfService(number, port, withAlias),
          );
          const plan = planAll(before, desired);
          const after = applyChanges(before, plan.changes);
          text = formatXml(after);
          expect(residueOf(parseXml(text).root, owner)).toEqual(residueOf(before.root, owner));
          const refused = new Set(plan.conflicts.map(({ place, mark }) => `${place.tag} ${formatMark(mark)}`));
          const again = planAll(parseXml(text), desired);
          expect(again.changes).toEqual([]);
          expect(new Set(again.conflicts.map(({ place, mark }) => `${place.tag} ${formatMark(mark)}`))).toEqual(
            refused,
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('entries', () => {
  const front = (routing: Parameters<typeof frontEndEntry>[1]['routing']) =>
    frontEndEntry(markFor('f'), { name: 'f', address: { kind: 'every-ipv4' }, port: 80, routing }).value;

  test('paths of an Ingress: the sharpest first, and a prefix ends at a slash', () => {
    const value = front({
      kind: 'http',
      routes: [
        { host: 'web.svc', path: { kind: 'prefix', value: '/' }, backEnd: 'root' },
        { host: 'web.svc', path: { kind: 'prefix', value: '/shop/' }, backEnd: 'shop' },
        { host: 'web.svc', path: { kind: 'exact', value: '/a' }, backEnd: 'a' },
        { path: { kind: 'prefix', value: '/other' }, backEnd: 'other' },
      ],
      otherwise: 'none',
    });
    expect(value['backend_serverpool']).toBe('none');
    expect(value['a_actionitems']).toEqual({
      item: [
        { action: 'use_backend', use_backendbackend: 'a', acl: 'host0 path0' },
        { action: 'use_backend', use_backendbackend: 'shop', acl: 'host1 path1' },
        { action: 'use_backend', use_backendbackend: 'root', acl: 'host2' },
        { action: 'use_backend', use_backendbackend: 'other', acl: 'path3' },
      ],
    });
    expect(JSON.stringify(value['ha_acls'])).toContain(
      '{"name":"path1","expression":"path_matches","value":"/shop","casesensitive":"yes"},{"name":"path1","expression":"path_starts_with","value":"/shop/","casesensitive":"yes"}',
    );
  });

  test('TLS goes by its server name, and sources are kept to', () => {
    const value = front({ kind: 'server-name', routes: [{ serverName: 'a.svc', backEnd: 'a' }] });
    expect(value['type']).toBe('https');
    expect(value['ha_acls']).toEqual({ item: [{ name: 'name0', expression: 'ssl_sni_matches', value: 'a.svc' }] });
    const only = frontEndEntry(markFor('f'), {
      name: 'f',
      address: { kind: 'one', address: '192.0.2.50' },
      port: 3306,
      routing: { kind: 'tcp', backEnd: 'f' },
      sources: [cidr('192.0.2.0/24'), cidr('10.0.0.0/8')],
    }).value;
    expect(Buffer.from(textAt(only, 'advanced'), 'base64').toString()).toBe(
      'tcp-request connection reject unless { src 192.0.2.0/24 10.0.0.0/8 }',
    );
  });

  test.each(['a b', 'x\nserver evil', ''])(
    'a name that would end its word in haproxy.cfg is never written: %j',
    (name) => {
      expect(() => backEndEntry(markFor('b'), { name, check: { kind: 'none' }, servers: [] })).toThrow(
        'is a name that HAProxy takes',
      );
    },
  );

  test('names that are none are refused', () => {
    for (const name of ['*.svc', 'web', 'we_b.svc', 'Web.svc', 'a..b']) {
      expect(() => hostEntries(markFor('x'), { name, addresses: [] }, 'unbound')).toThrow(
        expect.objectContaining({ code: 'LW8009' }),
      );
    }
    expect(() => hostEntries(markFor('x'), { name: 'a.svc', addresses: ['1.2.3'] }, 'unbound')).toThrow(
      'is no address',
    );
  });

  test('dnsmasq takes one address an entry, and another sign before a port', () => {
    const entries = hostEntries(markFor('w'), { name: 'w.svc', addresses: ['192.0.2.5', '2001:db8::5'] }, 'dnsmasq');
    expect(entries.map(({ mark, value }) => [mark.key, value['ip'], value['descr']])).toEqual([
      ['w', '192.0.2.5', 'labwright:home/main/w'],
      ['w~2', '2001:db8::5', 'labwright:home/main/w~2'],
    ]);
    const override = { domain: 'svc', address: '192.0.2.5', port: 5353 };
    expect(domainEntry(markFor('d'), override, 'unbound').value['ip']).toBe('192.0.2.5@5353');
    expect(domainEntry(markFor('d'), override, 'dnsmasq').value['ip']).toBe('192.0.2.5#5353');
  });

  test('boot files stand in the lease for ISC, and not for Kea', () => {
    const lease = {
      interface: 'lan',
      mac: mac('02:00:5e:00:00:01'),
      address: ipv4('192.0.2.21'),
      name: hostName('n1'),
      boot: { nextServer: ipv4('192.0.2.5'), uefi64: 'ipxe.efi' },
    };
    expect(leaseEntry(markFor('n1'), lease, 'isc')).toMatchObject({
      place: leasesOf('lan'),
      value: { netboot: '', nextserver: '192.0.2.5', filename64: 'ipxe.efi' },
    });
    expect(Object.keys(leaseEntry(markFor('n1'), lease, 'kea').value)).toEqual(['mac', 'ipaddr', 'hostname', 'descr']);
    expect(
      poolEntry(markFor('p'), 'lan', { first: ipv4('192.0.2.10'), last: ipv4('192.0.2.20') }).value['range'],
    ).toEqual({ from: '192.0.2.10', to: '192.0.2.20' });
  });
});
