// A lab, open for work: everything composed once, and the boot servers. What is opened here is closed again in order.
import { join } from 'node:path';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { vmId } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import { hostsCall } from '@labwright/drivers/proxmox/calls/cluster';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { readOrCreateSshIdentity, type SshIdentity } from '@labwright/drivers/ssh/identity';
import { runOverSsh } from '@labwright/drivers/ssh/run';
import { makeMachineExecutors } from '@labwright/machines/executors';
import { withReplacements } from '@labwright/machines/replacements';
import { startNetboot } from '@labwright/netboot/netboot';
import { makeBootKnowledge } from './boot-knowledge.ts';
import type { ClusterArea } from './cluster/cluster-area.ts';
import type { EventBus } from './event-bus.ts';
import type { ExposuresArea } from './exposures/exposures-area.ts';
import { watchPower } from './exposures/power-watch.ts';
import { openCluster, openExposures, openLife, openRouter, openServices } from './lab-areas.ts';
import { makeLabService, type LabService } from './lab-service.ts';
import { makeMachinePower } from './machine-power.ts';
import { openLabImages } from './lab-images.ts';
import { imageContext, openNetbootOptions } from './netboot-options.ts';
import { makeReadyExecutor, type ReadinessOptions } from './readiness.ts';
import type { RouterArea } from './router/router-area.ts';
import type { ServeOptions } from './serve-options.ts';
import { startLoops } from './service-loops.ts';
import { openStore, type Store } from './store/store.ts';
import { readVersion } from './version.ts';

export interface OpenLab {
  readonly service: LabService;
  /** Absent for a lab without one. */
  readonly cluster?: ClusterArea;
  /** Absent for a lab without one, or without a login for it. */
  readonly router?: RouterArea;
  /** Absent for a lab without a cluster. */
  readonly exposures?: ExposuresArea;
  /** Asks the hosts of other options for the same lab. Throws as opening those before machines boot would: LW2001, LW2002, … */
  probe(next: ServeOptions): Promise<void>;
  /** Ends in order: loops, boot servers, connections, store. */
  close(): Promise<void>;
}

/** Without KVM and with both cores busy a machine has been seen to need two minutes. */
const readyTimeoutMs = 15 * 60_000;

/**
 * Throws what the boot servers and the store throw, and before it boots machines what the hypervisors answer (LW2001 when none
 * does); whatever was opened is closed again then.
 */
export async function openLab(options: ServeOptions, bus: EventBus, signal: AbortSignal): Promise<OpenLab> {
  const { blueprint, clock, random, log } = options;
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
    const connection = connect(options, store);
    closers.push(() => connection.close());
    recordBoots(bus, store, log, ended);
    const identity = await readOrCreateSshIdentity(join(options.stateDirectory, 'ssh_ed25519'));
    const knowledge = makeBootKnowledge(blueprint);
    let seen = blueprint;
    const currentBlueprint = (): Blueprint => seen;
    const cluster = openCluster(options, { store, identity, currentBlueprint, signal: ended });
    if (cluster !== undefined) closers.push(() => cluster.close());
    const life = cluster === undefined ? undefined : openLife(options, { cluster, currentBlueprint });
    await life?.clearLeftovers().catch((error: unknown) => {
      log.warn('what a killed process left of a snapshot could not be removed', { error: String(error) });
    });
    const router = openRouter(options, { store, signal: ended });
    if (router !== undefined) closers.push(() => router.close());
    const exposures = openExposures(options, {
      store,
      ...(cluster && { cluster }),
      ...(router && { router }),
      signal: ended,
    });
    if (exposures !== undefined) closers.push(() => exposures.close());
    const services = openServices(options, { store, identity, signal: ended, ...(cluster && { cluster }) });
    const images = options.boot
      ? await openLabImages(blueprint, imageContext(options, ended), { log, clock })
      : undefined;
    const service = makeLabService({
      blueprint,
      version: await readVersion(),
      services,
      ...(images === undefined ? {} : { images }),
      ...(router === undefined ? {} : { router }),
      ...(cluster === undefined || life === undefined ? {} : { cluster: { area: cluster, life } }),
      connection,
      store,
      bus,
      clock,
      random,
      observed: (facts) => {
        seen = withReplacements(blueprint, facts);
        knowledge.observed(facts);
        router?.observed(facts);
        exposures?.powerIs(new Map(facts.vms.map(({ vmId: id, status }) => [id, status])));
      },
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
        ...(router?.executors ?? []),
      ]),
    });
    if (images !== undefined) {
      // Before the first packet is answered: a machine that is to be installed anew, as the mark on its VM says, would
      // otherwise boot what it has.
      await lookOnce(service, options, ended);
      const world = { blueprint, connection, store, clock, signal: ended };
      const netboot = await startNetboot(
        await openNetbootOptions(options, world, { bus, knowledge, identity, images }),
        ended,
      );
      closers.push(() => netboot.close());
      cluster?.attend().catch((error: unknown) => {
        if (!ended.aborted) log.error('the resolver of the cluster does not run', { error: String(error) });
      });
    }
    if (options.waitsForHosts) {
      router?.attend();
      if (exposures !== undefined) {
        await exposures.attend();
        const told: ExposuresArea['powerIs'] = (power) => exposures.powerIs(power);
        const watching = watchPower({ connection, told, clock, log, signal: ended });
        closers.push(() => watching);
      }
      closers.push(startLoops({ service, ...(life === undefined ? {} : { life }) }, options, ended));
    }
    const probe = async (next: ServeOptions): Promise<void> => {
      if (next.boot) await askHosts(next, store, ended);
    };
    return {
      ...{ service, probe, close },
      ...(cluster === undefined ? {} : { cluster }),
      ...(router === undefined ? {} : { router }),
      ...(exposures === undefined ? {} : { exposures }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function connect({ blueprint, credentials, tls, expect, clock, log }: ServeOptions, store: Store): ProxmoxConnection {
  return connectProxmox({
    hosts: blueprint.hosts.map(({ name, address }) => ({ name, address, port: blueprint.proxmox.port })),
    credentials,
    tls: tls ?? { kind: 'pinned', fingerprints: store.pins },
    expect,
    clock,
    log,
  });
}

async function askHosts(options: ServeOptions, store: Store, signal: AbortSignal): Promise<void> {
  const connection = connect(options, store);
  try {
    await connection.request(hostsCall(), { signal });
  } finally {
    await connection.close();
  }
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
