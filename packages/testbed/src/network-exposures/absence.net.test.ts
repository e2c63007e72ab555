// For how long clients remember that a name is not there yet, asked of an emulated pfSense with real PHP and Unbound: as long as the
// root of the Internet says, or with a name server of our own, to which our domain overrides lead, seconds.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { type PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import type { NetworkEnd } from '@labwright/network/controller/network-end';
import { makeDnsEnd } from '@labwright/network/dns/dns-end';
import { fixedNames } from '@labwright/network/dns/fixed-names';
import { type NameServer, startNameServer } from '@labwright/network/dns/name-server';
import { routerTerms } from '@labwright/network/router/desired-router';
import { ManagedRouter } from '@labwright/network/router/managed-router';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLan, type Peer } from '../network/lan.ts';
import { connectRouter } from '../pfsense/router-connection.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';
import { peersRoot } from '../roots.ts';

const routerAddress = '10.77.52.1';
const port = 5353;
const { signal } = new AbortController();
const labText = `version: 1
lab: home
domain: home.arpa
networks:
  lan: { cidr: 10.77.52.0/24, gateway: ${routerAddress}, machines: 10.77.52.16/28, services: 10.77.52.200-10.77.52.209 }
hosts: { pve1: { address: 10.77.52.2, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: ${routerAddress}, password: { env: P }, manage: [dns] }
netboot: { mode: serve, address: 10.77.52.50 }
exposures: { domains: [svc], nameServer: { port: ${port} } }
kubernetes: { version: 1.35.4, endpoint: { address: 10.77.52.10 } }
pools: { control: { role: control-plane, firstVmId: 101, count: 1 } }
`;
const blueprint = makeBlueprint();
const stop = new AbortController();
let laptop: Peer;
let router: RouterPeer;
let connection: PfsenseConnection;
let server: NameServer;
let end: NetworkEnd;
let keeping: Promise<void>;

function makeBlueprint(): Blueprint {
  const { lab, diagnostics } = parseLab(labText, 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: true });
}

/** Status, answer and authority, as a client of the router gets them. */
const ask = async (name: string): Promise<string> => {
  const options = ['+noall', '+comments', '+answer', '+authority', '+tries=1', '+time=3', '+nocookie'];
  const { stdout } = await laptop.exec(['dig', `@${routerAddress}`, ...options, name], { root: await peersRoot() });
  return stdout.replaceAll(/[\t ]+/g, ' ');
};

beforeAll(async () => {
  const lan = await makeLan('absence-lan', '10.77.52.50/24');
  laptop = await lan.addPeer('absence-pc', '02:00:00:00:00:10', '10.77.52.60/24');
  router = await addRouterPeer(lan, routerAddress, {
    hosts: [
      { host: 'taken', domain: 'svc', ip: '10.77.52.9' },
      { host: 'www', domain: 'example.org', ip: '10.77.52.8' },
    ],
  });
  connection = connectRouter(router);
  server = await startNameServer({ address: blueprint.netboot.address, port, clock: systemClock, log: silentLog });
  end = makeDnsEnd({
    server,
    domains: blueprint.exposures.domains,
    fixedNames: fixedNames(blueprint),
    memory: { recall: () => undefined, remember: () => undefined },
    clock: systemClock,
  });
  await put({});
}, 180_000);
afterAll(async () => {
  stop.abort(new Error('the end'));
  await keeping;
  await connection?.close();
  await server?.close();
  await router?.stop();
});

async function put(names: Readonly<Record<string, string>>): Promise<void> {
  const records = Object.entries(names).map(([name, address]) => ({
    name,
    addresses: [address],
    owners: ['Service default/web' as const],
  }));
  await end.put({ names: records, addresses: [], balancers: [] }, signal);
}

test('a router alone has it from the root', async () => {
  // 4 s in a rehearsal: docs/fidelity.md.
  expect(await ask('early.svc')).toMatch(/NXDOMAIN[^]*\n\. \d+ IN SOA /);
});

test(
  'led to our name server it is 3 s, a name that comes answers within 5 s, and a person’s names stay',
  { timeout: 90_000 },
  async () => {
    const managed = new ManagedRouter({
      connection,
      terms: routerTerms(blueprint),
      holder: 'test',
      clock: systemClock,
      log: silentLog,
      keeper: { limits: { quietMs: 500, longestMs: 2_000, verifyMs: 2_000, writesPerHour: 200 }, lookEveryMs: 1_000 },
    });
    managed.wantLab({ blueprint });
    keeping = managed.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) console.log(error);
    });
    await managed.settle('written', { patienceMs: 30_000, signal });
    const config = await router.control.fetchConfig();
    expect(config).toContain('<descr><![CDATA[labwright:home+rehearsal/lab/lab.domain.svc]]></descr>');
    await expect
      .poll(async () => await ask('late.svc'), { timeout: 15_000 })
      .toMatch(/NXDOMAIN[^]*\nsvc\. [0-3] IN SOA /);
    expect(await ask('taken.svc')).toContain('taken.svc. 3600 IN A 10.77.52.9');
    expect(await ask('www.example.org')).toContain('IN A 10.77.52.8');
    await put({ 'late.svc': '10.77.52.200' });
    const start = performance.now();
    await expect
      .poll(async () => await ask('late.svc'), { timeout: 9_000, interval: 200 })
      .toContain('IN A 10.77.52.200');
    expect(performance.now() - start).toBeLessThan(5_000);
  },
);
