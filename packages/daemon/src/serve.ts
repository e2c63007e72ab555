// Labwright as a service: everything composed once, the boot servers, and the socket that commands talk to.
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import { Secret } from '@labwright/core/ports/secret';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import { fetchOwnVm } from '@labwright/drivers/proxmox/find-vm';
import type { Expectation } from '@labwright/drivers/proxmox/tls-pin';
import { readOrCreateSshIdentity, type SshIdentity } from '@labwright/drivers/ssh/identity';
import { runOverSsh } from '@labwright/drivers/ssh/run';
import { ensureDebianImage } from '@labwright/images/debian/debian-image';
import { makeMachineExecutors } from '@labwright/machines/executors';
import type { BootImage, BootLoaders, PhoneHomeAnswer } from '@labwright/netboot/boot-network';
import { startNetboot } from '@labwright/netboot/netboot';
import { listenOnSocket, makeApi } from './api/server.ts';
import { makeBootKnowledge, renderMachineIgnition } from './boot-knowledge.ts';
import { makeEventBus, type EventBus } from './event-bus.ts';
import { makeLabService } from './lab-service.ts';
import { judgePhoneHome, parsePhoneHome } from './phone-home.ts';
import { makeReadyExecutor } from './readiness.ts';
import { openStore, type Store } from './store/store.ts';

export interface ServeOptions {
  readonly blueprint: Blueprint;
  readonly credentials: Credentials;
  readonly expect: Expectation;
  /** Store, SSH identity and known hosts. */
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly socket: string;
  readonly loaders: BootLoaders;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Without KVM and with both cores busy a machine has been seen to need two minutes. */
const readyTimeoutMs = 15 * 60_000;

/** Serves until the signal is aborted, then closes in order: socket, boot servers, connections, store. */
export async function serveLab(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const { blueprint, clock, random, log } = options;
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 });
  const store = openStore(join(options.stateDirectory, 'store.sqlite'));
  const connection = connectProxmox({
    hosts: blueprint.hosts.map(({ name, address }) => ({ name, address, port: blueprint.proxmox.port })),
    credentials: options.credentials,
    tls: { kind: 'pinned', fingerprints: store.pins },
    expect: options.expect,
    clock,
    log,
  });
  const bus = makeEventBus();
  const identity = await readOrCreateSshIdentity(join(options.stateDirectory, 'ssh_ed25519'));
  const knowledge = makeBootKnowledge(blueprint);
  const keepKnownHosts = makeKnownHostsWriter(blueprint, store, options.stateDirectory);
  await keepKnownHosts();
  const service = makeLabService({
    blueprint,
    connection,
    store,
    bus,
    clock,
    random,
    observed: knowledge.observed,
    executors: new Map([
      ...makeMachineExecutors({
        blueprint,
        connection,
        random,
        outdated: store.outdateReport,
        destroyed: store.forgetReport,
      }),
      ['machine.ready', makeReadyExecutor(readiness(options, bus, store, identity))],
    ]),
  });
  const netboot = await startNetboot(
    {
      network: {
        address: blueprint.netboot.address,
        cidr: blueprint.network.cidr,
        gateway: blueprint.network.gateway,
        resolvers: blueprint.network.resolvers,
        domain: blueprint.domain,
        httpPort: blueprint.netboot.httpPort,
        // In 'router' mode the router leases and names our files, which is the router issue's.
        mode: blueprint.netboot.mode === 'proxy' ? 'proxy' : 'serve',
        ...(blueprint.netboot.dynamic === undefined ? {} : { dynamic: blueprint.netboot.dynamic }),
      },
      directory: knowledge,
      images: makeImages(options, signal),
      loaders: options.loaders,
      renderIgnition: (machine, accept) => renderMachineIgnition(blueprint, identity.publicKey, machine, accept),
      phoneHome: async (body, signature) => {
        const answer = await answerPhoneHome(body, signature, { blueprint, connection, store, clock, signal });
        if (answer.status === 204) await keepKnownHosts();
        return answer;
      },
      clock,
      random,
      log,
      emit: bus.emit,
    },
    signal,
  );
  const server = await listenOnSocket(makeApi({ service, bus, log, signal }), options.socket, signal);
  log.info('serving', { lab: blueprint.lab, socket: options.socket });
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  server.closeAllConnections();
  await netboot.close();
  await connection.close();
  store.close();
}

function readiness(options: ServeOptions, bus: EventBus, store: Store, identity: SshIdentity) {
  const { blueprint, clock } = options;
  return {
    clock,
    bus,
    timeoutMs: readyTimeoutMs,
    findReport: (machine: string) => store.currentReports().find((report) => report.name === machine),
    checkSsh: async (host: string, hostKey: string, signal: AbortSignal) => {
      const { user } = blueprint.ssh;
      await runOverSsh({ host, port: 22, user, privateKey: identity.privateKey, hostKey, timeoutMs: 20_000, signal }, [
        'true',
      ]);
    },
  };
}

/** Images are ready or being made; a client that comes too early is told to come again. */
function makeImages(options: ServeOptions, signal: AbortSignal): { get(name: string): Promise<BootImage | undefined> } {
  const { log } = options;
  let ready: BootImage | undefined;
  const making = ensureDebianImage({
    cacheDir: options.cacheDirectory,
    signal,
    onProgress: (message) => log.info('image', { message }),
  });
  making.then(
    ({ files }) => {
      ready = files;
    },
    (error: unknown) => log.error('the Debian image could not be made', { error: String(error) }),
  );
  return { get: async (name) => (name === 'debian' ? ready : undefined) };
}

interface PhoneHomeWorld {
  readonly blueprint: Blueprint;
  readonly connection: ProxmoxConnection;
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The machine's key is read from its configuration each time: it is the hypervisor that knows it, not our store. */
async function answerPhoneHome(body: Uint8Array, signature: string, world: PhoneHomeWorld): Promise<PhoneHomeAnswer> {
  const { blueprint, connection, store, clock, signal } = world;
  const call = parsePhoneHome(body, blueprint);
  if (call.kind === 'refused') return call;
  const vm = await fetchOwnVm(connection, { vmId: call.machine.vmId, lab: blueprint.lab }, signal);
  const key = vm?.config.phoneHomeKey ?? new Secret('');
  const judgement = judgePhoneHome(call, body, signature, key, clock.now());
  if (judgement.kind === 'refused') return judgement;
  store.saveReport(judgement.report);
  return { status: 204, machine: judgement.machine.name };
}

/** known_hosts for people's ssh, written anew as a whole whenever a machine said its key. */
function makeKnownHostsWriter(blueprint: Blueprint, store: Store, directory: string): () => Promise<void> {
  const path = join(directory, 'known_hosts');
  let turn = Promise.resolve();
  const write = async (): Promise<void> => {
    const lines = blueprint.machines.flatMap(({ name, address }) => {
      const report = store.findReport(name);
      return report === undefined ? [] : [`${name},${name}.${blueprint.domain},${address} ${report.sshHostKey}\n`];
    });
    await writeFile(`${path}.new`, lines.join(''));
    await chmod(`${path}.new`, 0o644);
    await rename(`${path}.new`, path);
  };
  return async () => {
    turn = turn.then(write, write);
    await turn;
  };
}
