// What the servers of the emulated pfSense are told, word for word, from one configuration that has some of everything; each is then
// taken by the real program.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPfsense, type PfsenseLan } from './pfsense-lan.ts';

let router: PfsenseLan;

beforeAll(async () => {
  router = await startPfsense({ dhcp: { isOn: false, from: '10.77.46.100', to: '10.77.46.150' } });
  await run(
    `global $config; $config = array_replace_recursive($config, ${php(everything)}); write_config('everything');`,
  );
}, 60_000);
afterAll(async () => {
  await router?.stop();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const php = (value: unknown): string => `json_decode(base64_decode('${base64(JSON.stringify(value))}'), true)`;

const everything = {
  unbound: {
    domainoverrides: [
      { domain: 'svc', ip: '10.77.46.50@5353', descr: '' },
      { domain: '46.77.10.in-addr.arpa', ip: '10.77.46.50', descr: '' },
    ],
    acls: [
      { aclid: '0', aclname: 'guests', aclaction: 'refuse nonlocal', row: [{ acl_network: '10.9.0.0', mask: '16' }] },
    ],
    hosts: [
      {
        host: 'photos',
        domain: 'home.arpa',
        ip: '10.77.46.40,2001:db8::40',
        descr: 'x',
        aliases: { item: [{ host: 'pics', domain: 'other.example', description: '' }] },
      },
      { host: '', domain: 'apex.example', ip: '10.77.46.40', descr: '', aliases: '' },
    ],
    regdhcpstatic: '',
    cache_max_ttl: '3600',
    prefetch: '',
  },
  dhcpd: {
    lan: {
      enable: '',
      range: { from: '10.77.46.100', to: '10.77.46.150' },
      pool: [{ range: { from: '10.77.46.160', to: '10.77.46.170' }, denyunknown: 'enabled', mac_deny: '02:00:5e' }],
      netboot: '',
      nextserver: '10.77.46.5',
      filename: 'undionly.kpxe',
      filename32: 'ipxe32.efi',
      filename64: 'ipxe.efi',
      filename64arm: 'ipxe-arm64.efi',
      uefihttpboot: 'http://10.77.46.5/ipxe.efi',
      domainsearchlist: 'home.arpa;svc',
      ntpserver: ['10.77.46.1'],
      defaultleasetime: '600',
      staticmap: [
        { mac: '02:00:5e:00:00:01', ipaddr: '10.77.46.21', hostname: 'node1', descr: 'x' },
        {
          mac: '02:00:5e:00:00:02',
          ipaddr: '10.77.46.22',
          hostname: 'node2',
          netboot: '',
          nextserver: '10.77.46.6',
          filename64: 'own.efi',
        },
      ],
    },
  },
  virtualip: {
    vip: [
      {
        mode: 'ipalias',
        interface: 'lan',
        uniqid: '65f0c0ffee001',
        subnet: '10.77.46.60',
        subnet_bits: '32',
        type: 'single',
        descr: 'x',
      },
    ],
  },
  installedpackages: {
    haproxy: {
      advanced: base64('tune.bufsize 16384'),
      ha_backends: {
        item: [
          {
            name: 'web',
            status: 'active',
            type: 'http',
            forwardfor: 'yes',
            httpclose: 'http-keep-alive',
            a_extaddr: { item: [{ extaddr: '_vip65f0c0ffee001_ipv4', extaddr_port: '80,8080' }] },
            ha_acls: {
              item: [
                { name: 'photos', expression: 'host_matches', value: 'photos.home.arpa' },
                { name: 'api', expression: 'path_starts_with', value: '/api', casesensitive: 'yes' },
                { name: 'inside', expression: 'source_ip', value: '10.77.46.0/24', not: 'yes' },
                { name: 'lost', expression: 'ssl_sni_matches', value: 'x' },
              ],
            },
            a_actionitems: {
              item: [
                { action: 'http-request_deny', acl: 'inside', 'http-request_denydeny_status': '403' },
                { action: 'use_backend', use_backendbackend: 'photos', acl: 'photos api' },
              ],
            },
          },
          {
            name: 'more',
            status: 'active',
            secondary: 'yes',
            primary_frontend: 'web',
            type: 'http',
            backend_serverpool: 'fallback',
          },
          {
            name: 'sni',
            status: 'active',
            type: 'https',
            a_extaddr: { item: [{ extaddr: 'lan_ipv4', extaddr_port: '8443' }] },
            ha_acls: { item: [{ name: 'git', expression: 'ssl_sni_matches', value: 'git.home.arpa' }] },
            a_actionitems: { item: [{ action: 'use_backend', use_backendbackend: 'git', acl: 'git' }] },
          },
          {
            name: 'mqtt',
            status: 'active',
            type: 'tcp',
            backend_serverpool: 'mqtt',
            client_timeout: '86400000',
            a_extaddr: { item: [{ extaddr: 'any_ipv4', extaddr_port: '1883' }] },
          },
          { name: 'off', status: 'disabled', type: 'tcp', backend_serverpool: 'unused' },
        ],
      },
      ha_pools: {
        item: [
          makePool('photos', '101', {
            check_type: 'HTTP',
            httpcheck_method: 'GET',
            monitor_uri: '/healthz',
            monitor_httpversion: 'HTTP/1.0',
          }),
          makePool('fallback', '102', { balance: 'leastconn' }),
          makePool('git', '103', {
            check_type: 'Basic',
            checkinter: '2000',
            advanced: base64('on-marked-down shutdown-sessions'),
          }),
          makePool('mqtt', '104', {
            check_type: 'Basic',
            retries: '2',
            advanced_backend: base64('# labwright:home+rehearsal/c1/mqtt\noption redispatch 1'),
          }),
          makePool('unused', '105', {}),
        ],
      },
    },
  },
};

function makePool(name: string, id: string, more: Readonly<Record<string, string>>): object {
  const server = (index: number, status: string) => ({
    name: `node${index}`,
    status,
    address: `10.77.46.2${index}`,
    port: '31080',
    weight: '10',
  });
  return {
    name,
    id,
    check_type: 'none',
    ...more,
    ha_servers: { item: [server(1, 'active'), server(2, 'backup'), server(3, 'inactive')] },
  };
}

async function run(code: string): Promise<unknown> {
  const reply = await router.php(code);
  if (reply.kind !== 'value') throw new Error(JSON.stringify(reply));
  return reply.value;
}
const read = async (file: string): Promise<string> => String(await run(`$toreturn = file_get_contents('${file}');`));
const check = async (command: string): Promise<unknown> =>
  JSON.parse(
    String(
      await run(
        `exec('${command} 2>&1', $output, $code); $toreturn = json_encode(['code' => $code] + ($code ? $output : []));`,
      ),
    ),
  );
const golden = (name: string): string => join(import.meta.dirname, 'testdata', name);

describe('is rendered as ever, and taken by', () => {
  it('unbound-checkconf', async () => {
    await run("require_once('unbound.inc'); unbound_generate_config();");
    expect(await check('/usr/local/sbin/unbound-checkconf /var/unbound/unbound.conf')).toEqual({ code: 0 });
    const parts = ['unbound', 'access_lists', 'host_entries', 'domainoverrides'].map(
      async (name) => `## ${name}.conf\n${await read(`/var/unbound/${name}.conf`)}`,
    );
    await expect((await Promise.all(parts)).join('\n')).toMatchFileSnapshot(golden('unbound.conf'));
  });

  it('haproxy -c', async () => {
    expect(
      await run(
        "require_once('haproxy/haproxy.inc'); interfaces_vips_configure(); haproxy_writeconf('/tmp/golden'); $toreturn = 1;",
      ),
    ).toBe(1);
    expect(await check('/usr/local/sbin/haproxy -c -f /tmp/golden/haproxy.cfg')).toEqual({ code: 0 });
    await expect(await read('/tmp/golden/haproxy.cfg')).toMatchFileSnapshot(golden('haproxy.cfg'));
  });

  it('dhcpd -t', async () => {
    await run("[$text] = emulated_dhcpd_conf(); file_put_contents('/tmp/dhcpd.conf', $text);");
    expect(await check('/usr/local/sbin/dhcpd -t -cf /tmp/dhcpd.conf')).toEqual({ code: 0 });
    await expect(await read('/tmp/dhcpd.conf')).toMatchFileSnapshot(golden('dhcpd.conf'));
  });

  it('kea-dhcp4 -t', async () => {
    await run(
      "file_put_contents('/tmp/kea.conf', json_encode(emulated_kea_conf(), JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT));",
    );
    expect(await check('/usr/local/sbin/kea-dhcp4 -t /tmp/kea.conf')).toEqual({ code: 0 });
    await expect(`${await read('/tmp/kea.conf')}\n`).toMatchFileSnapshot(golden('kea-dhcp4.json'));
  });

  it('dnsmasq --test', async () => {
    const words = "implode(' ', array_map('escapeshellarg', emulated_dnsmasq_arguments()))";
    expect(
      await run(`exec('/usr/local/sbin/dnsmasq --test ' . ${words}, $output, $code); $toreturn = "code {$code}";`),
    ).toBe('code 0');
  });
});
