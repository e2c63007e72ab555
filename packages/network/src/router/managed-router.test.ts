// The one router of a lab, against a real HTTPS server with a real PHP behind it. Without PHP it is left out (see findPhp).
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { formatMark } from '@labwright/drivers/pfsense/config/mark';
import { places } from '@labwright/drivers/pfsense/config/place';
import type { Change } from '@labwright/drivers/pfsense/edits/change';
import { sampleConfig } from '@labwright/drivers/pfsense/test-config';
import { connectTo, makeRouterCertificate, openRouterPeer, snippetReply } from '@labwright/drivers/pfsense/test-peer';
import { findPhp, openPhpRouter, type PhpRouter } from '@labwright/drivers/pfsense/test-php';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { NetworkState } from '../controller/network-end.ts';
import { ownerOf } from './entry-names.ts';
import { ManagedRouter, type ManagedRouterOptions } from './managed-router.ts';
import { RouterEnd } from './router-end.ts';
import { makeBlueprint } from './sample-router.test-data.ts';

const php = await findPhp();
const certificate = await makeRouterCertificate();
const blueprint = makeBlueprint({ 'manage: [dhcp, dns, haproxy]': 'manage: [dns]' });
const { signal } = new AbortController();
const limits = { quietMs: 50, longestMs: 200, verifyMs: 200, writesPerHour: 12 };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setUp(
  changes: Partial<ManagedRouterOptions['keeper']> = {},
  config = sampleConfig,
  version?: string,
): Promise<{ readonly managed: ManagedRouter; readonly router: PhpRouter }> {
  if (php === undefined) throw new Error('there is no PHP');
  const router = await openPhpRouter(php, config, version);
  const peer = await openRouterPeer(certificate, async ({ strings }) => {
    const { r } = (await router.execPhp(strings[0] ?? '')) as { readonly r: string };
    return snippetReply(JSON.parse(r) as object);
  });
  const connection = connectTo(peer.port);
  const managed = new ManagedRouter({
    connection,
    terms: {
      owner: ownerOf(blueprint.lab),
      manage: ['dns'],
      hasNameServer: false,
      machineNetwork: ipv4('192.0.2.1'),
    },
    holder: 'test',
    clock: systemClock,
    log: silentLog,
    keeper: { limits, lookEveryMs: 500, probe: () => Promise.resolve(new Map()), ...changes },
  });
  const stop = new AbortController();
  const running = managed.run(stop.signal).catch((error: unknown) => error);
  closers.push(
    async () => await router.close(),
    async () => await peer.close(),
    async () => await connection.close(),
    async () => {
      stop.abort(new Error('the test is over'));
      await running;
    },
  );
  return { managed, router };
}

const keysOf = (changes: readonly Change[]): readonly string[] =>
  changes.map((change) => (change.kind === 'entry' ? change.mark.key : ''));

const address = ipv4('192.0.2.70');
const stateWith = (name: string, nodes: readonly string[]): NetworkState => ({
  names: [{ name, addresses: [address], owners: [] }],
  addresses: [],
  balancers: [
    {
      kind: 'tcp',
      address,
      port: 80,
      owner: 'Service default/web',
      affinity: 'none',
      backends: nodes.map((node) => ({ node, address: ipv4('192.0.2.21'), port: 30_080 })),
      standby: [],
    },
  ],
});

describe.skipIf(php === undefined)('ManagedRouter', { timeout: 30_000 }, () => {
  test('is verified only after what was written was looked at', async () => {
    const looked: string[] = [];
    const { managed } = await setUp({
      probe: (changes) => {
        looked.push(...keysOf(changes));
        return Promise.resolve(new Map());
      },
    });
    managed.wantLab({ blueprint });
    await managed.settle('written', { patienceMs: 20_000, signal });
    expect(looked).toEqual([]);
    const { verified, written } = await managed.settle('verified', { patienceMs: 20_000, signal });
    expect(verified).toBe(written);
    expect(looked).toContain('lab.endpoint');
  });

  test('says of an entry of the lab that it was taken back, and tries the same again at a later plan only', async () => {
    // Not the words about the last change.
    const ours = /labwright:[^<]*lab\.endpoint\]/;
    let fault: string | undefined = 'kube has no answer there';
    const { managed, router } = await setUp({
      probe: () => Promise.resolve(new Map(fault === undefined ? [] : [['lab.endpoint', fault]])),
    });
    managed.wantLab({ blueprint });
    const settled = async () => await managed.settle('verified', { patienceMs: 20_000, signal });
    await expect(settled()).rejects.toMatchObject({ code: 'LW8010', why: fault });
    await expect.poll(async () => await router.readConfig(), { timeout: 20_000 }).not.toMatch(ours);
    expect(await router.readConfig()).toContain('lab.machine.node101');
    fault = undefined;
    managed.tryAgain(systemClock.now() - 60_000);
    await expect(settled()).rejects.toMatchObject({ code: 'LW8010' });
    managed.tryAgain(systemClock.now());
    await settled();
    expect(await router.readConfig()).toMatch(ours);
  });

  test('that is only read is told of no server and takes over no entry', async () => {
    const { managed, router } = await setUp({}, sampleConfig, '2.9.0-RELEASE');
    const state = await managed.look(signal);
    const host = { host: 'photos', domain: 'lab.test', ip: '192.0.2.40', descr: '' };
    const mark = { ...ownerOf(blueprint.lab), key: 'lab.photos' };
    const change: Change = {
      kind: 'entry',
      place: places.resolverHosts,
      mark,
      after: { ...host, descr: formatMark(mark) },
    };
    await expect(managed.adopt(state, [change], signal)).rejects.toMatchObject({ code: 'LW8006' });
    await managed.moveServers([{ backEnd: 'web', server: 'node101', state: 'drain' }], signal);
    expect(await router.readConfig()).toBe(sampleConfig);
    const { readOnly: _, ...profile } = state.profile;
    expect(() => {
      managed.assertWritable({ profile, heldBy: 'another' });
    }).toThrow(expect.objectContaining({ code: 'LW8007' }));
  });

  test('with the forwarder a newer decision need not wait for a write, and takes the place of the older one', async () => {
    const config = sampleConfig
      .replace(/<unbound>\s*<enable><\/enable>/, '<unbound>')
      .replace('<dnsmasq>', '<dnsmasq><enable></enable>');
    const { managed, router } = await setUp({ limits: { ...limits, quietMs: 4_000, longestMs: 10_000 } }, config);
    managed.wantLab('none');
    const moved = vi.spyOn(managed, 'moveServers').mockResolvedValue();
    const end = new RouterEnd(managed, silentLog);
    await end.put(stateWith('old.svc', ['node101', 'node102']), signal);
    await end.put(stateWith('new.svc', ['node102']), signal);
    expect(await router.readConfig()).toBe(config);
    expect(moved.mock.calls.at(-1)?.[0]).toMatchObject([{ server: 'node101', state: 'drain' }]);
    await managed.settle('written', { patienceMs: 20_000, signal });
    const written = await router.readConfig();
    expect([written.includes('<host>new</host>'), written.includes('<host>old</host>')]).toEqual([true, false]);
    expect((await router.takeCalls()).filter((name) => name === 'write_config')).toHaveLength(1);
  });

  test('at the cap, with a resolver that refuses names, a newer decision need not wait for the next hour', async () => {
    const config = sampleConfig.replace(/<unbound>\s*<enable><\/enable>/, '<unbound>');
    const writes = { recall: () => [systemClock.now()], remember: () => undefined };
    const { managed, router } = await setUp({ limits: { ...limits, writesPerHour: 1 }, writes }, config);
    managed.wantLab('none');
    const moved = vi.spyOn(managed, 'moveServers').mockResolvedValue();
    const end = new RouterEnd(managed, silentLog);
    await end.put(stateWith('old.svc', ['node101', 'node102']), signal);
    await end.put(stateWith('new.svc', ['node102']), signal);
    expect(moved.mock.calls.at(-1)?.[0]).toMatchObject([{ server: 'node101', state: 'drain' }]);
    expect(managed.standing).toMatchObject({ kind: 'capped', written: 0 });
    expect(await router.readConfig()).toBe(config);
  });
});
