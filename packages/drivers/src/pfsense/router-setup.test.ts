import { expect, test } from 'vitest';
import { parseXml } from './config/xml-tree.ts';
import { routerSetup } from './router-setup.ts';
import { profileOf } from './version-profile.ts';

const profile = profileOf('2.7.2-RELEASE', 'pfSense');
const nameServerOf = (sections: string): readonly [string, number] => {
  const { nameServer, nameServerPort } = routerSetup({
    profile,
    document: parseXml(`<pfsense>${sections}</pfsense>`),
    hasBalancer: false,
  });
  return [nameServer, nameServerPort];
};

test.each<[string, readonly [string, number]]>([
  ['<unbound><enable/></unbound>', ['unbound', 53]],
  ['<unbound><enable/><port></port></unbound>', ['unbound', 53]],
  ['<unbound><enable/><port>5353</port></unbound><dnsmasq><enable/><port>5300</port></dnsmasq>', ['unbound', 5353]],
  ['<unbound><port>5353</port></unbound><dnsmasq><enable/><port>5300</port></dnsmasq>', ['dnsmasq', 5300]],
  ['<unbound><enable/><port>99999</port></unbound>', ['unbound', 53]],
  ['<unbound><enable/><port>dns</port></unbound>', ['unbound', 53]],
])('the name server of %s is asked where it answers', (sections, expected) => {
  expect(nameServerOf(sections)).toEqual(expected);
});
