import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import type { Diagnostic } from './diagnostic.ts';
import { parseLab } from './parse-lab.ts';

const home = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

/** The smallest lab; `changes` replaces parts by path, null takes one out. */
function makeLab(changes: Readonly<Record<string, unknown>> = {}): string {
  const lab = parseYaml(`
version: 1
lab: test
networks:
  lan: { cidr: 10.1.0.0/22, gateway: 10.1.0.1, machines: 10.1.1.0/28 }
hosts:
  pve1: { address: 10.1.0.11, cores: 12, memory: 24GiB }
  pve2: { address: 10.1.0.12, cores: 12, memory: 24GiB }
  pve3: { address: 10.1.0.13, cores: 12, memory: 24GiB }
proxmox: { token: { env: TOKEN } }
netboot: { address: 10.1.0.9 }
pools:
  workers: { count: 2 }
`) as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let parent = lab;
    for (const step of steps) parent = (parent[step] ??= {}) as Record<string, unknown>;
    if (value === null) delete parent[last];
    else parent[last] = value;
  }
  return stringify(lab);
}

const messages = (source: string): string[] => parseLab(source, 'lab.yaml').diagnostics.map(({ message }) => message);
const only = (source: string): Diagnostic => {
  const { diagnostics } = parseLab(source, 'lab.yaml');
  expect(diagnostics.map(({ message }) => message)).toHaveLength(1);
  return diagnostics[0] as Diagnostic;
};

describe('a lab without problems', () => {
  test('the home example has none', () => {
    expect(parseLab(home, 'lab.yaml').diagnostics).toEqual([]);
  });

  test('the smallest one has none, and gets its defaults', () => {
    const { lab } = parseLab(makeLab(), 'lab.yaml');
    expect(lab).toMatchObject({
      domain: 'home.arpa',
      networks: { lan: { bridge: 'vmbr0', reserved: [] } },
      proxmox: { port: 8006, tls: 'pinned', storage: 'local-lvm' },
      netboot: { mode: 'serve', httpPort: 8080 },
      identity: { macPrefix: '02:1a:b0', name: 'node{vmId}' },
      pools: {
        workers: { cores: 2, memory: 2048, disk: { size: 20 }, firmware: 'bios', spread: 'even', firstVmId: 101 },
      },
    });
  });

  test('a thousand machines in a /16 block are checked well within a second', () => {
    const source = makeLab({
      'networks.lan': { cidr: '10.0.0.0/8', gateway: '10.0.0.1', machines: '10.2.0.0/16' },
      hosts: Object.fromEntries(
        Array.from({ length: 20 }, (_, index) => [
          `pve${index}`,
          { address: `10.0.1.${index}`, cores: 256, memory: '1TiB' },
        ]),
      ),
      'pools.workers.count': 1000,
    });
    const start = performance.now();
    expect(messages(source)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('shape', () => {
  test('an unknown key is an error with the nearest match', () => {
    const diagnostic = only(makeLab({ 'pools.workers.coers': 4 }));
    expect(diagnostic).toMatchObject({
      path: ['pools', 'workers', 'coers'],
      message: 'pools.workers has no key "coers"',
      label: 'did you mean "cores"?',
      fix: 'write cores',
      position: { file: 'lab.yaml', length: 5 },
    });
  });

  test('a misspelt key is not missing as well', () => {
    expect(messages(makeLab({ 'hosts.pve1.address': null, 'hosts.pve1.adress': '10.1.0.11' }))).toEqual([
      'hosts.pve1 has no key "adress"',
    ]);
  });

  test.each<[string, unknown, string, string]>([
    ['hosts.pve1.address', '10.1.0.300', 'hosts.pve1.address: "10.1.0.300" is not an IPv4 address', 'four numbers'],
    ['hosts.pve1.address', null, 'hosts.pve1 needs the key "address"', 'add address: 10.1.0.11'],
    ['networks.lan.cidr', '10.1.0.7/22', 'networks.lan.cidr: "10.1.0.7/22" is an address inside', 'write 10.1.0.0/22'],
    ['networks.lan.services', '10.1.3.9-10.1.3.1', 'networks.lan.services: the range', 'write 10.1.3.1-10.1.3.9'],
    ['pools.workers.memory', '2GB', 'pools.workers.memory: "GB" is not a unit', 'write 2GiB'],
    ['pools.workers.memory', 2048, 'pools.workers.memory must be text, not 2048', 'memory: 2GiB'],
    ['pools.workers.disk', '3500MiB', 'pools.workers.disk: a disk is a whole number of GiB', 'write 4GiB'],
    ['pools.workers.disk', '500MiB', 'pools.workers.disk: "500MiB" is too little: the system', 'write at least 2GiB'],
    ['pools.workers.disk', '999TiB', 'pools.workers.disk: "999TiB" is too much: no storage', 'write at most 128TiB'],
    ['pools.workers.memory', '1024TiB', 'pools.workers.memory: "1024TiB" is too much', 'write at most 4TiB'],
    ['pools.workers.memory', '1MiB', 'pools.workers.memory: "1MiB" is too little', 'write at least 256MiB'],
    ['hosts.pve1.memory', '1024TiB', 'hosts.pve1.memory: "1024TiB" is too much: no host', 'write at most 16TiB'],
    ['pools.workers.image', 'debain', 'pools.workers.image cannot be the text "debain"', 'write debian'],
    ['pools.workers.image', 'windows', 'pools.workers.image cannot be the text "windows"', 'write debian'],
    ['hosts.pve1.maintenance', 'yes', 'hosts.pve1.maintenance must be true or false, not the text "yes"', 'write true'],
    ['version', [{ toString: {} }], 'version cannot be a list', 'write 1'],
    ['pools.workers.disk', { size: '8GiB', storge: 'x' }, 'pools.workers.disk has no key "storge"', 'write storage'],
    ['pools.workers.disk', ['8GiB'], 'pools.workers.disk cannot be a list', 'disk: 20GiB'],
    ['pools.workers.firmware', 'efi', 'pools.workers.firmware cannot be the text "efi"', 'one of bios, uefi'],
    ['pools.workers.count', 1.5, 'pools.workers.count must be a whole number', ''],
    ['pools.workers.count', -1, 'pools.workers.count must be at least 0, not -1', ''],
    ['pools.workers.count', 1e308, 'pools.workers.count must be at most 10000, not 1e+308', ''],
    ['proxmox.storage', 'tank:1,ssd=1', 'proxmox.storage: this is not the name of a storage', ''],
    ['pools.workers.disk', { size: '8GiB', storage: 'a:b' }, 'pools.workers.disk.storage: this is not the name', ''],
    ['pools.workers.hosts', [], 'pools.workers.hosts is an empty list', 'hosts: [pve1, pve2]'],
    ['pools.Workers', {}, 'pools.Workers: "Workers" cannot be a name', 'lower-case'],
    ['proxmox.token', 'secret', 'proxmox.token must be a map', 'token: {env: PROXMOX_TOKEN}'],
    ['proxmox.token', { env: 'A', file: 'b' }, 'proxmox.token: a secret is named by exactly one', '{env:'],
    ['proxmox.tls', 'none', 'proxmox.tls cannot be', ''],
    ['identity.macPrefix', '02:1a', 'identity.macPrefix: "02:1a" is not a MAC prefix', '02:1a:b0'],
    ['version', 2, 'version cannot be 2', 'write 1'],
    ['domain', 'Home', 'domain: "Home" is not a domain', 'home.arpa'],
    ['ssh.authorizedKeys', ['x'], 'ssh.authorizedKeys[0]: this is not an SSH public key', '.pub'],
    [
      'ssh.authorizedKeys',
      ['-----BEGIN OPENSSH PRIVATE KEY-----'],
      'ssh.authorizedKeys[0]: this is a private key',
      '.pub',
    ],
  ])('%s: %j', (path, value, message, fix) => {
    const diagnostic = only(makeLab({ [path]: value }));
    expect(diagnostic.message).toContain(message);
    expect(diagnostic.fix ?? '').toContain(fix);
  });

  test.each<[string, unknown]>([
    ['networks.lan.reserved', ['10.1.2.0', 'many', '10.1.1.20-10.1.1.1']],
    ['networks.lan.resolvers', []],
    ['networks.lan.cidr', '10.1.0.0'],
    ['networks.lan.gateway', 'router'],
    ['hosts.pve1', []],
    ['hosts.PVE9', { address: '10.1.0.19', cores: 4, memory: '8GiB' }],
    ['hosts.pve1.address', 7],
    ['hosts.pve1.memory', '24GB'],
    ['proxmox.storages', ['tank', 7]],
    ['proxmox.token', 'secret'],
    ['router', { kind: 'openwrt' }],
    ['nas', 'synology'],
    ['switches.sw1', { ports: 'many' }],
    ['accessPoints.ap1', {}],
    ['ups.ups1', {}],
    ['netboot.mode', 'tftp'],
    ['ssh.authorizedKeys', ['x']],
    ['secrets.file', 7],
    ['identity.macPrefix', 'x'],
    ['serve', 'here'],
    ['lab', 7],
    ['version', 2],
    ['domain', '-'],
    ['nonsense', 1],
    ['pools.workers.coers', 4],
    ['pools.workers.firstVmid', 112],
    ['networks.lan.macines', '10.1.1.0/28'],
    ['proxmox.tokn', { env: 'X' }],
    ['pools.workers.count', 'two'],
    ['pools.workers.firstVmId', 7],
    ['pools.workers.memory', '1PiB'],
    ['pools.workers.disk', ['8GiB']],
    ['pools.workers.hosts', [7]],
    ['pools.workers.hosts', []],
    ['pools.workers.machines', { 102: { mac: 'x' } }],
    ['pools.Other', {}],
  ])('a wrong form at %s hides nothing else, and nothing is made up', (path, value) => {
    const others = {
      'hosts.pve3.address': '10.1.0.12',
      'pools.one': { firstVmId: 105, hosts: ['pve2', 'pve7'] },
      'pools.two': { firstVmId: 105, memory: '200GiB' },
    };
    const expected = [
      'host pve2 and host pve3 have the same address 10.1.0.12',
      'there is no host "pve7"',
      'pools one and two share VM IDs from 105 on',
      'a machine of pool two is larger than every host it may use',
    ];
    expect(messages(makeLab(others))).toEqual(expected);
    const alone = messages(makeLab({ [path]: value }));
    const found = messages(makeLab({ ...others, [path]: value }));
    expect(alone.length).toBeGreaterThan(0);
    const sure = expected.filter(
      (message) =>
        // A host of unknown size may be large enough, and one with a wrong name may be the one that is meant.
        !(['hosts.pve1', 'hosts.pve1.memory'].includes(path) && message.includes('larger than every host')) &&
        !(path === 'hosts.PVE9' && message.includes('no host')),
    );
    expect(found.toSorted()).toEqual([...alone, ...sure].toSorted());
  });

  test('of a list with wrong items the others are checked, and found where they are', () => {
    const { diagnostics } = parseLab(
      makeLab({ 'networks.lan.reserved': ['10.1.2.0', 'x', '10.1.1.5', 'y', '10.1.1.9'] }),
      'lab.yaml',
    );
    expect(diagnostics.map(({ path }) => path.at(-1))).toEqual([1, 2, 3, 4]);
    expect(diagnostics[1]?.message).toContain('the reserved address 10.1.1.5 overlaps');
  });

  test('a typo does not hide what else is wrong', () => {
    const changes = { 'pools.workers.coers': 4, 'pools.workers.memory': '1GB', 'hosts.pve1.address': '10.1.1.13' };
    expect(messages(makeLab(changes))).toEqual([
      'the address 10.1.1.13 of host pve1 is inside the machines block of network lan',
      'pools.workers has no key "coers"',
      'pools.workers.memory: "GB" is not a unit of size here',
    ]);
  });
});

describe('syntax', () => {
  test.each([
    ['', 'the file is empty'],
    ['# nothing\n', 'the file is empty'],
    ['a: "b\n', 'this is not YAML: a quote is not closed'],
    ['a:\n\tb: 1\n', 'this is not YAML: a line is indented by a tab'],
    ['a: b: c\n', 'this is not YAML: two keys stand on one line'],
    ['a: 1\n---\nb: 1\n', 'this is not YAML: a second document'],
    ['a: !include x\n', 'this is not YAML: a value starts with an unknown !tag'],
    ['a: *b\n', '*b names an anchor that is not set'],
    ['a: &a [*a]\n', 'values are nested more than 32 deep'],
    ['- 1\n', 'the lab file must be a map of keys'],
    ['x'.repeat(300 * 1024), 'the file has 300 KiB'],
    ['['.repeat(200_000), 'this is not YAML: values are nested too deeply'],
    [`a: ${'['.repeat(100)}${']'.repeat(100)}`, 'values are nested more than 32 deep'],
  ])('%#: %.20j', (source, message) => {
    expect(messages(source).at(0)).toContain(message);
  });

  test.each([
    ['hosts:\n\tpve1:\n\t\taddress: 1.2.3.4\nfoo: bar\n', 2, 1, '2 lines are indented by tabs'],
    ['hosts:\n  pve1:\n  \taddress: 1.2.3.4\n    cores: 1\n', 3, 3, 'a line is indented by a tab'],
  ])('a tab is one error, whatever follows from it: %j', (source, line, column, message) => {
    expect(only(source)).toMatchObject({ message: `this is not YAML: ${message}`, position: { line, column } });
  });

  test.each([
    ['version: 1\nlab: "home\ndomain: home.arpa\nhosts: {}\n', 2, 6, 'write " where the value ends'],
    ["version: 1\nlab: 'home\ndomain: home.arpa\n", 2, 6, "write ' where the value ends"],
    ['lab: "home\nhosts:\n  pve1: "10.1.0.11"\n', 1, 6, 'write " where the value ends'],
    ['lab: home\nssh: { keys: [a, "b] }\npools: {}\n', 2, 18, 'write " where the value ends'],
    ['lab: home\n"pools: {}\n', 2, 1, 'write " where the value ends'],
  ])('a quote that is not closed is told where it opens: %j', (source, line, column, fix) => {
    const message = 'this is not YAML: a quote is not closed';
    expect(only(source)).toMatchObject({ message, position: { line, column }, fix });
  });

  test('what is wrong before a quote that is not closed is told as well', () => {
    expect(messages('a: b: c\nd: "e\nf: 1\n')).toEqual([
      'this is not YAML: two keys stand on one line',
      'this is not YAML: a quote is not closed',
    ]);
  });

  test('thousands of problems are counted, not listed', () => {
    const found = messages(Array.from({ length: 5000 }, (_, index) => `k${index}: 1\n`).join(''));
    expect(found).toHaveLength(201);
    expect(found.at(-1)).toMatch(/^\d+ more problems from here on are not shown$/);
  });

  test('a byte order mark and carriage returns do not matter', () => {
    expect(messages(`\ufeff${home.replaceAll('\n', '\r\n')}`)).toEqual([]);
  });

  test('a key written twice is told with the first place', () => {
    const diagnostic = only(`${makeLab()}lab: again\n`);
    expect(diagnostic.message).toBe('"lab" is written twice');
    expect(diagnostic.related.map(({ position }) => position.line)).toEqual([2]);
  });

  test('aliases that double at each level are stopped', () => {
    const levels = Array.from({ length: 30 }, (_, level) => `l${level + 1}: &l${level + 1} [*l${level}, *l${level}]`);
    expect(messages(`l0: &l0 [x]\n${levels.join('\n')}\n`).at(0)).toMatch(/aliases|values/);
  });

  test('aliases stand for what they name', () => {
    const source = makeLab()
      .replace('pve2:\n', 'pve2: &host\n')
      .replace(/ {2}pve3:\n( {4}.*\n)+/, '');
    expect(messages(source.replace('proxmox:', '  pve3: *host\nproxmox:'))).toEqual([
      'host pve2 and host pve3 have the same address 10.1.0.12',
    ]);
  });

  test('a key cannot reach into the prototype of objects', () => {
    expect(only(`${makeLab()}__proto__: {lab: x}\n`).message).toBe('"__proto__" cannot be a name here');
    expect(messages(makeLab({ 'pools.workers.constructor': 1 }))).toEqual(['pools.workers has no key "constructor"']);
    expect(messages(makeLab({ 'pools.workers.hosts': ['constructor'] }))).toEqual(['there is no host "constructor"']);
  });
});

describe('checks between values', () => {
  test.each<[string, Readonly<Record<string, unknown>>, string, string[]]>([
    [
      'services inside the block',
      { 'networks.lan.services': '10.1.1.8-10.1.1.20' },
      'networks.lan.services',
      ['the services range of network lan overlaps the machines block of network lan'],
    ],
    [
      'reserved inside the services',
      { 'networks.lan.services': '10.1.3.100-10.1.3.200', 'networks.lan.reserved': ['10.1.3.150'] },
      'networks.lan.reserved[0]',
      ['the reserved address 10.1.3.150 overlaps the services range of network lan'],
    ],
    [
      'a dynamic range over the block',
      { 'netboot.dynamic': '10.1.1.10-10.1.1.30' },
      'netboot.dynamic',
      ['the dynamic range overlaps the machines block of network lan'],
    ],
    [
      'services outside the network',
      { 'networks.lan.services': '10.1.3.250-10.1.4.5' },
      'networks.lan.services',
      ['the services range of network lan leaves its network 10.1.0.0/22'],
    ],
    [
      'a block outside the network',
      { 'networks.lan.machines': '10.2.1.0/28' },
      'networks.lan.machines',
      ['the machines block of network lan leaves its network 10.1.0.0/22'],
    ],
    [
      'a block with nothing to give out',
      { 'networks.lan.machines': '10.1.1.0/31', 'pools.workers.count': 0 },
      'networks.lan.machines',
      ['the block 10.1.1.0/31 has no address to give out: its first and last stay unused'],
    ],
    [
      'a host outside the network',
      { 'hosts.pve2.address': '192.168.1.5' },
      'hosts.pve2.address',
      ['the address 192.168.1.5 of host pve2 is outside the network 10.1.0.0/22'],
    ],
    [
      'a host with the broadcast address',
      { 'hosts.pve2.address': '10.1.3.255' },
      'hosts.pve2.address',
      ['host pve2 cannot have 10.1.3.255: that is the broadcast address'],
    ],
    [
      'the router inside the block',
      { router: { kind: 'pfsense', address: '10.1.1.14' } },
      'router.address',
      ['the address 10.1.1.14 of router router is inside the machines block of network lan'],
    ],
    [
      'the NAS inside the services',
      { 'networks.lan.services': '10.1.3.100-10.1.3.200', nas: { nas1: { kind: 'linux', address: '10.1.3.120' } } },
      'nas.nas1.address',
      ['the address 10.1.3.120 of nas nas1 is inside the services range of network lan'],
    ],
    [
      'our own address inside the block',
      { 'netboot.address': '10.1.1.13' },
      'netboot.address',
      ['the address 10.1.1.13 of netboot is inside the machines block of network lan'],
    ],
    [
      'our own address in another network',
      { 'networks.dmz': { cidr: '10.9.0.0/24', gateway: '10.9.0.1' }, 'netboot.address': '10.9.0.5' },
      'netboot.address',
      ['the address 10.9.0.5 of netboot is outside its network 10.1.0.0/22'],
    ],
    [
      'the gateway inside the block',
      { 'networks.lan.gateway': '10.1.1.14' },
      'networks.lan.gateway',
      ['the address 10.1.1.14 of the gateway of network lan is inside the machines block of network lan'],
    ],
    [
      'two hosts at one address',
      { 'hosts.pve3.address': '10.1.0.11' },
      'hosts.pve3.address',
      ['host pve1 and host pve3 have the same address 10.1.0.11'],
    ],
    [
      'two networks that overlap',
      { 'networks.dmz': { cidr: '10.1.2.0/24', gateway: '10.1.2.1' } },
      'networks.dmz.cidr',
      ['networks lan and dmz overlap'],
    ],
    [
      'two networks with machines',
      { 'networks.dmz': { cidr: '10.9.0.0/24', gateway: '10.9.0.1', machines: '10.9.0.16/28' } },
      'networks.dmz.machines',
      ['only one network can have machines for now, and lan has them'],
    ],
    [
      'no network with machines',
      { 'networks.lan.machines': null },
      'networks',
      ['no network has a block for machines'],
    ],
    [
      'pools that share VM IDs',
      { 'pools.edge': { firstVmId: 102 } },
      'pools.edge.firstVmId',
      ['pools workers and edge share VM IDs from 102 on'],
    ],
    [
      'pools that both start where the default does',
      { 'pools.edge': {} },
      'pools.edge.firstVmId',
      ['pools workers and edge share VM IDs from 101 on'],
    ],
    [
      'a pool larger than the block',
      { 'pools.workers.count': 15 },
      'pools.workers.count',
      ['pool workers does not fit the block 10.1.1.0/28: VM ID 115 would be outside'],
    ],
    [
      'a pool too far from the others',
      { 'pools.edge': { firstVmId: 201 } },
      'pools.edge.firstVmId',
      ['pool edge does not fit the block 10.1.1.0/28: VM ID 201 would be outside'],
    ],
    [
      'a pool below the stated base',
      { 'identity.baseVmId': 110 },
      'identity.baseVmId',
      ['pool workers starts at VM ID 101, below the base 110 that gets the first address'],
    ],
    [
      'VM IDs that six digits cannot hold',
      { 'pools.workers.firstVmId': 999_999 },
      'pools.workers.firstVmId',
      ['pool workers has VM IDs over 999999; a MAC holds six digits of them'],
    ],
    [
      'a MAC prefix for groups',
      { 'identity.macPrefix': '03:1a:b0' },
      'identity.macPrefix',
      ['the MAC prefix 03:1a:b0 is for groups (multicast): no machine can have such an address'],
    ],
    [
      'a name twice by the template',
      { 'identity.name': '{pool}' },
      'pools.workers',
      ['VM ID 101 of pool workers and VM ID 102 of pool workers both have the name workers'],
    ],
    [
      'a machine with the name of a host',
      { 'pools.workers.machines': { 102: { name: 'pve1' } } },
      'pools.workers.machines.102',
      ['host pve1 and VM ID 102 of pool workers both have the name pve1'],
    ],
    ...(['localhost', 'gateway', 'labwright', 'laptop'] as const).map(
      (name): [string, Readonly<Record<string, unknown>>, string, string[]] => [
        `a machine called ${name}`,
        { 'pools.workers.machines': { 102: { name } } },
        'pools.workers.machines.102',
        [expect.stringContaining(`VM ID 102 of pool workers cannot have the name ${name}: `) as string],
      ],
    ),
    [
      'a host called labwright',
      { 'hosts.labwright': { address: '10.1.0.14', cores: 4, memory: '8GiB' } },
      'hosts.labwright',
      ['host labwright cannot have the name labwright: the computer Labwright runs on has it'],
    ],
    [
      'a pool called localhost',
      { 'pools.localhost': { count: 0, firstVmId: 110 } },
      'pools.localhost',
      ['a pool cannot have the name localhost: every computer calls itself so'],
    ],
    [
      'a pool with the name of an appliance',
      { 'nas.nas1': { kind: 'linux', address: '10.1.0.20' }, 'pools.nas1': { count: 0, firstVmId: 110 } },
      'pools.nas1',
      ['pool nas1 has the name of nas nas1'],
    ],
    [
      'a template that gives no name',
      { 'identity.name': 'Node_{vmId}' },
      'identity.name',
      ['the template "Node_{vmId}" gives the name "Node_101", which a machine cannot have'],
    ],
    [
      'a MAC twice',
      { 'pools.workers.machines': { 102: { mac: '02:1a:b0:00:01:01' } } },
      'pools.workers.machines.102',
      ['VM ID 101 of pool workers and VM ID 102 of pool workers both have the MAC 02:1a:b0:00:01:01'],
    ],
    [
      'an address twice',
      { 'pools.workers.machines': { 101: { address: '10.1.1.2' } } },
      'pools.workers',
      ['VM ID 101 of pool workers and VM ID 102 of pool workers both have the address 10.1.1.2'],
    ],
    [
      'an exception for a VM ID the pool does not have',
      { 'pools.workers.machines': { 103: { name: 'gitlab' } } },
      'pools.workers.machines.103',
      ['pool workers has no machine with VM ID 103'],
    ],
    [
      'an unknown host',
      { 'pools.workers.hosts': ['pve1', 'pev2'] },
      'pools.workers.hosts[1]',
      ['there is no host "pev2"'],
    ],
    [
      'an unknown storage',
      { 'pools.workers.disk': { size: '8GiB', storage: 'local-lmv' } },
      'pools.workers.disk.storage',
      ['there is no storage "local-lmv"'],
    ],
    [
      'no login for Proxmox',
      { 'proxmox.token': null, 'proxmox.port': 8006 },
      'proxmox',
      ['proxmox has no login: neither a token nor a user with password'],
    ],
    [
      'two logins for Proxmox',
      { 'proxmox.password': { env: 'P' }, 'proxmox.user': 'a@pam' },
      'proxmox.user',
      ['proxmox has both a token and a user with password'],
    ],
    [
      'a spread over more hosts than there are',
      { 'pools.workers.count': 4, 'pools.workers.spread': 'host' },
      'pools.workers.spread',
      ['the 4 machines of pool workers cannot be spread over 3 hosts'],
    ],
    [
      'a machine larger than any host',
      { 'pools.workers.memory': '32GiB' },
      'pools.workers.memory',
      ['a machine of pool workers is larger than every host it may use'],
    ],
    [
      'a pool larger than its hosts',
      { 'pools.workers.memory': '10GiB', 'pools.workers.count': 3, 'pools.workers.hosts': ['pve1'] },
      'pools.workers.count',
      ['the 3 machines of pool workers do not fit on pve1: there is room for 2'],
    ],
    [
      'pools pinned to one host that do not fit together',
      {
        'pools.workers': { hosts: ['pve1'], memory: '14GiB' },
        'pools.edge': { hosts: ['pve1'], memory: '14GiB', firstVmId: 110 },
      },
      'pools.edge',
      ['pools workers, edge together do not fit on pve1'],
    ],
    [
      'all hosts in maintenance',
      { 'pools.workers.hosts': ['pve1'], 'hosts.pve1.maintenance': true },
      'pools.workers.hosts',
      ['pool workers has no host to run on: all it may use are in maintenance'],
    ],
    ['no host', { hosts: {}, 'pools.edge': { firstVmId: 110 } }, 'hosts', ['there is no host']],
    [
      'pools of hosts that are not there',
      { 'pools.workers.hosts': ['pve7'], 'pools.edge': { hosts: ['pve8'], firstVmId: 110 } },
      'pools.workers.hosts.0',
      ['there is no host "pve7"', 'there is no host "pve8"'],
    ],
  ])('%s', (_, changes, path, expected) => {
    const { diagnostics } = parseLab(makeLab(changes), 'lab.yaml');
    expect(diagnostics.map(({ message }) => message)).toEqual(expected);
    const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
    expect(diagnostics[0]?.path.map(String)).toEqual(steps);
    expect(diagnostics[0]?.fix).toBeTruthy();
  });

  test('a host in maintenance does not count for a spread, and its line is named', () => {
    const source = makeLab({
      'hosts.pve3.maintenance': true,
      'pools.workers.count': 3,
      'pools.workers.spread': 'host',
    });
    const diagnostic = only(source);
    expect(diagnostic.label).toBe('needs 3; there are pve1, pve2');
    const line = source.split('\n').findIndex((text) => text.includes('maintenance')) + 1;
    expect(diagnostic.related).toMatchObject([{ message: 'pve3 is in maintenance', position: { line } }]);
  });

  test('fixes for pools that share VM IDs can all be made, and then nothing is left', () => {
    const broken = {
      'pools.workers.count': 3,
      'pools.a': { firstVmId: 102, count: 2 },
      'pools.b': { firstVmId: 102, count: 2 },
      'pools.c': { firstVmId: 103 },
      'pools.d': { firstVmId: 108 },
    };
    const { diagnostics } = parseLab(makeLab(broken), 'lab.yaml');
    const fixes = diagnostics.map(({ fix }) => /^set (\S+): (\d+)$/.exec(fix ?? '')?.slice(1));
    expect(fixes).toEqual([
      ['pools.a.firstVmId', '104'],
      ['pools.b.firstVmId', '106'],
      ['pools.c.firstVmId', '109'],
    ]);
    const mended = Object.fromEntries(fixes.map((fix) => [fix?.[0] ?? '', Number(fix?.[1])]));
    expect(messages(makeLab({ ...broken, ...mended }))).toEqual([]);
  });

  test('where the block has no room for them, the fix says so', () => {
    const { diagnostics } = parseLab(
      makeLab({ 'pools.workers.count': 13, 'pools.edge': { firstVmId: 110, count: 2 } }),
      'lab.yaml',
    );
    expect(diagnostics[0]?.fix).toBe('set pools.edge.firstVmId: 114, and give the network a larger block for machines');
  });

  test('a router may be called gateway', () => {
    expect(messages(makeLab({ router: { kind: 'pfsense', address: '10.1.0.1', name: 'gateway' } }))).toEqual([]);
  });

  test('all are found at once, in the order of the file', () => {
    const { diagnostics } = parseLab(
      makeLab({
        'networks.lan.services': '10.1.1.8-10.1.1.20',
        'hosts.pve1.address': '10.1.0.12',
        'identity.macPrefix': '01:00:5e',
        'pools.workers.hosts': ['pve9'],
        'pools.edge': { firstVmId: 102 },
      }),
      'lab.yaml',
    );
    expect(diagnostics).toHaveLength(5);
    const lines = diagnostics.map(({ position }) => position.line);
    expect(lines).toEqual(lines.toSorted((one, other) => one - other));
  });
});

/** What is wrong with the answer to a text; nothing, whatever the text. */
function flawsOf(source: string): string[] {
  const parsed = parseLab(source, 'lab.yaml');
  const lines = source.split('\n');
  const flaws = parsed.diagnostics.flatMap(({ position: { line, column }, message }) => [
    ...(message === '' ? ['an empty message'] : []),
    ...(line < 1 || line > lines.length ? [`line ${line} of ${lines.length}`] : []),
    ...(column < 1 || column > (lines[line - 1]?.length ?? 0) + 1 ? [`column ${column}`] : []),
  ]);
  const hasError = parsed.diagnostics.some(({ severity }) => severity === 'error');
  return hasError === (parsed.lab === undefined) ? flaws : [...flaws, 'a lab with errors, or none without'];
}

describe('any text gets an answer', () => {
  test('random text', () => {
    const yamlish = fc.string({
      unit: fc.constantFrom(...'ab: \n-[]{}#&*!|>"\'%@`?,\t\r01.'.split('')),
      maxLength: 120,
    });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), yamlish), (source) => {
        expect(flawsOf(source)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test('the home example with a part cut out or replaced', () => {
    const end = fc.integer({ min: 0, max: home.length });
    const piece = fc.constantFrom(...'|_|\n|:|0|-1|{|[|"|null|9999999999|ä|\u0000|*x|&x'.split('|'));
    fc.assert(
      fc.property(end, fc.nat(40), piece, (start, length, text) => {
        expect(flawsOf(home.slice(0, start) + text + home.slice(start + length))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  test('any value in the place of any other', () => {
    const paths = Object.keys(parseYaml(home) as object);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        expect(flawsOf(makeLab({ [path]: value }))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
