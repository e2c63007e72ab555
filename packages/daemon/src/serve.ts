// Labwright at work: everything composed once, the boot servers, and the socket that commands talk to. `serve` holds it
// open; a command that finds nobody serving holds it for its own length.
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { vmId } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { invariant, LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import type { PkiPlace } from '@labwright/cluster/pki/pki-vault';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import { fetchOwnVm } from '@labwright/drivers/proxmox/find-vm';
import type { Expectation, TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import { readOrCreateSshIdentity, type SshIdentity } from '@labwright/drivers/ssh/identity';
import { runOverSsh } from '@labwright/drivers/ssh/run';
import { ensureBootLoaders } from '@labwright/images/boot-loaders';
import { ensureKubernetesRelease } from '@labwright/images/kubernetes/release';
import { makeMachineExecutors } from '@labwright/machines/executors';
import { allMachines } from '@labwright/machines/replacements';
import type { PhoneHomeAnswer } from '@labwright/netboot/boot-network';
import { startNetboot, type NetbootOptions } from '@labwright/netboot/netboot';
import { makeApi } from './api/server.ts';
import { assertNobodyServes, listenOnSocket } from './api/socket.ts';
import { ensureLabImages, openLabImages } from './boot-images.ts';
import { makeBootKnowledge, renderMachineIgnition, type BootKnowledge } from './boot-knowledge.ts';
import { makeClusterArea, type ClusterArea } from './cluster/cluster-area.ts';
import { makeLifeArea, type LifeArea } from './cluster/life-area.ts';
import { makeEventBus, type EventBus } from './event-bus.ts';
import { keepHealing } from './healing.ts';
import { makeLabService, type LabService } from './lab-service.ts';
import { makeMachinePower } from './machine-power.ts';
import { judgePhoneHome, parsePhoneHome } from './phone-home.ts';
import { makeReadyExecutor, type ReadinessOptions } from './readiness.ts';
import { keepDoing, type ScheduledWork } from './scheduled-work.ts';
import type { ServiceSources } from './services/service-sources.ts';
import { makeServicesArea, type ServicesArea } from './services/services-area.ts';
import { openStore, type Store } from './store/store.ts';
import { readVersion } from './version.ts';

export interface ServeOptions {
  readonly blueprint: Blueprint;
  readonly credentials: Credentials;
  readonly expect: Expectation;
  /** Certificates are pinned in the store without it. */
  readonly tls?: TlsPolicy;
  /** Store, SSH identity and known hosts. */
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  readonly socket: string;
  /** Where the keys of the cluster are kept, or made; a lab without one needs none. */
  readonly clusterKeys?: Omit<PkiPlace, 'lab'>;
  /** What runs in the cluster is made from; a lab without one needs none. */
  readonly serviceSources?: ServiceSources;
  /** Without it machines are looked at and changed but not booted over the network. */
  readonly boot: boolean;
  /** A service outlasts its hosts: after a power cut it may be up before any of them. A command gives up instead. */
  readonly waitsForHosts: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Without KVM and with both cores busy a machine has been seen to need two minutes. */
const readyTimeoutMs = 15 * 60_000;

export interface ServingLab {
  /** Ends in order: socket, boot servers, connections, store. */
  close(): Promise<void>;
}

/**
 * Resolves when the socket answers. Throws LW5003 when another Labwright holds it, what the boot servers and the store
 * throw, and before it boots machines what the hypervisors answer (LW2001 when none does); whatever was opened is closed
 * again then.
 */
export async function serveLab(options: ServeOptions, signal: AbortSignal): Promise<ServingLab> {
  const { blueprint, clock, random, log } = options;
  await ensureStateDirectory(options.stateDirectory);
  await assertNobodyServes(options.socket);
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    closing.abort();
    for (const end of closers.splice(0).toReversed()) await end();
  };
  try {
    const store = openStore(join(options.stateDirectory, 'store.sqlite'));
    closers.push(async () => store.close());
    const connection = connectProxmox({
      hosts: blueprint.hosts.map(({ name, address }) => ({ name, address, port: blueprint.proxmox.port })),
      credentials: options.credentials,
      tls: options.tls ?? { kind: 'pinned', fingerprints: store.pins },
      expect: options.expect,
      clock,
      log,
    });
    closers.push(() => connection.close());
    const bus = makeEventBus();
    recordBoots(bus, store, log, ended);
    const identity = await readOrCreateSshIdentity(join(options.stateDirectory, 'ssh_ed25519'));
    const knowledge = makeBootKnowledge(blueprint);
    const cluster = openCluster(options, { store, identity, signal: ended });
    if (cluster !== undefined) closers.push(() => cluster.close());
    const life = cluster === undefined ? undefined : openLife(options, cluster);
    const services = openServices(options, { store, identity, signal: ended, ...(cluster && { cluster }) });
    const service = makeLabService({
      blueprint,
      version: await readVersion(),
      services,
      ...(cluster === undefined || life === undefined ? {} : { cluster: { area: cluster, life } }),
      connection,
      store,
      bus,
      clock,
      random,
      observed: (facts) => knowledge.observed(facts),
      executors: new Map([
        ...makeMachineExecutors({
          blueprint,
          connection,
          random,
          outdated: (machine) => store.outdateReport(machine),
          destroyed: (machine) => store.forgetReport(machine),
          wiped: (machine, generation) => knowledge.wiped(machine, generation),
        }),
        ['machine.ready', makeReadyExecutor(readiness(options, { bus, store, identity, connection }))],
        ...(cluster?.executors ?? []),
        ...(life?.executors ?? []),
        ...services.executors,
      ]),
    });
    if (options.boot) {
      // Before the first packet is answered: a machine that is to be installed anew, as the mark on its VM says, would
      // otherwise boot what it has.
      await lookOnce(service, options, ended);
      const world = { blueprint, connection, store, clock, signal: ended };
      const netboot = await startNetboot(await bootOptions(options, world, { bus, knowledge, identity }), ended);
      closers.push(() => netboot.close());
      cluster?.attend().catch((error: unknown) => {
        if (!ended.aborted) log.error('the resolver of the cluster does not run', { error: String(error) });
      });
    }
    const server = await listenOnSocket(
      makeApi({ service, ...(cluster === undefined ? {} : { cluster }), bus, log, signal: ended }),
      options.socket,
    );
    closers.push(() => server.close());
    if (options.waitsForHosts)
      closers.push(startLoops({ service, ...(life === undefined ? {} : { life }) }, options, ended));
    log.info('serving', { lab: blueprint.lab, socket: options.socket });
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Nothing for a lab without a cluster. */
function openCluster(
  options: ServeOptions,
  { store, identity, signal }: { readonly store: Store; readonly identity: SshIdentity; readonly signal: AbortSignal },
): ClusterArea | undefined {
  const { blueprint, clusterKeys, clock, random, log } = options;
  if (blueprint.cluster === undefined) return undefined;
  invariant(clusterKeys !== undefined, 'whoever opens a lab with a cluster says where its keys are');
  return makeClusterArea({
    blueprint,
    cluster: blueprint.cluster,
    keys: clusterKeys,
    identity,
    currentReports: () => store.currentReports(),
    address: blueprint.netboot.address,
    cacheDirectory: options.cacheDirectory,
    signal,
    clock,
    random,
    log,
  });
}

/** Also for a lab without a cluster: it may have a NAS and services outside. */
function openServices(
  options: ServeOptions,
  parts: {
    readonly store: Store;
    readonly identity: SshIdentity;
    readonly cluster?: ClusterArea;
    readonly signal: AbortSignal;
  },
): ServicesArea {
  const { blueprint, serviceSources, cacheDirectory, stateDirectory, clock, random, log } = options;
  const { store, identity, cluster, signal } = parts;
  const currentReports = () => store.currentReports();
  const shared = { blueprint, identity, currentReports, cacheDirectory, stateDirectory, signal, clock, random, log };
  if (cluster === undefined || blueprint.cluster === undefined) return makeServicesArea(shared);
  invariant(serviceSources !== undefined, 'whoever opens a lab with a cluster says what its services are made from');
  return makeServicesArea({
    ...shared,
    cluster: { blueprint: blueprint.cluster, area: cluster, sources: serviceSources },
  });
}

/** What lies beside the lab file is beside its keys. */
function openLife(options: ServeOptions, cluster: ClusterArea): LifeArea {
  const { blueprint, clusterKeys, clock, cacheDirectory, stateDirectory } = options;
  invariant(blueprint.cluster !== undefined && clusterKeys !== undefined, 'a lab with a cluster area has a cluster');
  const { mirror } = blueprint.cluster;
  return makeLifeArea({
    blueprint,
    cluster: blueprint.cluster,
    reach: cluster.reach,
    keys: clusterKeys,
    labFolder: dirname(clusterKeys.file),
    stateDirectory,
    prepareRelease: async (version, { signal, progress }) => {
      const context = { cacheDir: cacheDirectory, signal, onProgress: progress };
      // As the boot servers do in the background: the images are what the machines' registry offers.
      await ensureLabImages(blueprint, context);
      const { sums } = await ensureKubernetesRelease({ version, ...(mirror === undefined ? {} : { mirror }) }, context);
      const { kubeadm, kubelet, kubectl } = sums;
      const { address, httpPort } = blueprint.netboot;
      return { server: `http://${address}:${httpPort}`, binaries: { kubeadm, kubelet, kubectl } };
    },
    clock,
  });
}

/** What a service does by itself; a command does not. Gives what ends it, the step under way finished first. */
function startLoops(
  { service, life }: { readonly service: LabService; readonly life?: LifeArea },
  { blueprint, clock, log }: ServeOptions,
  signal: AbortSignal,
): () => Promise<void> {
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const scheduled = life === undefined ? [] : listScheduledWork(life, blueprint.snapshots?.everyMs, clock);
  const loops = [
    keepHealing({ service, clock, log, signal: ended }),
    ...scheduled.map(({ lookMs, work }) => keepDoing({ service, work, lookMs, clock, log, signal: ended })),
  ];
  return async () => {
    closing.abort();
    await Promise.all(loops);
  };
}

const minuteMs = 60_000;

function listScheduledWork(
  life: LifeArea,
  snapshotsEveryMs: number | undefined,
  clock: Clock,
): readonly { readonly lookMs: number; readonly work: ScheduledWork }[] {
  const renewal: ScheduledWork = { name: 'certificates', intent: { kind: 'renew' }, isDue: async () => true };
  if (snapshotsEveryMs === undefined) return [{ lookMs: 12 * 60 * minuteMs, work: renewal }];
  const isDue = async (): Promise<boolean> => {
    const last = await life.fetchLastSnapshotAt();
    return last === undefined || clock.now() - last >= snapshotsEveryMs;
  };
  const snapshot: ScheduledWork = { name: 'snapshot', intent: { kind: 'snapshot', reason: 'scheduled' }, isDue };
  return [
    { lookMs: minuteMs, work: snapshot },
    { lookMs: 12 * 60 * minuteMs, work: renewal },
  ];
}

async function bootOptions(
  options: ServeOptions,
  world: PhoneHomeWorld,
  parts: { readonly bus: EventBus; readonly knowledge: BootKnowledge; readonly identity: SshIdentity },
): Promise<NetbootOptions> {
  const { blueprint, clock, random, log, cacheDirectory } = options;
  const { netboot, network, domain } = blueprint;
  const onProgress = (message: string): void => log.info('image', { message });
  const context = { cacheDir: cacheDirectory, signal: world.signal, onProgress };
  const keepKnownHosts = makeKnownHostsWriter(blueprint, world.store, options.stateDirectory);
  await keepKnownHosts();
  return {
    network: {
      address: netboot.address,
      cidr: network.cidr,
      gateway: network.gateway,
      resolvers: network.resolvers,
      domain,
      httpPort: netboot.httpPort,
      // In 'router' mode the router leases and names our files, which is the router issue's.
      mode: netboot.mode === 'proxy' ? 'proxy' : 'serve',
      ...(netboot.dynamic === undefined ? {} : { dynamic: netboot.dynamic }),
    },
    directory: parts.knowledge,
    ...(await openLabImages(blueprint, context, log)),
    loaders: await ensureBootLoaders(context),
    renderIgnition: (machine, accept) => renderMachineIgnition(blueprint, parts.identity.publicKey, machine, accept),
    phoneHome: async (body, signature) => {
      const answer = await answerPhoneHome(body, signature, world);
      if (answer.status === 204) await keepKnownHosts();
      return answer;
    },
    clock,
    random,
    log,
    emit: (event) => parts.bus.emit(event),
  };
}

/** Boots are history too; the events of runs are journaled by the engine itself. */
function recordBoots(bus: EventBus, store: Store, log: Log, signal: AbortSignal): void {
  bus.listen((event) => {
    if (event.type !== 'boot') return;
    store.append(event).catch((error: unknown) => log.error('an event was not recorded', { error: String(error) }));
  }, signal);
}

function readiness(
  options: ServeOptions,
  parts: {
    readonly bus: EventBus;
    readonly store: Store;
    readonly identity: SshIdentity;
    readonly connection: ProxmoxConnection;
  },
): ReadinessOptions {
  const { blueprint, clock } = options;
  const { bus, store, identity, connection } = parts;
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
    powerOf: (machine) =>
      makeMachinePower(connection, { vmId: vmId(machine.vmId), lab: blueprint.lab }, ipv4(machine.address)),
  };
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
  const judgement = judgePhoneHome(call, body, signature, vm?.config.phoneHomeKey, clock.now());
  if (judgement.kind === 'refused') return judgement;
  const { machine, report } = judgement;
  // It repeats itself every few minutes; only the first call of a boot is news.
  const isNews = !store.currentReports().some((each) => each.name === machine.name && each.bootId === report.bootId);
  store.saveReport(report);
  return isNews ? { status: 204, machine: machine.name } : { status: 204 };
}

/** known_hosts for people's ssh, written anew as a whole whenever a machine said its key. */
function makeKnownHostsWriter(blueprint: Blueprint, store: Store, directory: string): () => Promise<void> {
  const path = join(directory, 'known_hosts');
  let turn = Promise.resolve();
  const write = async (): Promise<void> => {
    const before = await readKnownHosts(path);
    const lines = allMachines(blueprint).flatMap(({ name, address }) => {
      const report = store.findReport(name);
      // Without its report (a store that was lost) what the file says of a machine stays, until it phones home again.
      const hostKey = report?.sshHostKey ?? before.get(name);
      return hostKey === undefined ? [] : [`${name},${name}.${blueprint.domain},${address} ${hostKey}\n`];
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

/** Host keys by machine, as this file was written before; nothing when it is not there. */
async function readKnownHosts(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n');
    return new Map(lines.flatMap(parseKnownHost));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw error;
  }
}

function parseKnownHost(line: string): readonly (readonly [string, string])[] {
  const [, name, hostKey] = /^([^,\s]+),\S+ (.+)$/.exec(line) ?? [];
  return name === undefined || hostKey === undefined ? [] : [[name, hostKey]];
}

/** Throws LW0005. */
async function ensureStateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new LabwrightError('LW0005', {
      what: 'the folder for the state of this lab cannot be made',
      where: { folder: directory },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: ['make it writable, or set XDG_STATE_HOME to a folder that is'],
      cause,
    });
  }
}

const lookAgainMs = 5_000;

async function lookOnce(service: LabService, options: ServeOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await service.look(signal);
      return;
    } catch (error) {
      const isPassing = error instanceof LabwrightError && error.code === 'LW2001';
      if (!options.waitsForHosts || !isPassing) throw error;
      options.log.warn('no Proxmox host answers yet; machines are booted as soon as one does', {
        why: error.why ?? '',
      });
      await options.clock.sleep(lookAgainMs, signal);
    }
  }
}
