// The keeper against a real HTTPS server with a real PHP behind it; only time is ours. Without PHP it is left out (see findPhp).
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@labwright/core/ports/clock';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { afterEach, describe, expect, test } from 'vitest';
import { textAt } from '../config/config-value.ts';
import { places } from '../config/place.ts';
import { parseXml } from '../config/xml-tree.ts';
import type { PfsenseConnection } from '../connection.ts';
import type { Change } from '../edits/change.ts';
import { type OwnedEntry, entriesOf } from '../edits/plan-edits.ts';
import { backEndEntry, frontEndEntry } from '../entries/balancer-entry.ts';
import { hostEntries } from '../entries/name-entry.ts';
import { everyPlace, markFor, owner, residueOf, sampleConfig } from '../test-config.ts';
import {
  type PeerAnswer,
  connectTo,
  faultReply,
  makeRouterCertificate,
  memoryPins,
  openRouterPeer,
  snippetReply,
} from '../test-peer.ts';
import { type PhpRouter, findPhp, openPhpRouter } from '../test-php.ts';
import type { RouterKeeperOptions } from './keeper-options.ts';
import { RouterKeeper } from './router-keeper.ts';

const php = await findPhp();
const certificate = await makeRouterCertificate();

/** Time stands still until a test moves it. */
function makeManualClock(): Clock & { advance(ms: number): void } {
  let now = 1_700_000_000_000;
  const sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { untilMs: now + ms, wake: resolve };
      sleepers.add(sleeper);
      const onAbort = (): void => {
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort);
      try {
        await promise;
      } finally {
        sleepers.delete(sleeper);
        signal.removeEventListener('abort', onAbort);
      }
    },
    advance: (ms) => {
      now += ms;
      for (const sleeper of sleepers) if (sleeper.untilMs <= now) sleeper.wake();
    },
  };
}

interface Bench {
  readonly router: PhpRouter;
  readonly connection: PfsenseConnection;
  readonly keeper: RouterKeeper;
  readonly clock: ReturnType<typeof makeManualClock>;
  readonly calls: () => number;
  /** Answers calls instead of PHP, while it is set. */
  fault: (() => PeerAnswer) | undefined;
  /** A call is carried out, and its answer is lost. */
  losesAnswers: boolean;
  /** Lets time go by until the condition holds. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

async function setUp(
  changes: Partial<RouterKeeperOptions> = {},
  { version, access = {} }: { readonly version?: string; readonly access?: Parameters<typeof connectTo>[1] } = {},
): Promise<Bench> {
  if (php === undefined) throw new Error('there is no PHP');
  const router = await openPhpRouter(php, sampleConfig, version);
  const faults: { fault: Bench['fault']; losesAnswers: boolean } = { fault: undefined, losesAnswers: false };
  const peer = await openRouterPeer(certificate, async ({ strings }) => {
    if (faults.fault !== undefined) return faults.fault();
    const { r } = (await router.execPhp(strings[0] ?? '')) as { readonly r: string };
    return faults.losesAnswers ? 'hang up' : snippetReply(JSON.parse(r) as object);
  });
  const connection = connectTo(peer.port, access);
  const clock = makeManualClock();
  const keeper = new RouterKeeper({
    connection,
    clock,
    log: silentLog,
    holder: 'first',
    probe: () => Promise.resolve(new Map()),
    ...changes,
  });
  const stop = new AbortController();
  const ended = keeper.run(stop.signal).catch((error: unknown) => error);
  const made: Bench = Object.assign(faults, {
    router,
    connection,
    keeper,
    clock,
    calls: () => peer.calls.length,
    async until(condition: () => boolean | Promise<boolean>) {
      for (let count = 0; count < 600; count += 1) {
        if (await condition()) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
        clock.advance(100);
      }
      throw new Error(`it did not come about; the keeper is ${JSON.stringify(keeper.standing)}`);
    },
    async close() {
      stop.abort(new Error('the test is over'));
      await ended;
      await connection.close();
      await peer.close();
      await router.close();
    },
  });
  bench = made;
  return made;
}

const host = (key: string, address = '192.0.2.50'): readonly OwnedEntry[] =>
  hostEntries(markFor(key), { name: `${key}.svc`, addresses: [address] }, 'unbound');
const backEnd = (key: string, port: number): OwnedEntry =>
  backEndEntry(markFor(key), {
    name: `lw-${key}`,
    check: { kind: 'none' },
    servers: [{ name: 'n1', address: '192.0.2.21', port }],
  });
const balancer = (key: string, port: number): readonly OwnedEntry[] => [
  backEnd(key, 31_000),
  frontEndEntry(markFor(key), {
    name: `lw-${key}`,
    address: { kind: 'one', address: '192.0.2.1' },
    port,
    routing: { kind: 'tcp', backEnd: `lw-${key}` },
  }),
];
const takePorts = async ({ folder }: PhpRouter, text: string): Promise<void> => {
  await writeFile(join(folder, 'taken-ports'), text);
};
const want = (entries: readonly OwnedEntry[]) => ({ owner, entries, managed: everyPlace });
const namesOn = async (router: PhpRouter): Promise<readonly unknown[]> =>
  entriesOf(parseXml(await router.readConfig()), places.resolverHosts).map((entry) => textAt(entry, 'host'));
const writesOn = async (router: PhpRouter): Promise<number> =>
  (await router.takeCalls()).filter((name) => name === 'write_config').length;

describe.skipIf(php === undefined)('RouterKeeper', () => {
  test('names are live before anything is written, and a burst is one write', async () => {
    const at = await setUp();
    at.keeper.want(want(host('a')));
    const resolver = join(at.router.folder, 'resolver/local_datas');
    await at.until(
      async () =>
        await stat(resolver).then(
          () => true,
          () => false,
        ),
    );
    expect(await at.router.readConfig()).toBe(sampleConfig);
    for (const count of [1, 2, 3, 4, 5]) {
      at.keeper.want(
        want(Array.from({ length: count }, (_, index) => host(`s${index}`, `192.0.2.${60 + index}`)).flat()),
      );
      at.clock.advance(300);
    }
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toEqual(['photos', 's0', 's1', 's2', 's3', 's4']);
    expect(await writesOn(at.router)).toBe(1);
    expect(
      residueOf(parseXml((await at.router.readConfig()).replace(/<revision>[^]*<\/revision>/, '')).root, owner),
    ).toEqual(residueOf(parseXml(sampleConfig.replace(/<revision>[^]*<\/revision>/, '')).root, owner));
  });

  test('nothing is written when all is there', async () => {
    const at = await setUp();
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    at.keeper.want(want(host('a')));
    const before = at.calls();
    await at.until(() => at.calls() > before + 4);
    expect(await writesOn(at.router)).toBe(1);
  });

  test('an entry that a page dropped or a person changed is put back, and theirs stays', async () => {
    const at = await setUp();
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    // A page that was open before the write saves the whole of what it had read.
    await at.router.writeConfig(sampleConfig.replace('<hostname>gateway', '<hostname>theirs'));
    await at.until(async () => (await namesOn(at.router)).includes('a'));
    expect(await at.router.readConfig()).toContain('<hostname>theirs');
    await at.router.writeConfig((await at.router.readConfig()).replace('192.0.2.50', '192.0.2.66'));
    await at.until(async () => (await at.router.readConfig()).includes('192.0.2.50'));
    expect(await writesOn(at.router)).toBe(3);
  });

  test('a resolver that others started anew is told all of ours again, and the file it starts from is made anew', async () => {
    const at = await setUp();
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    await at.router.takeCalls();
    await writeFile(join(at.router.folder, 'resolver/local_datas'), '');
    // From files that are older than our write: such a page was open before it.
    await writeFile(join(at.router.folder, 'run/unbound.pid'), '4711\n');
    await at.until(async () =>
      (await readFile(join(at.router.folder, 'resolver/local_datas'), 'utf8')).includes('a.svc. 60 IN A 192.0.2.50'),
    );
    await at.until(async () => (await at.router.takeCalls()).includes('unbound_add_host_entries'));
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await at.router.takeCalls()).toEqual([]);
  });

  test('what does not work is taken back to what it was, alone, and is not tried again', async () => {
    const asked: string[] = [];
    const probe = (changes: readonly Change[]): Promise<ReadonlyMap<string, string>> => {
      asked.push(...changes.map((change) => (change.kind === 'entry' ? change.mark.key : '')));
      return Promise.resolve(
        new Map(JSON.stringify(changes).includes('192.0.2.99') ? [['a', 'a.svc does not answer']] : []),
      );
    };
    const at = await setUp({ probe });
    at.keeper.want(want(host('a')));
    await at.until(() => asked.length === 1);
    at.keeper.want(want([...host('a', '192.0.2.99'), ...host('b')]));
    await at.until(() => at.keeper.standing.takenBack.size > 0);
    await at.until(async () =>
      (await at.router.readConfig()).includes('<ip>192.0.2.50</ip>\n\t\t\t<descr><![CDATA[labwright:home/main/a'),
    );
    expect(await namesOn(at.router)).toEqual(['photos', 'a', 'b']);
    expect(at.keeper.standing.takenBack.get('a')).toMatchObject({ code: 'LW8010', why: 'a.svc does not answer' });
    const before = at.calls();
    await at.until(() => at.calls() > before + 3);
    expect(await writesOn(at.router)).toBe(3);
    at.keeper.want(want([...host('a', '192.0.2.98'), ...host('b')]));
    expect(at.keeper.standing.takenBack.size).toBe(0);
    await at.until(async () => (await at.router.readConfig()).includes('192.0.2.98'));
  });

  test('each entry has two looks of its own: what fails once, as others fail before it, stays', async () => {
    const looks: (readonly string[])[] = [];
    const faults = [['a', 'c'], ['b', 'c'], []];
    const probe = (changes: readonly Change[]): Promise<ReadonlyMap<string, string>> => {
      looks.push(changes.map((change) => (change.kind === 'entry' ? change.mark.key : '')));
      // While a look is under way, the next entry is wanted: it is written before the second one.
      if (looks.length === 1) at.keeper.want(want([...host('a'), ...host('c'), ...host('b')]));
      return Promise.resolve(new Map((faults[looks.length - 1] ?? []).map((key) => [key, 'no answer'])));
    };
    const at = await setUp({ probe });
    const number = at.keeper.want(want([...host('a'), ...host('c')]));
    await at.until(() => at.keeper.standing.verified > number);
    expect(looks.slice(0, 3)).toEqual([['a', 'c'], ['a', 'c', 'b'], ['b']]);
    expect([...at.keeper.standing.takenBack.keys()]).toEqual(['c']);
    expect(await namesOn(at.router)).toEqual(['photos', 'a', 'b']);
  });

  test('what is wanted no more is not judged before it is taken out', async () => {
    const looks: (readonly string[])[] = [];
    const probe = (changes: readonly Change[]): Promise<ReadonlyMap<string, string>> => {
      const keys = changes.map((change) => (change.kind === 'entry' ? change.mark.key : ''));
      looks.push(keys);
      if (looks.length === 1) at.keeper.want(want([...host('b'), ...host('c')]));
      return Promise.resolve(new Map(keys.filter((key) => key !== 'b').map((key) => [key, 'no answer'])));
    };
    const at = await setUp({
      probe,
      limits: { quietMs: 20_000, longestMs: 60_000, verifyMs: 2_000, writesPerHour: 100 },
    });
    at.keeper.want(want([...host('a'), ...host('c')]));
    await at.until(() => looks.length === 3);
    expect(looks).toEqual([['a', 'c'], ['c'], expect.arrayContaining(['b'])]);
    expect([...at.keeper.standing.takenBack.keys()]).toEqual(['c']);
  });

  test('one bad back end is left out, and keeps nobody waiting', async () => {
    const at = await setUp();
    at.keeper.want(want([backEnd('good', 1), backEnd('bad', 666), backEnd('fine', 2), ...host('a')]));
    await at.until(() => at.keeper.standing.kind === 'settled');
    const text = await at.router.readConfig();
    expect([
      text.includes('lw-good'),
      text.includes('lw-bad'),
      text.includes('lw-fine'),
      text.includes('main/a'),
    ]).toEqual([true, false, true, true]);
    expect([...at.keeper.standing.takenBack.keys()]).toEqual(['bad']);
  });

  test('a balancer that was broken before us is not our entries’ fault', async () => {
    const at = await setUp();
    await at.router.writeConfig(sampleConfig.replace('<port>5000', '<port>666'));
    at.keeper.want(want([backEnd('good', 1), ...host('a')]));
    await at.until(async () => (await namesOn(at.router)).includes('a'));
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.keeper.standing).toMatchObject({
      error: { code: 'LW8004', message: expect.stringMatching(/all else is written$/) },
    });
    expect(at.keeper.standing.takenBack.size).toBe(0);
    await at.router.writeConfig((await at.router.readConfig()).replace('<port>666', '<port>5000'));
    await at.until(async () => (await at.router.readConfig()).includes('lw-good'));
  });

  test('what HAProxy tests well and cannot start with is taken back, alone', async () => {
    const at = await setUp();
    await takePorts(at.router, '9002');
    at.keeper.want(want([...balancer('good', 9001), ...balancer('bad', 9002), ...host('a')]));
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.keeper.standing).toMatchObject({ error: { code: 'LW8004' }, takenBack: { size: 0 } });
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect([...at.keeper.standing.takenBack.keys()]).toEqual(['bad']);
    expect(at.keeper.standing.takenBack.get('bad')).toMatchObject({
      code: 'LW8010',
      why: expect.stringContaining('lw-bad: cannot bind'),
    });
    const text = await at.router.readConfig();
    expect([text.includes('lw-good'), text.includes('lw-bad'), text.includes('main/a')]).toEqual([true, false, true]);
    expect(await at.router.run('state', { known: '' })).toMatchObject({ isPending: false });
    expect(await writesOn(at.router)).toBe(2);
  });

  test('where HAProxy does not say what it cannot start with, all that it has not taken up is taken back', async () => {
    const at = await setUp();
    at.keeper.want(want(balancer('known', 9001)));
    await at.until(() => at.keeper.standing.verified > 0);
    await takePorts(at.router, '9002 unnamed');
    at.keeper.want(want([...balancer('known', 9001), ...balancer('bad', 9002), ...balancer('beside', 9003)]));
    await at.until(() => at.keeper.standing.takenBack.size > 0);
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect([...at.keeper.standing.takenBack.keys()].toSorted()).toEqual(['bad', 'beside']);
    expect(await at.router.readConfig()).toContain('lw-known');
  });

  test('a front end whose port is taken after it was verified is taken back as well', async () => {
    const at = await setUp();
    at.keeper.want(want([...balancer('a', 9001), ...balancer('b', 9002)]));
    await at.until(() => at.keeper.standing.verified > 0);
    await takePorts(at.router, '9002');
    const pending = { subsystems: ['haproxy'], down: [], up: [] };
    await writeFile(join(at.router.folder, 'run/labwright.pending'), JSON.stringify(pending));
    await at.until(() => at.keeper.standing.takenBack.size > 0);
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect([...at.keeper.standing.takenBack.keys()]).toEqual(['b']);
  });

  test('when HAProxy cannot start with a front end of its owner’s, ours stay', async () => {
    const at = await setUp();
    await takePorts(at.router, '8080');
    at.keeper.want(want(balancer('good', 9001)));
    const reloads = async (): Promise<number> =>
      (await readFile(join(at.router.folder, 'calls'), 'utf8')).split('haproxy reload').length - 1;
    await at.until(async () => (await reloads()) > 3);
    expect(at.keeper.standing.takenBack.size).toBe(0);
    await takePorts(at.router, '');
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await at.router.readConfig()).toContain('lw-good');
  });

  test('a write that fails in its middle is told as that, and counts', async () => {
    let remembered: readonly number[] = [];
    const writes = { recall: () => remembered, remember: (next: readonly number[]) => (remembered = next) };
    const at = await setUp({ writes });
    // A page saves in the moment of the write, and the second one, which puts its change back, is refused.
    await at.router.slip('at-backup', sampleConfig.replace('<hostname>gateway', '<hostname>theirs'));
    await writeFile(join(at.router.folder, 'writes-left'), '1');
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.keeper.standing.error).toMatchObject({
      code: 'LW8004',
      message: expect.stringMatching(/a part of it was written$/),
    });
    expect(remembered).toHaveLength(1);
  });

  test('an answer that is lost after the write costs nothing: the next look finds it done', async () => {
    const at = await setUp();
    await at.until(() => at.calls() > 0);
    at.keeper.want(want(host('a')));
    at.losesAnswers = true;
    await at.until(async () => (await namesOn(at.router)).includes('a') || at.calls() > 4);
    at.losesAnswers = false;
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toEqual(['photos', 'a']);
    expect(await writesOn(at.router)).toBe(1);
  });

  test('a router that is away or answers 500 is asked again, with longer pauses', async () => {
    const at = await setUp();
    at.fault = () => ({ status: 500, body: 'no' });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.keeper.standing.error?.code).toBe('LW8001');
    at.fault = undefined;
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toContain('a');
  });

  test('while it fails, wishes do not have it asked more often than a router that is well', async () => {
    const at = await setUp();
    at.fault = () => ({ status: 500, body: 'no' });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'failing');
    const callsIn = async (seconds: number, eachSecond: (second: number) => void): Promise<number> => {
      const before = at.calls();
      for (let second = 0; second < seconds; second += 1) {
        eachSecond(second);
        at.clock.advance(1_000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return at.calls() - before;
    };
    const wished = await callsIn(100, (second) => {
      at.keeper.want(want(host(`s${second}`)));
    });
    expect(wished).toBeLessThanOrEqual(22);
    expect(await callsIn(200, () => undefined)).toBeLessThanOrEqual(4);
    // A new wish need not wait for the end of the longest pause.
    const [before, calls] = [at.clock.now(), at.calls()];
    at.keeper.want(want(host('b')));
    await at.until(() => at.calls() > calls);
    expect(at.clock.now() - before).toBeLessThan(30_000);
    at.fault = undefined;
    at.keeper.want(want(host('b')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toEqual(['photos', 'b']);
  });

  test('a router that was away while there was nothing to write is in step again afterwards', async () => {
    const at = await setUp();
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.verified > 0);
    at.fault = () => ({ status: 500, body: 'no' });
    await at.until(() => at.keeper.standing.kind === 'failing');
    at.fault = undefined;
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(at.keeper.standing.error).toBeUndefined();
    expect(await writesOn(at.router)).toBe(1);
  });

  test('after a refused login nothing is sent until there is another password, and then it is kept again', async () => {
    let password = 'a & <secret>';
    const at = await setUp({}, { access: { readPassword: () => Promise.resolve(new Secret(password)) } });
    await at.until(() => at.calls() > 0);
    at.fault = () => faultReply(-1, 'Authentication failed');
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.keeper.standing.error?.code).toBe('LW8002');
    const calls = at.calls();
    for (const name of ['b', 'c', 'd']) {
      at.keeper.want(want([...host('a'), ...host(name)]));
      at.clock.advance(60_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(at.calls()).toBe(calls);
    at.fault = undefined;
    password = 'new';
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toEqual(['photos', 'a', 'd']);
  });

  test('after a refused login it is tried once more when a person asks', async () => {
    const at = await setUp();
    at.fault = () => faultReply(-1, 'Authentication failed');
    await at.until(() => at.keeper.standing.kind === 'failing');
    const calls = at.calls();
    expect(await at.connection.allowLogin()).toBe(true);
    at.keeper.retry();
    expect(at.keeper.standing).toMatchObject({ kind: 'starting' });
    await at.until(() => at.keeper.standing.kind === 'failing');
    expect(at.calls()).toBe(calls + 1);
    at.fault = undefined;
    expect(await at.connection.allowLogin()).toBe(false);
    at.keeper.retry();
    at.clock.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(at.calls()).toBe(calls + 1);
  });

  test('another certificate is kept away from until it is trusted', async () => {
    const pins = memoryPins({ gateway: 'AA:BB' });
    const at = await setUp({}, { access: { pins } });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'failing');
    const { error } = at.keeper.standing;
    expect(error?.code).toBe('LW8003');
    at.clock.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(at.calls()).toBe(0);
    pins.known['gateway'] = error?.where['seen'] ?? '';
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toContain('a');
  });

  test('an unknown version is read and never written to', async () => {
    const at = await setUp({}, { version: '2.9.0-RELEASE' });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'read-only');
    expect(await at.router.readConfig()).toBe(sampleConfig);
    expect(await at.router.takeCalls()).toEqual([]);
  });

  test('at the cap names stay live only, and it says so', async () => {
    const at = await setUp({ limits: { quietMs: 2_000, longestMs: 10_000, verifyMs: 5_000, writesPerHour: 1 } });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    at.keeper.want(want([...host('a'), ...host('b')]));
    await at.until(() => at.keeper.standing.kind === 'capped');
    expect(await namesOn(at.router)).toEqual(['photos', 'a']);
    at.clock.advance(3_600_000);
    await at.until(async () => (await namesOn(at.router)).includes('b'));
  });

  test('names that the resolver refuses at the cap are tried again, and that is said once', async () => {
    const said: string[] = [];
    const log = {
      ...silentLog,
      warn: (message: string) => {
        said.push(message);
      },
    };
    const limits = { quietMs: 2_000, longestMs: 10_000, verifyMs: 5_000, writesPerHour: 1 };
    const writes = { recall: () => [1_700_000_000_000 - 60_000], remember: () => undefined };
    const at = await setUp({ log, limits, writes });
    await writeFile(join(at.router.folder, 'resolver/down'), '');
    const number = at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'capped' && at.keeper.standing.deferred === number);
    const before = at.calls();
    await at.until(() => at.calls() > before + 6);
    expect(at.keeper.standing.live).toBe(0);
    expect(said).toEqual(['names wait for the configuration']);
    await rm(join(at.router.folder, 'resolver/down'));
    await at.until(() => at.keeper.standing.live === number);
  });

  test('at the cap what was lost is put back all the same, beside what waits', async () => {
    const limits = { quietMs: 2_000, longestMs: 10_000, verifyMs: 5_000, writesPerHour: 1, lossesPerHour: 1 };
    const at = await setUp({ limits });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.verified > 0);
    at.keeper.want(want([...host('a'), ...host('b')]));
    await at.until(() => at.keeper.standing.kind === 'capped');
    const before = at.clock.now();
    await at.router.writeConfig(sampleConfig);
    await at.until(async () => (await namesOn(at.router)).includes('a'));
    expect(at.clock.now() - before).toBeLessThan(30_000);
    await at.router.writeConfig(sampleConfig);
    await at.until(() => at.keeper.standing.kind === 'capped');
    expect(await namesOn(at.router)).toEqual(['photos']);
  });

  test('writes of before the start, and of others of us, count', async () => {
    const limits = { quietMs: 2_000, longestMs: 10_000, verifyMs: 5_000, writesPerHour: 2 };
    let remembered: readonly number[] = [1_700_000_000_000 - 60_000];
    const writes = { recall: () => remembered, remember: (next: readonly number[]) => (remembered = next) };
    const at = await setUp({ limits, writes });
    at.keeper.countWrites(1);
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'capped');
    expect(remembered).toHaveLength(2);
    at.clock.advance(3_600_000);
    await at.until(() => at.keeper.standing.kind === 'settled');
    expect(await namesOn(at.router)).toContain('a');
    expect(remembered).toHaveLength(1);
  });

  test('others work on the router between two rounds, and what they did is looked at first of all', async () => {
    const at = await setUp();
    at.keeper.want(want(host('web')));
    await at.until(() => at.keeper.standing.kind === 'settled');
    const { signal } = new AbortController();
    const calls = await at.keeper.apart(async () => {
      const before = at.calls();
      await at.router.writeConfig(sampleConfig);
      at.keeper.want(want([...host('web'), ...host('more')]));
      for (let count = 0; count < 20; count += 1) {
        at.clock.advance(1_000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return at.calls() - before;
    }, signal);
    expect(calls).toBe(0);
    await at.until(async () => (await namesOn(at.router)).length === 3);
    expect(await namesOn(at.router)).toEqual(['photos', 'web', 'more']);
  });

  test('another process that writes for the same owner is waited for', async () => {
    const at = await setUp();
    const other = { owner: 'labwright:home/main/', writer: { holder: 'second', seconds: 60 } };
    expect(await at.router.run('writer', other)).toEqual({ kind: 'done' });
    at.keeper.want(want(host('a')));
    await at.until(() => at.keeper.standing.kind === 'held');
    expect(await at.router.readConfig()).toBe(sampleConfig);
    await at.router.run('writer', { ...other, writer: { holder: 'second', seconds: 0 } });
    await at.until(async () => (await namesOn(at.router)).includes('a'));
  });
});
