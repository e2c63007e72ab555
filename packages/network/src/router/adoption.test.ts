import { hostName, labId } from '@labwright/core/addresses/names';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { planEdits } from '@labwright/drivers/pfsense/edits/plan-edits';
import { places } from '@labwright/drivers/pfsense/config/place';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { expect, test } from 'vitest';
import { findAdoptions, formatHandover } from './adoption.ts';

const owner = { lab: labId('home'), cluster: hostName('main') };
const nas = `<hosts><host>nas</host><domain>svc</domain><ip>10.1.0.20</ip><descr>mine</descr><aliases>
  <item><host>web</host><domain>svc</domain></item><item><host>films</host><domain>svc</domain></item></aliases></hosts>`;
const router = parseXml(`<pfsense><unbound><enable/>${nas}</unbound></pfsense>`);

function adopt(name: string, aliases: readonly string[] = []) {
  const mark = { ...owner, key: `exposed.${name}` };
  const desired = hostEntries(mark, { name, addresses: ['10.1.3.100'], aliases }, 'unbound');
  const { conflicts } = planEdits(router, owner, desired, [places.resolverHosts]);
  return findAdoptions(router, desired, conflicts, name);
}

test('a name that is an alias of another host is not handed over', () => {
  expect(adopt('web.svc')).toEqual([
    expect.objectContaining({ kind: 'refused', why: expect.stringContaining('the entry is that of nas.svc') }),
  ]);
});

test('all that an entry has is shown, its aliases too', () => {
  const [found] = adopt('nas.svc', ['web.svc', 'films.svc']);
  if (found?.kind !== 'change') throw new Error('nothing is handed over');
  expect(formatHandover(found.change)).toEqual({
    before:
      'host=nas, domain=svc, ip=10.1.0.20, descr=mine, aliases.1.host=web, aliases.1.domain=svc, aliases.2.host=films, aliases.2.domain=svc',
    after:
      'host=nas, domain=svc, ip=10.1.3.100, descr=labwright:home/main/exposed.nas.svc, aliases.1.host=web, aliases.1.domain=svc, aliases.1.description, aliases.2.host=films, aliases.2.domain=svc, aliases.2.description',
  });
});

test('servers, further addresses, settings and switches are shown; passwords and keys are not', () => {
  const before = {
    name: 'x',
    enable: '',
    password: 'secret',
    stats_password: 'hidden',
    haproxy_cookie_dynamic_cookie_key: 'hidden too',
    monitor_password: '',
    advanced_backend: Buffer.from('# mine\nretries 5\n').toString('base64'),
    a_extaddr: { item: [{ extaddr_port: '80' }, { extaddr_port: '81' }] },
    ha_servers: { item: [{ address: '10.1.0.20', port: '5000' }] },
    a_acl: '',
  };
  expect(formatHandover({ before, after: { name: 'x', a_acl: { item: [{ name: 'y' }] } } })).toEqual({
    before:
      'name=x, enable, password=…, stats_password=…, haproxy_cookie_dynamic_cookie_key=…, monitor_password, advanced_backend=# mine | retries 5, a_extaddr.1.extaddr_port=80, a_extaddr.2.extaddr_port=81, ha_servers.1.address=10.1.0.20, ha_servers.1.port=5000',
    after: 'name=x, a_acl.1.name=y',
  });
});
