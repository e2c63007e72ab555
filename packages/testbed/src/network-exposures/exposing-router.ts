// An emulated pfSense as the end of what a cluster exposes, without the cluster: what its objects would be is given, decided as the
// controller does it, and put on the router by the keeper.
import { connect } from 'node:net';
import { ipv4, type Ipv4Range } from '@labwright/core/addresses/ipv4';
import { labId } from '@labwright/core/addresses/names';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import type { ScheduleLimits } from '@labwright/drivers/pfsense/keeper/write-schedule';
import { networkState } from '@labwright/network/controller/network-end';
import { makeFacts, makeSettings } from '@labwright/network/exposures/cluster.test-data';
import { decideExposures } from '@labwright/network/exposures/decide-exposures';
import type { ExposureFacts } from '@labwright/network/exposures/exposure';
import { ownerOf } from '@labwright/network/router/entry-names';
import { ManagedRouter } from '@labwright/network/router/managed-router';
import { RouterEnd } from '@labwright/network/router/router-end';
import type { Lan } from '../network/lan.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';

export const quickLimits: ScheduleLimits = { quietMs: 500, longestMs: 2_000, verifyMs: 2_000, writesPerHour: 200 };

export interface ExposingRouter {
  /** Ends when the running router was told. */
  put(facts: Partial<ExposureFacts>): Promise<void>;
  /** Until the configuration has it too. */
  written(): Promise<void>;
  /** How often the configuration was written. */
  countWrites(): Promise<number>;
  /** As a process that was started anew: it knows what it is told from now on. */
  restart(limits: ScheduleLimits): Promise<void>;
  stop(): Promise<void>;
}

export async function startExposingRouter(lan: Lan, address: string, range: Ipv4Range): Promise<ExposingRouter> {
  const router = await addRouterPeer(lan, address);
  let running = startKeeper(router, quickLimits);
  const { signal } = new AbortController();
  return {
    put: async (facts) => {
      const state = networkState(decideExposures(makeFacts(facts), makeSettings({ range, takenAddresses: new Map() })));
      const problems = await running.end.put(state, signal);
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    },
    written: async () => {
      await running.managed.settle('written', { patienceMs: 60_000, signal });
    },
    countWrites: async () =>
      (await router.control.fetchJournal()).filter(({ what }) => what === 'config written').length,
    restart: async (limits) => {
      await running.stop();
      running = startKeeper(router, limits);
    },
    stop: async () => {
      await running.stop();
      await router.stop();
    },
  };
}

function startKeeper({ address, login }: RouterPeer, limits: ScheduleLimits) {
  const connection = connectPfsense({
    router: { name: 'fw1', address, port: 443 },
    user: login.user,
    password: new Secret(login.password),
    pins: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
    expect: 'rehearsal',
    log: silentLog,
  });
  const managed = new ManagedRouter({
    connection,
    terms: {
      owner: ownerOf(labId('test+rehearsal')),
      manage: ['dns', 'haproxy'],
      hasNameServer: false,
      machineNetwork: ipv4(address),
    },
    holder: 'test',
    clock: systemClock,
    log: { ...silentLog, warn: console.log, error: console.log },
    keeper: { limits, lookEveryMs: 1_000 },
  });
  const stop = new AbortController();
  managed.wantLab('none');
  const kept = managed.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) console.log(error);
  });
  return {
    managed,
    end: new RouterEnd(managed, { ...silentLog, warn: console.log }),
    stop: async () => {
      stop.abort(new Error('the end'));
      await kept;
      await connection.close();
    },
  };
}

/** What is said there after the question, or the code of the error; '' when it is closed without a word. */
export async function askAt(
  place: { host: string; port: number; localAddress?: string },
  question = '',
): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(place);
    let said = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error('silent')));
    if (question !== '') socket.write(question);
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    socket.on('close', () => {
      resolve(said);
    });
  });
}
