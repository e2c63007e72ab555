import { hostName, labId } from '@labwright/core/addresses/names';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { expect, test } from 'vitest';
import { viewRouter } from './router-view.ts';

const owner = { lab: labId('home'), cluster: hostName('lab') };
const vip = (address: string, lab: string) =>
  `<vip><subnet>${address}</subnet><descr>labwright:${lab}/lab/exposed.${address}</descr></vip>`;

test('its own ports, what others have, and what is ours already', () => {
  const document = parseXml(`<pfsense>
    <system><webgui><protocol>https</protocol></webgui></system>
    <interfaces><lan><enable/><ipaddr>10.1.0.1</ipaddr><subnet>22</subnet></lan></interfaces>
    <unbound><enable/></unbound>
    <virtualip>${vip('10.1.3.100', 'home')}${vip('10.1.3.101', 'other')}</virtualip></pfsense>`);
  expect(viewRouter({ document }, owner)).toEqual({
    // The page may share its port: HAProxy takes it on one address.
    ports: [{ port: 53, purpose: 'the DNS of the router' }],
    used: [
      { range: { first: '10.1.0.1', last: '10.1.0.1' }, what: "the router's interface lan" },
      { range: { first: '10.1.3.101', last: '10.1.3.101' }, what: 'a virtual address of the router (lab other)' },
    ],
    placed: [ipv4('10.1.3.100')],
  });
});
