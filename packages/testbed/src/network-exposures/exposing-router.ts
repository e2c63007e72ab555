// An emulated pfSense as the end of what a cluster exposes, without the cluster: what its objects would be is given, decided as the
// controller does it, and put on the router by the keeper.
import { connect } from 'node:net';
import { type Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { ScheduleLimits } from '@labwright/drivers/pfsense/keeper/write-schedule';
import type { ServerCommand } from '@labwright/drivers/pfsense/server-commands';
import { type NetworkState, networkState } from '@labwright/network/controller/network-end';
import { makeFacts, makeSettings } from '@labwright/network/exposures/cluster.test-data';
import { decideExposures } from '@labwright/network/exposures/decide-exposures';
import type { ExposureFacts } from '@labwright/network/exposures/exposure';
import { RouterEnd } from '@labwright/network/router/router-end';
import type { Lan } from '../network/lan.ts';
import { connectRouter, keepRouter, failuresOnly } from '../pfsense/router-connection.ts';
import { addRouterPeer, type RouterPeer } from '../pfsense/router-peer.ts';

export const quickLimits: ScheduleLimits = { quietMs: 500, longestMs: 2_000, verifyMs: 2_000, writesPerHour: 200 };

export interface ExposingRouter {
  /** Ends when the running router was told. */
  put(facts: Partial<ExposureFacts>): Promise<void>;
  /** The last one once more, as every few minutes. */
  putAgain(): Promise<void>;
  /** The running HAProxy is told beside all that. */
  moveServers(commands: readonly ServerCommand[]): Promise<void>;
  /** A person's "Apply" on the page of HAProxy. */
  applyByHand(): Promise<void>;
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
  let last: NetworkState | undefined;
  const put = async (state: NetworkState): Promise<void> => {
    last = state;
    const problems = await running.end.put(state, signal);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
  };
  return {
    put: async (facts) => {
      await put(networkState(decideExposures(makeFacts(facts), makeSettings({ range, takenAddresses: new Map() }))));
    },
    putAgain: async () => {
      if (last !== undefined) await put(last);
    },
    moveServers: async (commands) => {
      await running.managed.moveServers(commands, signal);
    },
    applyByHand: async () => {
      const page = await router.control.openPage();
      await page.save({ edits: [], apply: ['haproxy'] });
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

function startKeeper(router: RouterPeer, limits: ScheduleLimits) {
  const connection = connectRouter(router);
  const { managed, stop } = keepRouter(connection, { keeper: { limits, lookEveryMs: 1_000 } });
  return {
    managed,
    end: new RouterEnd(managed, failuresOnly),
    stop: async () => {
      await stop();
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
