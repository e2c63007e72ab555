// The embedded name server, asked by dig itself and through unbound with nothing but a domain override, as a router has one.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import type { NetworkEnd, NetworkState } from '@labwright/network/controller/network-end';
import { makeDnsEnd } from '@labwright/network/dns/dns-end';
import { type NameServer, startNameServer } from '@labwright/network/dns/name-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLan, type Peer } from '../network/lan.ts';
import { peersRoot, toolsRoot } from '../roots.ts';

const { signal } = new AbortController();
const address = ipv4('10.83.0.9');
let server: NameServer;
let end: NetworkEnd;
let laptop: Peer;
let root: string;

const state = (names: Readonly<Record<string, readonly string[]>>): NetworkState => ({
  names: Object.entries(names).map(([name, addresses]) => ({ name, addresses, owners: ['Service default/web'] })),
  addresses: [],
  balancers: [],
});

const dig = async (...argv: readonly string[]): Promise<string> => {
  const options = ['+noall', '+answer', '+tries=1', '+time=3', '+nocookie'];
  const { stdout } = await laptop.exec(['dig', ...options, ...argv], { root });
  return stdout.replaceAll(/[\t ]+/g, ' ').trim();
};
const own = async (...argv: readonly string[]): Promise<string> =>
  await dig('@10.83.0.9', '-p', String(server.port), ...argv);
const lines = (text: string): number => text.split('\n').filter((line) => line !== '').length;

beforeAll(async () => {
  root = await peersRoot();
  const lan = await makeLan('names-lan', '10.83.0.9/22');
  laptop = await lan.addPeer('names-pc', '02:00:00:00:00:10', '10.83.0.50/22');
  const router = await lan.addPeer('names-gw', '02:00:00:00:00:01', '10.83.0.1/22');
  server = await startNameServer({ address, port: 0, clock: systemClock, log: silentLog });
  end = makeDnsEnd({
    server,
    domains: ['svc'],
    range: { first: ipv4('10.83.3.100'), last: ipv4('10.83.3.200') },
    fixedNames: [],
    memory: { recall: () => undefined, remember: () => undefined },
    clock: systemClock,
  });
  // What pfSense writes for a domain override: private addresses are let through, and no signatures are wanted.
  const config = [
    'server:',
    ' interface: 10.83.0.1',
    ' access-control: 10.83.0.0/22 allow',
    ' chroot: ""',
    ' username: ""',
    ' directory: "/run"',
    ' pidfile: ""',
    ' use-syslog: no',
    ' private-domain: "svc"',
    ' domain-insecure: "svc"',
    'forward-zone:',
    ' name: "svc"',
    ` forward-addr: 10.83.0.9@${server.port}`,
    '',
  ].join('\n');
  router.spawn(['sh', '-c', 'printf %s "$1" > /run/unbound.conf; exec unbound -d -c /run/unbound.conf', 'sh', config], {
    root: await toolsRoot(),
  });
});
afterAll(async () => {
  await server?.close();
});

test('before the state of the cluster is known it fails, and claims nothing', async () => {
  expect(await own('+comments', 'web.svc')).toContain('status: SERVFAIL');
});

test('dig gets names, addresses and the zone, over UDP and TCP', async () => {
  await end.put(state({ 'web.svc': ['10.83.3.100'], 'v6.svc': ['10.83.3.101', '2001:db8::101'] }), signal);
  expect(await own('web.svc')).toBe('web.svc. 5 IN A 10.83.3.100');
  expect(await own('+tcp', 'web.svc')).toBe('web.svc. 5 IN A 10.83.3.100');
  expect(await own('v6.svc', 'AAAA')).toBe('v6.svc. 5 IN AAAA 2001:db8::101');
  expect(await own('-x', '10.83.3.100')).toBe('100.3.83.10.in-addr.arpa. 5 IN PTR web.svc.');
  expect(await own('svc', 'SOA')).toMatch(/^svc\. 5 IN SOA ns\.svc\. hostmaster\.svc\. \d+ 7200 1800 86400 3$/);
  expect(await own('svc', 'NS')).toBe('svc. 5 IN NS ns.svc.');
  expect(await own('+comments', 'web.svc')).toMatch(/status: NOERROR[^]*flags: qr aa rd;[^]*EDNS: version: 0/);
  expect(await own('+comments', '+authority', 'none.svc')).toMatch(/NXDOMAIN[^]*svc\. 3 IN SOA /);
  expect(await own('+comments', '+authority', 'web.svc', 'AAAA')).toMatch(/NOERROR[^]*svc\. 3 IN SOA /);
});

test('dig gets no transfer, no name of others, and no newer EDNS', async () => {
  expect(await own('svc', 'AXFR')).toContain('Transfer failed');
  expect(await own('+comments', 'example.org')).toContain('status: REFUSED');
  expect(await own('+comments', '+edns=1', '+noednsnegotiation', 'web.svc')).toContain('status: BADVERS');
  expect(await own('+comments', '+opcode=notify', 'svc', 'SOA')).toContain('status: NOTIMP');
  expect(await own('+comments', '-c', 'CH', 'version.bind', 'TXT')).toContain('status: REFUSED');
});

test('dig asks over TCP for what is too large', async () => {
  const many = Array.from({ length: 120 }, (_, index) => `10.83.3.${index + 1}`);
  await end.put(state({ 'many.svc': many }), signal);
  expect(await own('+ignore', '+comments', 'many.svc')).toMatch(/flags: qr aa tc rd;/);
  expect(lines(await own('many.svc'))).toBe(120);
});

test(
  'through unbound with a domain override, a name asked for too early answers within 5 s',
  { timeout: 30_000 },
  async () => {
    const ask = async (): Promise<string> => await dig('@10.83.0.1', '+short', 'late.svc');
    await expect
      .poll(async () => await dig('@10.83.0.1', '+comments', 'late.svc'), { timeout: 10_000 })
      .toContain('NXDOMAIN');
    await end.put(state({ 'late.svc': ['10.83.3.150'] }), signal);
    const start = performance.now();
    await expect.poll(ask, { timeout: 9_000, interval: 200 }).toBe('10.83.3.150');
    expect(performance.now() - start).toBeLessThan(5_000);
  },
);

test('answers on, without a gap, while names change all the time', async () => {
  const names = (round: number) => state({ 'web.svc': ['10.83.3.100'], [`other${round}.svc`]: ['10.83.3.101'] });
  await end.put(names(0), signal);
  const batch = Array.from({ length: 50 }, () => 'web.svc');
  const asking = own('+short', ...batch);
  const asked = new AbortController();
  const changing = (async () => {
    for (let round = 1; !asked.signal.aborted; round += 1) {
      await end.put(names(round), signal);
      await systemClock.sleep(1, signal);
    }
    return await own('+short', 'web.svc');
  })();
  const answers = await asking;
  asked.abort();
  expect(answers.split('\n')).toEqual(batch.map(() => '10.83.3.100'));
  expect(await changing).toBe('10.83.3.100');
});
