// The product's driver against the emulated pfSense: real PHP runs its snippets, the real resolver answers its names.
import { Resolver } from 'node:dns/promises';
import { labId, parseHostName } from '@labwright/core/addresses/names';
import { systemClock } from '@labwright/core/ports/system';
import { places } from '@labwright/drivers/pfsense/config/place';
import { type PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import type { DesiredRouter } from '@labwright/drivers/pfsense/keeper/desired';
import { RouterKeeper } from '@labwright/drivers/pfsense/keeper/router-keeper';
import { setServers } from '@labwright/drivers/pfsense/server-commands';
import { probeChanges } from '@labwright/network/router/router-probe';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { connectRouter } from './router-connection.ts';
import { addRouterPeer, type RouterPeer } from './router-peer.ts';

const address = '10.77.47.1';
const cluster = parseHostName('c1');
if (cluster === undefined) throw new Error('no name');
const owner = { lab: labId('test+rehearsal'), cluster };
const silent = (): void => undefined;

let router: RouterPeer;
let connection: PfsenseConnection;
let keeper: RouterKeeper;
const stop = new AbortController();
const resolver = new Resolver({ timeout: 1_000, tries: 1 });

beforeAll(async () => {
  const lan = await makeLan('router-lan', '10.77.47.50/24');
  router = await addRouterPeer(lan, address, {
    latency: 'small-appliance',
    hosts: [{ host: 'owner', domain: 'home.arpa', ip: '10.77.47.9' }],
  });
  resolver.setServers([address]);
  connection = connectRouter(router);
  keeper = new RouterKeeper({
    connection,
    clock: systemClock,
    log: { debug: silent, info: silent, warn: console.log, error: console.log },
    holder: 'test',
    probe: async (changes, signal) =>
      await probeChanges(changes, { address, nameServerPort: 53, isIdle: false }, signal),
    limits: { quietMs: 500, longestMs: 2_000, verifyMs: 1_000, writesPerHour: 100 },
    lookEveryMs: 1_000,
  });
  keeper.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) console.log(error);
  });
}, 60_000);
afterAll(async () => {
  stop.abort();
  await connection?.close();
  await router?.stop();
});

function wantNames(names: readonly string[]): DesiredRouter {
  const entries = names.flatMap((name) =>
    hostEntries({ ...owner, key: `name.${name}` }, { name: `${name}.svc`, addresses: ['10.77.47.60'] }, 'unbound'),
  );
  return { owner, entries, managed: [places.resolverHosts] };
}
const lookUp = async (name: string): Promise<readonly string[]> => await resolver.resolve4(name).catch(() => []);
const settled = async (): Promise<void> => {
  await expect.poll(() => keeper.standing, { timeout: 15_000 }).toMatchObject({ kind: 'settled' });
};

it('puts a name live, then writes it once, without a restart of the resolver', async () => {
  keeper.want(wantNames([]));
  await settled();
  const before = (await router.control.fetchJournal()).length;
  const startedAt = performance.now();
  keeper.want(wantNames(['web']));
  await expect.poll(async () => await lookUp('web.svc'), { timeout: 5_000, interval: 5 }).toEqual(['10.77.47.60']);
  console.log(`the name answers after ${(performance.now() - startedAt).toFixed(0)} ms (small-appliance)`);
  await expect.poll(async () => await router.control.fetchConfig(), { timeout: 10_000 }).toContain('<host>web</host>');
  await settled();
  const journal = (await router.control.fetchJournal()).slice(before).map(({ what }) => what);
  expect(journal.filter((what) => what === 'config written')).toHaveLength(1);
  expect(journal.filter((what) => /unbound (started|reload)/.test(what))).toEqual([]);
  expect(await lookUp('owner.home.arpa')).toEqual(['10.77.47.9']);
});

it('puts back what a page took away that was open meanwhile, and keeps what the page changed', async () => {
  const page = await router.control.openPage();
  keeper.want(wantNames(['web', 'more']));
  await expect.poll(async () => await router.control.fetchConfig(), { timeout: 10_000 }).toContain('<host>more</host>');
  await page.save({
    edits: [{ kind: 'set', path: ['unbound', 'hosts', 0, 'ip'], value: '10.77.47.8' }],
    apply: ['unbound'],
  });
  await expect.poll(async () => await router.control.fetchConfig(), { timeout: 15_000 }).toContain('<host>more</host>');
  expect(await router.control.fetchConfig()).toContain('<ip>10.77.47.8</ip>');
  await expect.poll(async () => await lookUp('more.svc'), { timeout: 20_000 }).toEqual(['10.77.47.60']);
}, 60_000);

it('is in step again after a power cut of the router', async () => {
  await settled();
  await router.control.addFault({ kind: 'reboot', seconds: 2 });
  expect(await lookUp('web.svc')).toEqual(['10.77.47.60']);
  keeper.want(wantNames(['web']));
  await expect.poll(async () => await lookUp('more.svc'), { timeout: 15_000 }).toEqual([]);
  await expect
    .poll(async () => await router.control.fetchConfig(), { timeout: 15_000 })
    .not.toContain('<host>more</host>');
}, 60_000);

it('hands a command to the running HAProxy, and its answer back', { timeout: 20_000 }, async () => {
  const command = { backEnd: 'lw-web', server: 'node102', state: 'drain' } as const;
  const answers = await setServers(connection, owner, [command], AbortSignal.timeout(15_000));
  expect(answers).toEqual(['No such backend.']);
});
