// What the cluster exposes, as one area of the running lab: the controller that follows it while a service runs, its ends, and what
// people ask about it.
import type { VmId } from '@labwright/core/addresses/names';
import type { Blueprint, RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import { clusterNotFormed } from '@labwright/core/blueprint/missing-section';
import type { ExposuresAnswer, WhyAnswer } from '@labwright/core/contract/contract';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { podKind } from '@labwright/drivers/kubernetes/kind';
import { allMachines } from '@labwright/machines/replacements';
import { type ExposureController, startExposureController } from '@labwright/network/controller/exposure-controller';
import type { NetworkEnd } from '@labwright/network/controller/network-end';
import { makeDnsEnd } from '@labwright/network/dns/dns-end';
import { fixedNames } from '@labwright/network/dns/fixed-names';
import type { NameMemory } from '@labwright/network/dns/name-memory';
import { type NameServer, startNameServer } from '@labwright/network/dns/name-server';
import { normalName } from '@labwright/network/exposures/annotations';
import { decideExposures } from '@labwright/network/exposures/decide-exposures';
import { type ExposureLine, exposureLines } from '@labwright/network/exposures/exposure-lines';
import type { ExposureDecision, ExposureFacts, NodePower } from '@labwright/network/exposures/exposure';
import { listExposureFacts } from '@labwright/network/exposures/list-facts';
import type { ManagedRouter } from '@labwright/network/router/managed-router';
import { RouterEnd } from '@labwright/network/router/router-end';
import { explainName } from '@labwright/network/why/explain-name';
import { backendsOf } from '@labwright/network/why/hop';
import { lookUpName, tryExposures } from '@labwright/network/why/look-around';
import { whyPod } from '@labwright/network/why/why-facts';
import type { ClusterArea } from '../cluster/cluster-area.ts';
import type { RouterArea } from '../router/router-area.ts';
import { makeSeenSettings } from './seen-settings.ts';

export interface ExposuresAreaOptions {
  readonly blueprint: Blueprint;
  readonly cluster: Pick<ClusterArea, 'reach'>;
  readonly router?: RouterArea;
  /** What our name server answered last. */
  readonly names: NameMemory;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends what follows the cluster. */
  readonly signal: AbortSignal;
}

export interface ExposuresArea {
  /** Follows the cluster from now on, as soon as there is one; a second call changes nothing. Throws LW0008 for a taken port. */
  attend(): Promise<void>;
  /** What hypervisors say; absent VMs are not known. */
  powerIs(power: ReadonlyMap<VmId, NodePower>): void;
  /** Throws LW6014 when there is no cluster yet, and what the cluster throws when it is asked. */
  list(signal: AbortSignal): Promise<ExposuresAnswer>;
  why(name: string, signal: AbortSignal): Promise<WhyAnswer>;
  close(): Promise<void>;
}

const lookForClusterMs = 5_000;
/** A router that is there tells its state within a second or two. */
const lookMs = 5_000;

export function makeExposuresArea(options: ExposuresAreaOptions): ExposuresArea {
  const { blueprint, cluster, router, clock, log, signal: ended } = options;
  const { exposures } = blueprint;
  let power: ReadonlyMap<string, NodePower> = new Map();
  let controller: ExposureController | undefined;
  let server: NameServer | undefined;
  let following: Promise<void> | undefined;

  const routerBalances = blueprint.router?.manage.includes('haproxy') === true;
  const settings = makeSeenSettings(blueprint, routerBalances ? router?.router : undefined, clock);

  const makeEnds = async (): Promise<readonly NetworkEnd[]> => {
    const ends: NetworkEnd[] = [];
    if (router !== undefined && router.router.terms.manage.some((part) => part !== 'dhcp')) {
      ends.push(new RouterEnd(router.router, log));
    }
    if (exposures.nameServer !== undefined) {
      const { port } = exposures.nameServer;
      server = await startNameServer({ address: blueprint.netboot.address, port, clock, log });
      const { domains, range } = exposures;
      ends.push(
        makeDnsEnd({
          server,
          domains,
          ...(range === undefined ? {} : { range }),
          fixedNames: fixedNames(blueprint),
          memory: options.names,
          clock,
        }),
      );
    }
    return ends;
  };

  const connect = async (signal: AbortSignal): Promise<ClusterConnection | undefined> => {
    const pki = await cluster.reach.vault.read(signal);
    return pki === undefined ? undefined : await cluster.reach.connectLasting(pki);
  };

  /** The cluster may be formed while this runs. */
  const follow = async (ends: readonly NetworkEnd[]): Promise<void> => {
    for (;;) {
      ended.throwIfAborted();
      const connection = await connect(ended).catch((error: unknown) => {
        ended.throwIfAborted();
        log.warn('exposures wait for the keys of the cluster', { why: asLabwrightError(error).message });
        return undefined;
      });
      if (connection !== undefined) {
        controller = startExposureController({
          connection,
          ends,
          settings: () => settings.current(),
          power: () => power,
          clock,
          log,
        });
        ended.addEventListener('abort', () => void controller?.close(), { once: true });
        if (routerBalances) await ensureIngressClass(connection, options);
        await controller.done;
        return;
      }
      await clock.sleep(lookForClusterMs, ended);
    }
  };

  const see = async (signal: AbortSignal): Promise<Seen> => {
    const [decision, facts] = [controller?.decision(), controller?.facts()];
    if (decision !== undefined && facts !== undefined) return { decision, facts };
    const pki = await cluster.reach.vault.read(signal);
    if (pki === undefined) throw clusterNotFormed();
    const [listed, known] = await Promise.all([
      cluster.reach.connect(pki).then(async (connection) => await listExposureFacts(connection, power, signal)),
      settings.fetch(signal),
    ]);
    return { decision: decideExposures(listed, known), facts: listed };
  };

  return {
    attend: async () => {
      if (following !== undefined) return;
      const ends = await makeEnds();
      // With nowhere to put names and addresses there is nothing to tell the cluster either.
      if (ends.length === 0) return;
      settings.follow(() => controller?.touch(), ended);
      following = follow(ends).catch((error: unknown) => {
        if (!ended.aborted) log.error('exposures are not followed any more', { why: String(error) });
      });
    },
    powerIs: (states) => {
      const next = new Map<string, NodePower>(
        allMachines(blueprint).flatMap(({ name, vmId }) => {
          const state = states.get(vmId);
          return state === undefined ? [] : [[name, state] as const];
        }),
      );
      if (JSON.stringify([...next]) === JSON.stringify([...power])) return;
      power = next;
      controller?.touch();
    },
    list: async (signal) => {
      const { decision, facts } = await see(signal);
      const [seen, status] = await Promise.all([
        tryExposures(decision.exposures, [], { clock, signal }),
        router?.status(signal),
      ]);
      const ends = controller?.ends() ?? [];
      const lines = exposureLines(decision, { ...seen, slices: facts.slices });
      return {
        asOf: clock.now(),
        exposures: lines.map((line) => ({ ...line, words: wordsOf(line, ends) })),
        ends: ends.map(({ name, state, error }) => ({ name, state, why: error?.why ?? error?.message ?? null })),
        ...(status === undefined ? {} : { router: status }),
      };
    },
    why: async (asked, signal) => {
      const name = normalName(asked);
      const seen = await see(signal);
      const report = explainName(name, await lookAround(name, seen, options, signal));
      const { verdict, hops } = report;
      return { name: report.name, verdict, hops: hops.map(({ fix = null, ...hop }) => ({ ...hop, fix })) };
    },
    close: async () => {
      await controller?.close();
      await following;
      await server?.close();
    },
  };
}

interface Seen {
  readonly decision: ExposureDecision;
  readonly facts: ExposureFacts;
}

/** What an end could not take comes before what was seen of the rest. */
function wordsOf({ object, state, words }: ExposureLine, ends: ReturnType<ExposureController['ends']>): string | null {
  const problem = ends.flatMap(({ problems }) => problems).find(({ owner }) => owner === object);
  if (problem === undefined || state === 'not exposed') return words ?? null;
  return `${problem.subject}: ${problem.why}; ${problem.fix}`;
}

async function lookAround(name: string, { decision, facts }: Seen, options: ExposuresAreaOptions, signal: AbortSignal) {
  const { blueprint, cluster, clock } = options;
  const { network } = blueprint;
  const own = decision.exposures.filter(({ names }) => names.includes(name));
  const listPods = async () => {
    const pki = await cluster.reach.vault.read(signal);
    return pki === undefined ? [] : await (await cluster.reach.connect(pki)).list(podKind, {}, { signal });
  };
  const askHolder = async () => {
    const holder = await findRecordHolder(options, signal);
    return holder === undefined ? [] : [{ by: holder.by, answer: await lookUpName(name, holder.server) }];
  };
  const [pods, records, resolvers, seen] = await Promise.all([
    listPods(),
    askHolder(),
    Promise.all(network.resolvers.map(async (server) => ({ by: server, answer: await lookUpName(name, server) }))),
    tryExposures(own, own.flatMap(backendsOf), { clock, signal }),
  ]);
  return { cluster: facts, decision, pods: pods.map(whyPod), records, resolvers, ...seen };
}

/** Who holds the records of exposures: our own name server where there is one, else a router whose names are ours to keep. */
export async function findRecordHolder(
  { blueprint, router }: RecordHolding,
  signal: AbortSignal,
): Promise<{ readonly by: string; readonly server: string } | undefined> {
  const { exposures, netboot } = blueprint;
  if (exposures.nameServer !== undefined) {
    return { by: 'the name server of Labwright', server: `${netboot.address}:${exposures.nameServer.port}` };
  }
  if (blueprint.router?.manage.includes('dns') !== true || router === undefined) return undefined;
  const managed = router.router;
  // Which port its name server has is known from its configuration alone; one that does not tell it is asked at the usual one.
  if (managed.setup === undefined) {
    await managed.look(AbortSignal.any([signal, AbortSignal.timeout(lookMs)])).catch(() => signal.throwIfAborted());
  }
  const { nameServerPort = 53 } = managed.setup ?? {};
  return { by: `pfSense ${managed.name}`, server: `${blueprint.router.address}:${nameServerPort}` };
}

interface RecordHolding {
  readonly blueprint: {
    readonly exposures: Pick<Blueprint['exposures'], 'nameServer'>;
    readonly netboot: Pick<Blueprint['netboot'], 'address'>;
    readonly router?: Pick<RouterBlueprint, 'address' | 'manage'>;
  };
  readonly router?: { readonly router: Pick<ManagedRouter, 'name' | 'setup' | 'look'> };
}

/**
 * The class by which an Ingress asks for the router. It is made by whoever follows the cluster, because it means nothing
 * without that.
 */
async function ensureIngressClass(
  connection: ClusterConnection,
  { clock, log, signal }: ExposuresAreaOptions,
): Promise<void> {
  for (;;) {
    try {
      await connection.apply(
        {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'IngressClass',
          metadata: { name: 'labwright' },
          spec: { controller: 'labwright.dev/router' },
        },
        { signal },
      );
      return;
    } catch (error) {
      signal.throwIfAborted();
      log.debug('the class of Ingresses is made later', { why: asLabwrightError(error).message });
      await clock.sleep(lookForClusterMs, signal);
    }
  }
}
