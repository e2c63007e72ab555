import { assert, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyConfig } from '../any-config.ts';
import { parseXml } from '../config/xml-tree.ts';
import { sampleConfig } from '../test-config.ts';
import { compareConfigs } from './compare-configs.ts';

const compare = (before: string, after: string): ReturnType<typeof compareConfigs> =>
  compareConfigs(parseXml(before).root, parseXml(after).root);
const changed = (edit: (text: string) => string): ReturnType<typeof compareConfigs> =>
  compare(sampleConfig, edit(sampleConfig));
const none = { added: [], changed: [], removed: [] };

describe('in what configurations differ', () => {
  test('the same, or the same with other white space, in nothing', () => {
    expect(changed((text) => text)).toEqual([]);
    expect(changed((text) => text.replaceAll(/\n\t*/g, '\n'))).toEqual([]);
  });

  test('settings are told by where they are, entries by their names', () => {
    expect(
      changed((text) =>
        text
          .replace('<hostname>gateway', '<hostname>gate')
          .replace('<host>photos', '<host>pictures')
          .replace('<ipaddr>192.0.2.60', '<ipaddr>192.0.2.61')
          .replace('<port>5000', '<port>5001')
          .replace('\t<virtualip></virtualip>', '<virtualip><vip><subnet>192.0.2.9</subnet></vip></virtualip>'),
      ),
    ).toEqual([
      { section: 'system', ...none, changed: ['hostname'] },
      { section: 'dhcpd', ...none, changed: ['lan/staticmap printer'] },
      { section: 'unbound', ...none, added: ['hosts pictures.lab.test'], removed: ['hosts photos.lab.test'] },
      { section: 'virtualip', ...none, added: ['vip 192.0.2.9'] },
      { section: 'installedpackages/haproxy', ...none, changed: ['ha_pools/item family'] },
    ]);
  });

  test('a flag, a section and a package that come and go', () => {
    expect(
      changed((text) =>
        text
          .replace('\t\t<enable></enable>\n\t\t<custom_options>', '\t\t<custom_options>')
          .replace('\t<dnsmasq>\n\t\t<custom_options></custom_options>\n\t</dnsmasq>\n', '')
          .replace(
            '</installedpackages>',
            '<wireguard><config><name>wg0</name></config></wireguard></installedpackages>',
          ),
      ),
    ).toEqual([
      { section: 'unbound', ...none, removed: ['enable'] },
      { section: 'dnsmasq', ...none, removed: ['all of it'] },
      { section: 'installedpackages/wireguard', ...none, added: ['all of it'] },
    ]);
  });

  test('tags that are no lists to our own reader, and the order', () => {
    const rules = (...names: readonly string[]): string =>
      `<pfsense><ipsec>${names.map((name) => `<phase1><descr>${name}</descr></phase1>`).join('')}</ipsec></pfsense>`;
    expect(compare(rules('a', 'b'), rules('b', 'a'))).toEqual([
      { section: 'ipsec', ...none, changed: ['phase1: the order'] },
    ]);
    expect(compare(rules('a', 'a', 'b'), rules('a', 'b', 'c'))).toEqual([
      { section: 'ipsec', ...none, added: ['phase1 c'], removed: ['phase1 a'] },
    ]);
  });

  test('no value is told, only names', () => {
    const secret = (value: string): string =>
      `<pfsense><system><user><name>admin</name><bcrypt-hash>${value}</bcrypt-hash></user><key>${value}</key></system>` +
      `<cert><refid>1</refid><descr>page</descr><prv>${value}</prv></cert><ppps><ppp><password>${value}</password></ppp></ppps>` +
      `<snmpd><rocommunity>${value}</rocommunity></snmpd></pfsense>`;
    const told = compare(secret('one-secret'), secret('other-secret'));
    expect(told.map(({ section }) => section)).toEqual(['system', 'cert', 'ppps', 'snmpd']);
    expect(JSON.stringify(told)).not.toContain('-secret');
  });

  test('any two configurations: what comes one way goes the other', () => {
    assert(
      property(anyConfig, anyConfig, (one, other) => {
        const there = compare(one, other);
        const back = compare(other, one);
        const sorted = (list: readonly string[]): readonly string[] => list.toSorted();
        expect(there.map(({ section }) => section).toSorted()).toEqual(back.map(({ section }) => section).toSorted());
        for (const { section, added, removed } of there) {
          const same = back.find((each) => each.section === section);
          expect(sorted(same?.removed ?? [])).toEqual(sorted(added));
          expect(sorted(same?.added ?? [])).toEqual(sorted(removed));
        }
        expect(compare(one, one)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});
