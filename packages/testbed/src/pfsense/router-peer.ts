// An emulated pfSense as a peer on the testbed's own LAN: what is under test runs in this very process and reaches it directly.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRouterControl, type RouterControl } from '@labwright/rehearsal/pfsense/control-client';
import { writePfsense } from '@labwright/rehearsal/pfsense/pfsense-device';
import { routerFiles, type RouterPlanInput } from '@labwright/rehearsal/pfsense/router-plan';
import type { Lan } from '../network/lan.ts';
import { waitFor } from '../rehearsal/running-topology.ts';
import { routerRoot } from './router-root.ts';

export interface RouterPeer {
  readonly address: string;
  readonly control: RouterControl;
  /** Of the user that may call xmlrpc.php and no more. */
  readonly login: { readonly user: string; readonly password: string };
  /** All of its processes are killed, wherever they are; resolves when it is up again. */
  cutPower(): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when it answers. The address is without its bits ("10.77.47.1"); the LAN is a /24. */
export async function addRouterPeer(
  lan: Lan,
  address: string,
  changes: Partial<RouterPlanInput> = {},
): Promise<RouterPeer> {
  const state = await mkdtemp(join(tmpdir(), 'router-'));
  const passwordFile = join(state, 'password');
  const login = { user: 'labwright', password: 'of the test' };
  await writeFile(passwordFile, login.password);
  const stateDirectory = join(state, 'router');
  const { processes = [] } = await writePfsense({
    name: 'router',
    router: {
      version: 1,
      lab: 'test+rehearsal',
      domain: 'home.arpa',
      latency: 'none',
      tree: await routerRoot(),
      stateDirectory,
      lan: { address, bits: 24 },
      users: [{ name: login.user, role: 'sync', passwordFile }],
      dhcp: { isOn: false, from: address.replace(/\d+$/, '100'), to: address.replace(/\d+$/, '150') },
      ...changes,
    },
  });
  const peer = await lan.addPeer('router', '02:00:5e:00:00:fe', `${address}/24`);
  const control = makeRouterControl(routerFiles(stateDirectory).control);
  let log = '';
  let child: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    ending.kill('SIGKILL');
    await once(ending, 'exit');
  };
  const begin = async (): Promise<void> => {
    child = peer.spawn(processes[0]?.command ?? []);
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    try {
      await waitFor(
        'the router answers',
        120_000,
        async () => (await control.fetchStatus().catch(() => undefined)) !== undefined,
      );
    } catch (error) {
      const php = await readFile(join(routerFiles(stateDirectory).logs, 'php.log'), 'utf8').catch(() => '');
      await end();
      throw new Error(`${log}\n${php}`, { cause: error });
    }
  };
  const stop = async (): Promise<void> => {
    await end();
    await rm(state, { recursive: true, force: true });
  };
  try {
    await begin();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address,
    control,
    login,
    stop,
    cutPower: async () => {
      await end();
      await begin();
    },
  };
}
