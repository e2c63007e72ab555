// The router as an area of a lab, from plan to destroy, on an emulated pfSense with real PHP, Unbound and HAProxy.
import { execFile } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:https';
import { promisify } from 'node:util';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import type { Step } from '@labwright/core/plan/step';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { makeRouterArea, type RouterArea } from '@labwright/daemon/router/router-area';
import { adoptEntry, backUpRouter, diffRouter } from '@labwright/daemon/router/router-questions';
import { restoreRouter } from '@labwright/daemon/router/router-restore';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import { residueOf } from '@labwright/drivers/pfsense/test-config';
import { makeRouterCertificate } from '@labwright/drivers/pfsense/test-peer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeLan } from '../network/lan.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';

const routerAddress = '10.77.51.1';
const labText = `version: 1
lab: home
domain: home.arpa
networks:
  lan: { cidr: 10.77.51.0/24, gateway: ${routerAddress}, machines: 10.77.51.16/28, services: 10.77.51.200-10.77.51.209 }
hosts: { pve1: { address: 10.77.51.2, cores: 12, memory: 24GiB } }
proxmox: { token: { env: PROXMOX_TOKEN } }
router: { name: fw1, kind: pfsense, address: ${routerAddress}, password: { env: P }, manage: [dhcp, dns, haproxy] }
netboot: { mode: serve, address: 10.77.51.50 }
kubernetes: { version: 1.35.4, endpoint: { address: 10.77.51.10 } }
pools:
  control: { role: control-plane, firstVmId: 101, count: 1 }
  workers: { role: worker, firstVmId: 102, count: 2 }
`;
const patience = { timeout: 30_000, interval: 100 };
const { signal } = new AbortController();

function makeBlueprint(manage = 'dhcp, dns, haproxy'): Blueprint {
  const { lab, diagnostics } = parseLab(labText.replace('dhcp, dns, haproxy', manage), 'lab.yaml');
  if (lab === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return resolveBlueprint(lab, { rehearsal: true });
}

describe('the router of a lab', { timeout: 90_000 }, () => {
  const blueprint = makeBlueprint();
  const pins = new Map<string, string>();
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  let router: RouterPeer;
  /** Its configuration before Labwright came. */
  let ownersOwn = '';
  let api: Server;
  let open: { readonly area: RouterArea; close(): Promise<void> };

  const start = (
    changes: {
      readonly password?: string;
      readonly readPassword?: () => Promise<Secret>;
      readonly manage?: string;
    } = {},
  ) => {
    const stop = new AbortController();
    const as = changes.manage === undefined ? blueprint : makeBlueprint(changes.manage);
    if (as.router === undefined) throw new Error('the lab has a router');
    const area = makeRouterArea({
      blueprint: as,
      router: as.router,
      login: {
        user: router.login.user,
        password: new Secret(changes.password ?? router.login.password),
        ...(changes.readPassword === undefined ? {} : { readPassword: changes.readPassword }),
      },
      expect: 'rehearsal',
      pins: {
        get: async (name) => await Promise.resolve(pins.get(name)),
        set: async (name, fingerprint) => await Promise.resolve(void pins.set(name, fingerprint)),
      },
      stateDirectory: '/state',
      clock: systemClock,
      log: { ...silentLog, warn: console.log, error: console.log },
      signal: stop.signal,
    });
    return {
      area,
      close: async () => {
        stop.abort(new Error('closed'));
        await area.close();
      },
    };
  };
  const apply = async (steps: readonly Step[]): Promise<void> => {
    await Promise.all(
      steps.map(async ({ kind, input }) => {
        await open.area.executors.get(kind)?.run(input, { signal, progress: () => undefined });
      }),
    );
  };
  const lookUp = async (name: string): Promise<string> => (await resolver.resolve4(name).catch(() => [])).join();

  beforeAll(async () => {
    const lan = await makeLan('area-lan', '10.77.51.50/24');
    // The first control plane: its API stands in this process.
    await promisify(execFile)('ip', ['addr', 'add', '10.77.51.17/24', 'dev', 'area-lan']);
    const { key, pem } = await makeRouterCertificate('nobody');
    api = createServer({ key, cert: pem }, (incoming, outgoing) => {
      outgoing.end(incoming.url === '/readyz' ? 'ok' : 'the API');
    });
    router = await addRouterPeer(lan, routerAddress, {
      hosts: [{ host: 'node102', domain: 'home.arpa', ip: '10.77.51.99' }],
    });
    ownersOwn = await router.control.fetchConfig();
    resolver.setServers([routerAddress]);
    open = start();
  }, 240_000);
  afterAll(async () => {
    await open?.close();
    api?.close();
    await router?.stop();
  });

  test('is planned, applied in one write, and then as the lab file says', async () => {
    const { area } = open;
    const plan = await area.plan(blueprint.machines, signal);
    expect(plan.steps.map(({ id }) => id)).toEqual(['router.leases fw1', 'router.names fw1', 'router.balancers fw1']);
    expect(JSON.stringify(plan.problems)).toContain('the name node102.home.arpa is taken by an entry made by hand');
    const entries = await area.listEntries(plan, signal);
    expect(plan.steps.flatMap(({ relies }) => relies).every(({ entry, was }) => entries.get(entry) === was)).toBe(true);
    const before = (await router.control.fetchJournal()).length;
    await apply(plan.steps);
    const journal = (await router.control.fetchJournal()).slice(before);
    expect(journal.filter(({ what }) => what === 'config written')).toHaveLength(1);
    expect(await lookUp('node101.home.arpa')).toBe('10.77.51.17');
    expect(await lookUp('kube.home.arpa')).toBe('10.77.51.10');
    expect(await lookUp('node102.home.arpa')).toBe('10.77.51.99');
    expect(await router.control.fetchConfig()).toContain('<mac>02:1a:b0:00:01:01</mac>');
    expect((await area.plan(blueprint.machines, signal)).steps).toEqual([]);
    expect(await area.status(signal)).toMatchObject({ standing: 'in step', words: /except for 1 entry/ });
  });

  test('has the API of the cluster at its endpoint while a control plane is ready', async () => {
    expect(await askApi()).not.toBe('the API');
    api.listen({ host: '10.77.51.17', port: 6443 });
    await once(api, 'listening');
    await expect.poll(askApi, patience).toBe('the API');
  });

  test('hands over what a person made only when that is agreed to', async () => {
    const { area } = open;
    const looked = await adoptEntry(area, { name: 'node102.home.arpa' }, signal);
    expect(looked).toMatchObject({ place: 'unbound/hosts', isDone: false });
    expect(await lookUp('node102.home.arpa')).toBe('10.77.51.99');
    await expect(adoptEntry(area, { name: 'other.home.arpa', agreedTo: looked.hash }, signal)).rejects.toMatchObject({
      code: 'LW0002',
    });
    await adoptEntry(area, { name: 'node102.home.arpa', agreedTo: looked.hash }, signal);
    await expect.poll(async () => await lookUp('node102.home.arpa'), patience).toBe('10.77.51.18');
    expect((await area.plan(blueprint.machines, signal)).problems).toEqual([]);
    expect((await diffRouter(area, signal)).differences).toEqual([]);
    expect((await backUpRouter(area, signal)).text).toBe(await router.control.fetchConfig());
  });

  test('has put back what somebody takes away, also after a restart', async () => {
    await open.close();
    open = start();
    open.area.attend();
    await expect.poll(() => open.area.router.wish.lab, patience).not.toBe('kept');
    const page = await router.control.openPage();
    await page.save({ edits: [{ kind: 'remove', path: ['unbound', 'hosts'] }], apply: ['unbound'] });
    await expect.poll(async () => await lookUp('kube.home.arpa'), patience).toBe('10.77.51.10');
    await expect.poll(async () => await router.control.fetchConfig(), patience).toContain('lab.endpoint');
  });

  test('is restored to an old backup, and its lab comes in step again by itself', async () => {
    const { area } = open;
    const page = await router.control.openPage();
    const host = { host: 'newer', domain: 'home.arpa', ip: '10.77.51.98', descr: '', aliases: '' };
    await page.save({ edits: [{ kind: 'add', path: ['unbound', 'hosts'], value: host }], apply: ['unbound'] });
    await expect.poll(async () => await lookUp('newer.home.arpa'), patience).toBe('10.77.51.98');
    const othersIn = (config: string): readonly string[] => {
      const text = config.replace(/\t<revision>[^]*?<\/revision>\n/, '');
      return residueOf(parseXml(text).root, area.router.terms.owner);
    };

    const seen = await restoreRouter(area, { text: ownersOwn }, signal);
    expect(seen.sections.map(({ section }) => section)).toEqual(expect.arrayContaining(['unbound', 'virtualip']));
    expect(seen.sections.find(({ section }) => section === 'unbound')?.removed).toEqual(
      expect.arrayContaining(['hosts newer.home.arpa', 'hosts kube.home.arpa']),
    );
    expect(seen).toMatchObject({ afterReboot: [], notes: [] });
    expect(await lookUp('newer.home.arpa')).toBe('10.77.51.98');
    await expect(restoreRouter(area, { text: ownersOwn, agreedTo: '0'.repeat(64) }, signal)).rejects.toMatchObject({
      code: 'LW8007',
    });
    const newer = ownersOwn.replace(/<version>[^<]*/, '<version>99.0');
    await expect(restoreRouter(area, { text: newer }, signal)).rejects.toMatchObject({ code: 'LW8012' });

    const present = await backUpRouter(area, signal);
    const before = (await router.control.fetchJournal()).length;
    const { done } = await restoreRouter(area, { text: ownersOwn, agreedTo: present.hash }, signal);
    expect(done).toMatchObject({ failed: {}, slipped: [] });
    const [written] = (await router.control.fetchJournal())
      .slice(before)
      .filter(({ what }) => what === 'config written');
    expect(written).toMatchObject({ description: expect.stringContaining('restores a backup of') as string });
    expect((await router.control.fetchBackups()).map(({ text }) => text)).toContain(present.text);

    await expect.poll(async () => await lookUp('kube.home.arpa'), patience).toBe('10.77.51.10');
    await expect.poll(askApi, patience).toBe('the API');
    expect(await lookUp('newer.home.arpa')).toBe('');
    // What was handed over since is its owner's again.
    expect(await lookUp('node102.home.arpa')).toBe('10.77.51.99');
    expect(othersIn(await router.control.fetchConfig())).toEqual(othersIn(ownersOwn));

    const { hash } = await restoreRouter(area, { text: present.text }, signal);
    await restoreRouter(area, { text: present.text, agreedTo: hash }, signal);
    await expect.poll(async () => await lookUp('newer.home.arpa'), patience).toBe('10.77.51.98');
    expect((await restoreRouter(area, { text: present.text }, signal)).sections).toEqual([]);
    expect((await diffRouter(area, signal)).differences).toEqual([]);
  });

  test('says that HAProxy is switched off, writes nothing for it, and goes on when it is on again', async () => {
    const place = ['installedpackages', 'haproxy', 'enable'];
    const page = await router.control.openPage();
    await page.save({ edits: [{ kind: 'remove', path: place }], apply: ['haproxy'] });
    const { problems } = await open.area.plan(blueprint.machines, signal);
    expect(problems.map(({ what }) => what)).toContain('HAProxy is switched off on fw1');
    await expect
      .poll(async () => await open.area.status(signal), patience)
      .toMatchObject({ words: expect.stringContaining('Services > HAProxy > Settings > Enable') as string });
    const { endpoint } = blueprint.cluster ?? {};
    const own = await router.control.openPage();
    await own.save({ edits: [{ kind: 'remove', path: ['virtualip', 'vip'] }], apply: [] });
    const before = (await router.control.fetchJournal()).length;
    await systemClock.sleep(8_000, signal);
    const written = (await router.control.fetchJournal()).slice(before);
    expect(written.filter(({ what }) => what === 'config written')).toEqual([]);
    const again = await router.control.openPage();
    await again.save({ edits: [{ kind: 'set', path: place, value: '' }], apply: ['haproxy'] });
    await expect
      .poll(async () => await router.control.fetchConfig(), patience)
      .toContain(`<subnet>${endpoint?.address}`);
    await expect.poll(askApi, patience).toBe('the API');
    expect(JSON.stringify((await open.area.plan(blueprint.machines, signal)).problems)).not.toContain('LW8013');
  });

  test('is a problem of the plan while it does not answer, and of nothing else', async () => {
    const fault = await router.control.addFault({ kind: 'answer', status: 500 });
    const { steps, problems } = await open.area.plan(blueprint.machines, signal);
    expect(steps).toEqual([]);
    expect(problems).toMatchObject([{ code: 'LW8001' }]);
    await expect
      .poll(async () => await open.area.status(signal), patience)
      .toMatchObject({ standing: 'away', version: null });
    await router.control.removeFaults(fault);
  });

  test('is left as it was when its last machine goes', async () => {
    const plan = await open.area.plan([], signal);
    expect(plan.steps.map(({ change }) => change)).toEqual(['destroy', 'destroy', 'destroy']);
    await apply(plan.steps);
    expect(await router.control.fetchConfig()).not.toContain('labwright:');
    expect(await lookUp('kube.home.arpa')).toBe('');
    expect((await open.area.plan([], signal)).steps).toEqual([]);
  });

  test('loses what is taken out of the list when a plan is applied, and nothing before', async () => {
    await apply((await open.area.plan(blueprint.machines, signal)).steps);
    expect(await lookUp('node101.home.arpa')).toBe('10.77.51.17');
    await open.close();
    open = start({ manage: 'dhcp' });
    open.area.attend();
    await expect.poll(() => open.area.router.standing.kind, patience).toBe('settled');
    expect(await lookUp('node101.home.arpa')).toBe('10.77.51.17');
    const plan = await open.area.plan(blueprint.machines, signal);
    expect(plan.steps.map(({ id, change, risk }) => [id, change, risk.level])).toEqual([
      ['router.names fw1', 'destroy', 'data-loss'],
      ['router.balancers fw1', 'destroy', 'data-loss'],
    ]);
    const entries = await open.area.listEntries(plan, signal);
    expect(plan.steps.flatMap(({ relies }) => relies).every(({ entry, was }) => entries.get(entry) === was)).toBe(true);
    const { differences } = await diffRouter(open.area, signal);
    expect(differences).toContainEqual({
      change: 'remove',
      place: 'unbound/hosts',
      subject: 'kube.home.arpa',
      why: null,
    });
    await apply(plan.steps);
    expect(await lookUp('node101.home.arpa')).toBe('');
    expect(await askApi()).not.toBe('the API');
    const config = await router.control.fetchConfig();
    expect(config.match(/labwright:[^<]*/g)?.filter((mark) => !mark.includes('lab.machine.'))).toEqual([]);
    expect(config).toContain('<mac>02:1a:b0:00:01:01</mac>');
    expect((await open.area.plan(blueprint.machines, signal)).steps).toEqual([]);
  });

  test('has nothing of ours any more when nothing is left in the list, and is not kept then', async () => {
    await open.close();
    open = start({ manage: '' });
    open.area.attend();
    expect(await open.area.status(signal)).toBeUndefined();
    const { steps } = await open.area.plan(blueprint.machines, signal);
    expect(steps.map(({ id, risk }) => [id, risk.level])).toEqual([['router.leases fw1', 'data-loss']]);
    await apply(steps);
    expect(await router.control.fetchConfig()).not.toContain('labwright:');
    expect((await open.area.plan(blueprint.machines, signal)).steps).toEqual([]);
    // An old backup that somebody restores is found as well.
    const page = await router.control.openPage();
    const host = { host: 'old', domain: 'home.arpa', ip: '10.77.51.9', descr: 'labwright:home+rehearsal/lab/lab.old' };
    await page.save({ edits: [{ kind: 'add', path: ['unbound', 'hosts'], value: host }], apply: ['unbound'] });
    await apply((await open.area.plan(blueprint.machines, signal)).steps);
    expect(await router.control.fetchConfig()).not.toContain('labwright:');
  });

  test('of which nothing is managed holds no plan up when it is away', async () => {
    const fault = await router.control.addFault({ kind: 'answer', status: 500 });
    const { steps, problems, notes } = await open.area.plan(blueprint.machines, signal);
    expect([steps, problems]).toEqual([[], []]);
    expect(notes).toEqual([expect.stringContaining('whether entries of this lab are left on it is not known')]);
    await router.control.removeFaults(fault);
  });

  test('is asked with a wrong password once, and once more for a plan, and is kept when the secret is the right one', async () => {
    await open.close();
    let password = 'wrong';
    open = start({ password, readPassword: async () => await Promise.resolve(new Secret(password)) });
    open.area.attend();
    await expect
      .poll(async () => await open.area.status(signal), patience)
      .toMatchObject({ standing: 'failing', words: expect.stringContaining('refused the login') as string });
    for (let count = 0; count < 3; count += 1) {
      expect((await open.area.plan(blueprint.machines, signal)).problems).toMatchObject([{ code: 'LW8002' }]);
    }
    expect((await router.control.fetchStatus()).blocked).toEqual([]);
    password = router.login.password;
    await expect.poll(async () => await open.area.status(signal), patience).toMatchObject({ standing: 'in step' });
    expect(JSON.stringify((await open.area.plan(blueprint.machines, signal)).problems)).not.toContain('LW8002');
  });
});

/** What the API says through the endpoint, or the code of the error. */
async function askApi(): Promise<string> {
  return await new Promise((resolve) => {
    const target = {
      host: '10.77.51.10',
      port: 6443,
      path: '/',
      rejectUnauthorized: false,
      agent: false,
      timeout: 3_000,
    };
    const outgoing = request(target, (incoming) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () => {
        resolve(text);
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('silent')));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    outgoing.end();
  });
}
