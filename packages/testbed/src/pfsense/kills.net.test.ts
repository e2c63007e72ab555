// Whoever keeps the router is killed in the middle of a write, or the router is, or it fails in other ways: in step afterwards, and
// nothing of others changed. What is timed counts from the moment at which the write goes out: a call takes 60 ms, a write 180.
import { type ChildProcess, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { systemClock } from '@labwright/core/ports/system';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeLan } from '../network/lan.ts';
import type { KeeperLine, KeeperOrder } from './keeper-child.ts';
import { addRouterPeer, type RouterPeer } from './router-peer.ts';
import { nameAddress, namesIn, othersIn } from './wanted-names.ts';

const address = '10.77.49.1';
const resolver = new Resolver({ timeout: 1_000, tries: 1 });
const { signal } = new AbortController();
const patience = { timeout: 40_000, interval: 50 };

interface KeeperProcess {
  want(names: readonly string[]): void;
  /** Resolves at the next write that goes out. */
  writes(): Promise<void>;
  standing(): string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

let router: RouterPeer;
let keeper: KeeperProcess | undefined;

beforeAll(async () => {
  const lan = await makeLan('kills-lan', '10.77.49.50/24');
  router = await addRouterPeer(lan, address, {
    latency: 'small-appliance',
    hosts: [{ host: 'owner', domain: 'home.arpa', ip: '10.77.49.9' }],
  });
  resolver.setServers([address]);
}, 120_000);
afterEach(async () => {
  await keeper?.kill();
});
afterAll(async () => {
  await router?.stop();
});

async function startKeeper(answerTimeoutMs?: number): Promise<KeeperProcess> {
  await keeper?.kill();
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', new URL('keeper-child.ts', import.meta.url).pathname],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let standing = 'starting';
  let written = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  if (child.stdout === null) throw new Error('the child has an output');
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as KeeperLine;
    if (line.kind === 'ready') ready.resolve();
    else if (line.kind === 'standing') standing = line.standing;
    else {
      written.resolve();
      written = Promise.withResolvers<void>();
    }
  });
  const send = (value: unknown): void => {
    child.stdin?.write(`${JSON.stringify(value)}\n`);
  };
  const order: KeeperOrder = {
    address,
    ...router.login,
    ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
  };
  send(order);
  await ready.promise;
  keeper = {
    want: send,
    writes: async () => await written.promise,
    standing: () => standing,
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
  return keeper;
}

const lookUp = async (name: string): Promise<string> => (await resolver.resolve4(name).catch(() => [])).join();

interface InStep {
  readonly written: readonly string[];
  readonly live: readonly string[];
  readonly others: readonly string[];
}

/** What is written of ours, which of these names answer with our address, and all that is not ours. */
async function look(asked: readonly string[]): Promise<InStep> {
  const config = await router.control.fetchConfig();
  const live: string[] = [];
  for (const name of asked) if ((await lookUp(`${name}.svc`)) === nameAddress) live.push(name);
  return { written: namesIn(config).toSorted(), live, others: othersIn(config) };
}

/** The names that are wanted are written once each and live, those that are not are gone, and all else is as it was. */
const inStep = (names: readonly string[], others: readonly string[]): InStep => ({
  written: names.toSorted(),
  live: names,
  others,
});

const configNow = async (): Promise<readonly string[]> => othersIn(await router.control.fetchConfig());

describe('killed in the middle of a write', { timeout: 90_000 }, () => {
  it.each([0, 120, 300])('the keeper, %i ms into it', async (afterMs) => {
    const others = await configNow();
    const [wanted, left] = [`k${afterMs}`, `l${afterMs}`];
    const first = await startKeeper();
    first.want([left]);
    await expect.poll(async () => await look([left]), patience).toEqual(inStep([left], others));
    const going = first.writes();
    first.want([wanted]);
    await going;
    await systemClock.sleep(afterMs, signal);
    await first.kill();
    (await startKeeper()).want([wanted]);
    await expect.poll(async () => await look([wanted, left]), patience).toEqual(inStep([wanted], others));
  });

  it.each([20, 200])('the router, %i ms into it', async (afterMs) => {
    const others = await configNow();
    const [wanted, left] = [`r${afterMs}`, `s${afterMs}`];
    const kept = await startKeeper();
    kept.want([left]);
    await expect.poll(async () => await look([left]), patience).toEqual(inStep([left], others));
    const going = kept.writes();
    kept.want([wanted, 'more']);
    await going;
    await systemClock.sleep(afterMs, signal);
    await router.cutPower();
    await expect
      .poll(async () => await look([wanted, 'more', left]), patience)
      .toEqual(inStep([wanted, 'more'], others));
  });
});

describe('a router that', { timeout: 90_000 }, () => {
  it.each([
    ['answers 500 and did nothing', { kind: 'answer', status: 500, times: 2 }],
    ['answers 500 with the work done', { kind: 'answer', status: 500, isCarriedOut: true, times: 2 }],
    ['cuts the connection with the work done', { kind: 'cut', times: 2 }],
    ['cuts the connection and did nothing', { kind: 'cut', isCarriedOut: false, times: 2 }],
    // As 30 s for somebody who waits for 20: it goes on with what nobody waits for.
    ['is slow by more than anybody waits', { kind: 'slow', seconds: 6, times: 2 }],
  ] as const)('%s', async (what, fault) => {
    const others = await configNow();
    const name = `f${what.length}`;
    const kept = await startKeeper(fault.kind === 'slow' ? 4_000 : undefined);
    kept.want([]);
    await expect.poll(() => kept.standing(), patience).toBe('settled');
    await router.control.addFault(fault);
    kept.want([name]);
    await expect.poll(async () => await look([name]), patience).toEqual(inStep([name], others));
    await expect.poll(() => kept.standing(), patience).toBe('settled');
  });

  it('is restored from an old backup: what that had of others stays, and ours is put back', async () => {
    const kept = await startKeeper();
    kept.want(['before']);
    await expect.poll(async () => namesIn(await router.control.fetchConfig()), patience).toEqual(['before']);
    const [oldest] = await router.control.fetchBackups();
    const page = await router.control.openPage();
    await page.save({ edits: [{ kind: 'set', path: ['system', 'hostname'], value: 'renamed' }] });
    await router.control.addFault({ kind: 'restore', seconds: 1 });
    await expect
      .poll(async () => await look(['before']), patience)
      .toEqual(inStep(['before'], othersIn(oldest?.text ?? '')));
  });

  it.each([50, 200])('has a page saved %i ms into a write: both are there', async (afterMs) => {
    const kept = await startKeeper();
    kept.want(['page']);
    await expect.poll(() => kept.standing(), patience).toBe('settled');
    const page = await router.control.openPage();
    const going = kept.writes();
    kept.want(['page', `p${afterMs}`]);
    await going;
    await systemClock.sleep(afterMs, signal);
    await page.save({ edits: [{ kind: 'set', path: ['unbound', 'hosts', 0, 'ip'], value: `10.77.49.${afterMs}` }] });
    await expect
      .poll(async () => namesIn(await router.control.fetchConfig()), patience)
      .toEqual(expect.arrayContaining(['page', `p${afterMs}`]));
    expect(await router.control.fetchConfig()).toContain(`<ip>10.77.49.${afterMs}</ip>`);
    await expect.poll(async () => await lookUp(`p${afterMs}.svc`), patience).toBe(nameAddress);
  });
});
