import { ipv4 } from '@labwright/core/addresses/ipv4';
import { expect, test } from 'vitest';
import { formatMark } from '../config/mark.ts';
import { parseXml } from '../config/xml-tree.ts';
import { markFor, otherOwner, owner, sampleConfig } from '../test-config.ts';
import { addressUses, findRangeUse, findUse, usesOfOthers } from './address-use.ts';

const range = (first: string, last: string) => ({ first: ipv4(first), last: ipv4(last) });
const vip = (subnet: string, descr: string, more = '') =>
  `<vip><subnet>${subnet}</subnet><descr>${descr}</descr>${more}</vip>`;

test('a range for services is held against pools, static leases, virtual addresses and interfaces', () => {
  const vips = [
    vip('192.0.2.205', 'films'),
    vip('192.0.2.240', '', '<type>network</type><subnet_bits>29</subnet_bits>'),
    vip('192.0.2.206', formatMark(markFor('web'))),
    vip('192.0.2.207', formatMark(markFor('web', otherOwner))),
  ];
  const router = parseXml(sampleConfig.replace('<virtualip>', `<virtualip>${vips.join('')}`));
  const uses = usesOfOthers(addressUses(router), owner);
  expect(findRangeUse(uses, range('192.0.2.208', '192.0.2.220'))).toEqual([]);
  expect(findRangeUse(uses, range('192.0.2.0', '192.0.2.254'))).toEqual([
    "192.0.2.1 is the router's interface lan",
    "192.0.2.100 to 192.0.2.150 is leased out by the router's DHCP on lan",
    "192.0.2.60 is kept for printer by the router's DHCP on lan",
    '192.0.2.205 is a virtual address of the router (films)',
    '192.0.2.240 to 192.0.2.247 is a virtual address of the router',
    '192.0.2.207 is a virtual address of the router (lab home)',
  ]);
  expect(findUse(uses, ipv4('192.0.2.120'))?.kind).toBe('leased');
  expect(findUse(uses, ipv4('192.0.2.206'))).toBeUndefined();
});

test('what is switched off leases nothing out, and further pools do', () => {
  const off = parseXml(sampleConfig.replace('<lan>\n\t\t\t<enable></enable>\n\t\t\t<range>', '<lan><range>'));
  expect(addressUses(off).filter(({ kind }) => kind === 'leased')).toEqual([]);
  const pool = '<pool><range><from>192.0.2.170</from><to>192.0.2.180</to></range></pool>';
  const more = addressUses(parseXml(sampleConfig.replace('<staticmap>', `${pool}<staticmap>`)));
  expect(more.filter(({ kind }) => kind === 'leased').map((use) => use.range.first)).toEqual([
    '192.0.2.100',
    '192.0.2.170',
  ]);
});
