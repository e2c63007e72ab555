// What pfSense's functions do to the real servers behind them: names, balancing, leases, addresses, as a client on the LAN sees it. The
// resolver's restart loses what was only live, a reload of the balancer loses no connection.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPfsense, type PfsenseLan } from './pfsense-lan.ts';

let router: PfsenseLan;

beforeAll(async () => {
  router = await startPfsense({
    hosts: [{ host: 'owner', domain: 'home.arpa', ip: '10.77.46.9,2001:db8::9' }],
    aliases: ['10.77.46.2'],
    dhcp: {
      from: '10.77.46.100',
      to: '10.77.46.150',
      leases: [{ mac: '02:00:5e:00:00:09', address: '10.77.46.9', name: 'owner' }],
      boot: { nextServer: '10.77.46.5', bios: 'undionly.kpxe', uefi64: 'ipxe.efi' },
    },
  });
}, 60_000);
afterAll(async () => {
  await router?.stop();
});

async function run(code: string): Promise<unknown> {
  const reply = await router.php(`${code} $toreturn ??= "done";`);
  if (reply.kind !== 'value') throw new Error(JSON.stringify(reply));
  return reply.value;
}
const dig = async (...words: string[]): Promise<string> =>
  (await router.onLaptop('dig', '+short', '+tries=1', '+time=2', '@10.77.46.1', ...words)).output.trim();
const control = (words: string): string =>
  `mwexec("/usr/bin/su -m unbound -c '/usr/local/sbin/unbound-control -c /var/unbound/unbound.conf ${words}'");`;
const php = (value: unknown): string =>
  `json_decode(base64_decode('${Buffer.from(JSON.stringify(value)).toString('base64')}'), true)`;
const set = (path: string, value: unknown): string =>
  `config_set_path('${path}', ${php(value)}); write_config('test');`;

describe('as its owner set it up', () => {
  it('leases, with a host’s own address and boot files for all', async () => {
    const read =
      '$toreturn = json_encode([config_get_path("dhcpd/lan"), file_get_contents("/var/dhcpd/etc/dhcpd.conf")]);';
    const [settings, conf] = JSON.parse(String(await run(read))) as [unknown, string];
    expect(settings).toEqual({
      enable: '',
      range: { from: '10.77.46.100', to: '10.77.46.150' },
      domain: 'home.arpa',
      netboot: '',
      nextserver: '10.77.46.5',
      filename: 'undionly.kpxe',
      filename64: 'ipxe.efi',
      staticmap: [{ mac: '02:00:5e:00:00:09', ipaddr: '10.77.46.9', hostname: 'owner', descr: '' }],
    });
    expect(conf).toContain('fixed-address 10.77.46.9;');
    expect((await router.control.fetchJournal()).find(({ what }) => what === 'dhcpd started')).toMatchObject({
      exitCode: 0,
    });
  });

  it('answers on its second address too, by name and over HTTPS', async () => {
    const at = (await router.onLaptop('dig', '+short', '+time=2', '@10.77.46.2', 'owner.home.arpa')).output.trim();
    expect(at).toBe('10.77.46.9');
    const page = await router.onLaptop('curl', '-sk', '--max-time', '5', 'https://10.77.46.2/');
    expect(page.output).toContain('pfSense - Login');
  });
});

describe('the resolver', () => {
  it('knows the router, the owner’s host in both families, and its reverse name', async () => {
    expect(await dig('router.home.arpa')).toBe('10.77.46.1');
    expect(await dig('owner.home.arpa')).toBe('10.77.46.9');
    expect(await dig('AAAA', 'owner.home.arpa')).toBe('2001:db8::9');
    expect(await dig('-x', '10.77.46.9')).toBe('owner.home.arpa.');
  });

  it('answers a live name at once, forgets it when it is started again', async () => {
    await run(control('local_data live.home.arpa. 5 IN A 10.77.46.3'));
    expect(await dig('live.home.arpa')).toBe('10.77.46.3');
    await run('services_unbound_configure(false);');
    expect(await dig('live.home.arpa')).toBe('');
    expect(await dig('owner.home.arpa')).toBe('10.77.46.9');
  });

  it('has hosts and aliases after a reload, without a restart', async () => {
    const aliases = { item: [{ host: 'pics', domain: 'home.arpa', description: '' }] };
    await run(
      set('unbound/hosts', [{ host: 'photos', domain: 'home.arpa', ip: '10.77.46.40', descr: 'x', aliases }]) +
        'system_hosts_generate();',
    );
    expect([await dig('photos.home.arpa'), await dig('pics.home.arpa')]).toEqual(['10.77.46.40', '10.77.46.40']);
    const journal = (await router.control.fetchJournal()).map(({ what }) => what);
    expect(journal.at(-1)).toBe('unbound reload');
  });

  it('says at once that a name nobody knows does not exist', async () => {
    const { output } = await router.onLaptop('dig', '+tries=1', '+time=2', '@10.77.46.1', 'nowhere.example');
    expect(output).toContain('status: NXDOMAIN');
  });

  it('asks another server for a domain override', async () => {
    const other = ['-C', '/dev/null', '--no-resolv', '--no-hosts', '--port=5353', '--address=/web.svc/10.77.46.60'];
    expect(await router.onLaptop('dnsmasq', ...other)).toMatchObject({ exitCode: 0 });
    const override = { domain: 'svc', ip: '10.77.46.50@5353', descr: '' };
    await run(set('unbound/domainoverrides', [override]) + 'services_unbound_configure(false);');
    expect(await dig('web.svc')).toBe('10.77.46.60');
    expect(await run('$toreturn = file_get_contents("/var/unbound/domainoverrides.conf");')).toBe(
      'forward-zone:\n\tname: "svc"\n\tforward-addr: 10.77.46.50@5353\n',
    );
    const check =
      'require_once("unbound.inc"); $toreturn = json_encode([test_unbound_config(config_get_path("unbound"), $output), $output]);';
    expect(await run(check)).toBe('[0,["unbound-checkconf: no errors in \\/var\\/unbound\\/test\\/unbound.conf"]]');
  });

  it('has what a controller restores as a section, and restarts', async () => {
    const section = await router.call('pfsense.backup_config_section', [['unbound']]);
    const unbound = (section as { value: { unbound: { hosts: unknown[] } } }).value.unbound;
    unbound.hosts.push({
      host: 'kube',
      domain: 'home.arpa',
      ip: '10.77.46.41',
      descr: 'created by a controller',
      aliases: '',
    });
    expect(await router.call('pfsense.restore_config_section', [{ unbound }, 60])).toEqual({
      kind: 'value',
      value: true,
    });
    expect(await dig('kube.home.arpa')).toBe('10.77.46.41');
    // What that controller sends next, and the answers it insists on.
    for (const reload of ['services_unbound_configure(false)', 'services_dhcpd_configure()'])
      expect(await router.php(`$toreturn = ${reload};`)).toEqual({ kind: 'value', value: true });
    const balancer =
      'require_once("/usr/local/pkg/haproxy/haproxy.inc"); $said = null; $ok = haproxy_check_and_run($said, 1); $toreturn = ["ok" => $ok, "messages" => $said ?? ""];';
    expect(await router.php(balancer)).toMatchObject({ kind: 'value', value: { ok: true } });
  }, 20_000);
});

describe('the forwarder', () => {
  it('answers in the place of the resolver', async () => {
    const host = { host: 'git', domain: 'home.arpa', ip: '10.77.46.42', descr: '', aliases: '' };
    await run(
      'config_del_path("unbound/enable"); ' +
        set('dnsmasq', { enable: '', hosts: [host] }) +
        'services_unbound_configure(false); services_dnsmasq_configure(false);',
    );
    await expect.poll(async () => await dig('git.home.arpa')).toBe('10.77.46.42');
    await run(
      set('dnsmasq/hosts', [host, { ...host, host: 'svn' }]) +
        'system_hosts_generate(); sigkillbypid("/var/run/dnsmasq.pid", "HUP");',
    );
    await expect.poll(async () => await dig('svn.home.arpa')).toBe('10.77.46.42');
    await run(
      'config_del_path("dnsmasq/enable"); config_set_path("unbound/enable", ""); write_config("back"); services_dnsmasq_configure(false); services_unbound_configure(false);',
    );
    expect(await dig('kube.home.arpa')).toBe('10.77.46.41');
  }, 20_000);
});

describe('the balancer', () => {
  const frontend = (name: string, port: string, type = 'http') => ({
    name,
    status: 'active',
    type,
    backend_serverpool: name,
    a_extaddr: { item: [{ extaddr: 'custom', extaddr_custom: '10.77.46.60', extaddr_port: port }] },
  });
  // The router's own pages stand for a server.
  const pool = (name: string, id: string) => ({
    name,
    id,
    check_type: 'none',
    ha_servers: { item: [{ name: 'one', status: 'active', address: '10.77.46.1', port: '443', ssl: 'yes' }] },
  });
  const check =
    'require_once("/usr/local/pkg/haproxy/haproxy.inc"); $ok = haproxy_check_and_run($messages, RELOAD); $toreturn = json_encode([(bool)$ok, $messages]);';
  const reload = async (isReload = true): Promise<readonly [boolean, string]> =>
    JSON.parse(String(await run(check.replace('RELOAD', String(isReload))))) as [boolean, string];
  const vip = {
    mode: 'ipalias',
    interface: 'lan',
    uniqid: '65f0c0ffee001',
    subnet: '10.77.46.60',
    subnet_bits: '32',
    type: 'single',
    descr: 'x',
  };

  it('has an address of its own, added and taken away', async () => {
    await run(
      set('virtualip', { vip: [vip] }) +
        '$vip = config_get_path("virtualip/vip/0"); interface_ipalias_configure($vip);',
    );
    expect((await router.onLaptop('ping', '-c', '1', '-W', '2', '10.77.46.60')).exitCode).toBe(0);
    await run('interface_vip_bring_down(config_get_path("virtualip/vip/0"));');
    expect((await router.onLaptop('ping', '-c', '1', '-W', '1', '10.77.46.60')).exitCode).not.toBe(0);
    await run('interfaces_vips_configure();');
  });

  it('fills the configuration in memory with the parts it misses', async () => {
    const parts = ['ha_backends', 'email_mailers', 'files'];
    const code = `require_once("haproxy/haproxy.inc"); haproxy_writeconf("/tmp/x"); $toreturn = json_encode(array_intersect_key(config_get_path("installedpackages/haproxy"), array_flip(${JSON.stringify(parts)})));`;
    expect(JSON.parse(String(await run(code)))).toEqual({
      ha_backends: { item: [] },
      email_mailers: { item: [] },
      files: { item: null },
    });
  });

  it('leads by host and path, and refuses what HAProxy does not take', async () => {
    const acl = (name: string, expression: string, value: string) => ({ name, expression, value });
    const web = {
      ...frontend('web', '80'),
      backend_serverpool: '',
      ha_acls: {
        item: [
          acl('host', 'host_matches', 'web.home.arpa'),
          acl('path', 'path_starts_with', '/a'),
          acl('sni', 'ssl_sni_matches', 'x'),
        ],
      },
      a_actionitems: { item: [{ action: 'use_backend', use_backendbackend: 'web', acl: 'host path' }] },
    };
    await run(
      set('installedpackages/haproxy/ha_backends', { item: [web] }) +
        set('installedpackages/haproxy/ha_pools', { item: [pool('web', '101'), pool('unused', '102')] }),
    );
    expect(await reload(false)).toEqual([true, '']);
    expect(await reload()).toEqual([true, expect.not.stringMatching(/WARNING|ALERT/)]);
    const status = async (path: string, host: string): Promise<string> =>
      (
        await router.onLaptop(
          'curl',
          '-s',
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '-H',
          `Host: ${host}`,
          `http://10.77.46.60${path}`,
        )
      ).output;
    // 503: a front end that leads nowhere. /a is no page of the router's.
    const answers = [
      await status('/a/b', 'web.home.arpa'),
      await status('/b', 'web.home.arpa'),
      await status('/a', 'other'),
    ];
    expect(answers).toEqual(['404', '503', '503']);
    const config = String(await run('$toreturn = file_get_contents("/var/etc/haproxy/haproxy.cfg");'));
    expect(config).not.toContain('unused');
    expect(config).not.toContain('sni');
    const bad = { ...pool('web', '101'), advanced_backend: Buffer.from('no such line').toString('base64') };
    await run(set('installedpackages/haproxy/ha_pools', { item: [bad] }));
    expect(await reload()).toEqual([false, expect.stringContaining('unknown keyword')]);
    expect(await status('/a/b', 'web.home.arpa')).toBe('404');
    await run(set('installedpackages/haproxy/ha_pools', { item: [pool('web', '101')] }));
  }, 20_000);

  it('is reloaded under load without a lost connection', async () => {
    const load = router.onLaptop(
      'sh',
      '-c',
      'for n in $(seq 150); do curl -s -m 5 -o /dev/null -w "%{http_code}\n" -H "Host: web.home.arpa" http://10.77.46.60/a; done | sort | uniq -c',
    );
    expect((await reload())[0]).toBe(true);
    expect((await reload())[0]).toBe(true);
    expect((await load).output.trim().split('\n')).toEqual([expect.stringMatching(/^\s*150 404$/)]);
  }, 30_000);
});

describe.each(['isc', 'kea'])('leases by %s', (backend) => {
  const script = '#!/bin/sh\nenv | grep -E "^(new_|reason=)"\n';
  const ask = async (mac: string): Promise<string> => {
    const command = [
      `printf '%s' "$1" >/tmp/script; chmod +x /tmp/script; rm -f /tmp/leases; cd /tmp`,
      `printf 'option arch code 93 = unsigned integer 16; send arch 7; send vendor-class-identifier "PXEClient:Arch:00007"; request subnet-mask, routers, domain-name, domain-name-servers, host-name, bootfile-name;' >/tmp/dhclient.conf`,
      `ip link add m0 link eth0 type macvlan mode bridge; ip link set m0 address "$2" up`,
      `timeout 12 dhclient -1 -v -d -sf /tmp/script -lf /tmp/leases -pf /tmp/pid -cf /tmp/dhclient.conf m0 & pid=$!; for n in $(seq 100); do grep -q '^}' /tmp/leases 2>/dev/null && break; sleep 0.1; done; kill $pid; ip link del m0; cat /tmp/leases`,
    ].join('\n');
    return (await router.onLaptop('sh', '-c', command, 'sh', script, mac)).output;
  };

  it('come from the range, and a machine’s own with its name, resolver and boot file', async () => {
    const lease = { mac: '02:00:5e:00:00:01', ipaddr: '10.77.46.21', hostname: 'node1', descr: 'x' };
    await run(
      `config_set_path('dhcpbackend', '${backend}'); ` +
        set('dhcpd/lan', {
          enable: '',
          range: { from: '10.77.46.100', to: '10.77.46.150' },
          netboot: '',
          nextserver: '10.77.46.5',
          filename: 'undionly.kpxe',
          filename64: 'ipxe.efi',
          disablepingcheck: '',
          staticmap: [lease],
        }) +
        'services_dhcpd_configure();',
    );
    const own = await ask(lease.mac);
    expect(own).toContain('fixed-address 10.77.46.21;');
    expect(own).toMatch(/(filename|bootfile-name) "ipxe\.efi";/);
    expect(own).toContain('option domain-name-servers 10.77.46.1;');
    expect(await ask('02:00:5e:00:00:02')).toMatch(/fixed-address 10\.77\.46\.1[0-4]\d;/);
  }, 40_000);
});
