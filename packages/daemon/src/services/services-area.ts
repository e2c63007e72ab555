// Services as one area of the running lab: charts and Secrets in the cluster, the exports of the NAS, and what lives outside.
import type { Blueprint, ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { clusterNotFormed } from '@labwright/core/blueprint/missing-section';
import type { OutsideServiceStatus } from '@labwright/core/contract/contract';
import type { Executor } from '@labwright/core/engine/engine';
import { asLabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { AreaPlan, Plan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import { makeNasExecutors, nasEntries, observeNas, planNas } from '@labwright/cluster/services/nas-exports';
import { observeOutsideServices, outsideServiceNotes } from '@labwright/cluster/services/outside-service';
import { observeServices } from '@labwright/cluster/services/observe-services';
import { makeServiceExecutors } from '@labwright/cluster/services/service-executors';
import type { ServiceFacts } from '@labwright/cluster/services/service-facts';
import { planServices, serviceEntries } from '@labwright/cluster/services/service-plan';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { SshIdentity } from '@labwright/drivers/ssh/identity';
import type { ClusterArea, ClusterView } from '../cluster/cluster-area.ts';
import { type HelmAccess, openHelm } from './helm-access.ts';
import { findMountMachine } from './mount-machine.ts';
import { formatOutsideStatus } from './outside-status.ts';
import type { ServiceSources } from './service-sources.ts';
import { findServiceTurn } from './service-turn.ts';

export interface ServicesAreaOptions {
  readonly blueprint: Blueprint;
  /** Absent for a lab without a cluster. */
  readonly cluster?: ServiceCluster;
  readonly identity: SshIdentity;
  /** What machines said of themselves since they were last started. */
  readonly currentReports: () => readonly MachineReport[];
  readonly cacheDirectory: string;
  /** Private (0700). */
  readonly stateDirectory: string;
  /** Ends what steps ask for. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ServiceCluster {
  readonly blueprint: ClusterBlueprint;
  readonly area: Pick<ClusterArea, 'observe' | 'reach'>;
  readonly sources: ServiceSources;
}

export interface ServicesPlanInput {
  readonly hypervisors: HypervisorFacts;
  /** Absent for a lab without a cluster. */
  readonly view?: ClusterView;
  /** Steps of the same plan that ours may have to wait for. */
  readonly others: readonly Step[];
}

export interface ServicesArea {
  readonly executors: ReadonlyMap<string, Executor>;
  /** Looks and plans. What goes wrong with one of them is a problem of the plan; throws only the signal's reason and faults of ours. */
  plan(input: ServicesPlanInput, signal: AbortSignal): Promise<readonly AreaPlan[]>;
  /** Looks only at what the plan relies on. */
  listEntries(
    plan: Pick<Plan, 'steps'>,
    hypervisors: HypervisorFacts,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>>;
  /** Those outside the cluster; the cluster tells of its own. */
  status(signal: AbortSignal): Promise<readonly OutsideServiceStatus[]>;
}

export function makeServicesArea(options: ServicesAreaOptions): ServicesArea {
  const { blueprint, cluster, identity, random } = options;
  const { privateKey } = identity;
  return {
    executors: new Map([...makeNasExecutors(blueprint, privateKey), ...makeClusterExecutors(options)]),
    plan: async ({ hypervisors, view, others }, signal) => {
      const machine = findMountMachine(blueprint, hypervisors, options.currentReports(), { privateKey, signal });
      const [charts, nas, outside] = await Promise.all([
        cluster === undefined || view === undefined ? nothing : planCharts(options, cluster, { view, others }, signal),
        observeNas(blueprint, { privateKey, random, signal, ...(machine === undefined ? {} : { machine }) }),
        observeOutsideServices(blueprint.services, { signal }),
      ]);
      return [planNas(blueprint, nas), charts, { ...nothing, notes: outsideServiceNotes(outside) }];
    },
    listEntries: async ({ steps }, hypervisors, signal) => {
      const relied = steps.flatMap(({ relies }) => relies.map(({ entry }) => entry));
      const reliesOn = (pattern: RegExp): boolean => relied.some((entry) => pattern.test(entry));
      const entries = new Map<string, string>();
      // Without a machine to mount from: only the files on the NAS are relied on.
      const nas = reliesOn(/^nas\//) ? nasEntries(await observeNas(blueprint, { privateKey, random, signal })) : [];
      for (const [entry, value] of nas) entries.set(entry, value);
      if (cluster !== undefined && reliesOn(/^(release|secret)\//)) {
        const view = await cluster.area.observe(hypervisors, signal);
        const facts = await observeCharts(options, cluster, view, signal);
        for (const [entry, value] of serviceEntries(blueprint, facts)) entries.set(entry, value);
      }
      return entries;
    },
    status: async (signal) => (await observeOutsideServices(blueprint.services, { signal })).map(formatOutsideStatus),
  };
}

const nothing: AreaPlan = { steps: [], problems: [], notes: [] };

async function planCharts(
  options: ServicesAreaOptions,
  cluster: ServiceCluster,
  { view, others }: Required<Pick<ServicesPlanInput, 'view' | 'others'>>,
  signal: AbortSignal,
): Promise<AreaPlan> {
  const { blueprint } = options;
  try {
    const hasKeys = view.keys.kind === 'usable' && (await cluster.area.reach.vault.read(signal)) !== undefined;
    const turn = findServiceTurn(view, others, hasKeys);
    if (turn.kind === 'now') {
      const facts = await observeCharts(options, cluster, view, signal);
      return planServices(blueprint, facts, turn.needs, turn.networkNeeds);
    }
    const notes = turn.cluster === 'silent' && hasServices(blueprint) ? [comparedLater] : [];
    return { ...nothing, notes };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = asLabwrightError(thrown);
    if (error.code === 'LW0001') throw error;
    // A cluster that breaks off while it is looked at keeps nobody from the machines.
    return { ...nothing, problems: [error.toJSON()] };
  }
}

const comparedLater = 'charts and Secrets are compared with the lab file once the cluster answers: labwright plan';

function hasServices({ charts }: Blueprint): boolean {
  return charts !== undefined && Object.keys(charts.base).length + charts.own.length + charts.secrets.length > 0;
}

async function observeCharts(
  options: ServicesAreaOptions,
  cluster: ServiceCluster,
  { facts }: ClusterView,
  signal: AbortSignal,
): Promise<ServiceFacts> {
  const connection = facts.kind === 'answers' ? await connect(cluster, signal) : undefined;
  return await observeServices(options.blueprint, {
    ...(connection === undefined ? {} : { connection }),
    helm: async () => await openHelm(helmAccess(options, cluster), signal),
    charts: { cacheDirectory: options.cacheDirectory, directory: cluster.sources.directory },
    read: cluster.sources.readSecret,
    clock: options.clock,
    signal,
  });
}

function makeClusterExecutors(options: ServicesAreaOptions): ReadonlyMap<string, Executor> {
  const { blueprint, cluster, cacheDirectory, signal } = options;
  if (cluster === undefined) return new Map();
  return makeServiceExecutors({
    blueprint,
    connection: async () => await connect(cluster, signal),
    helm: async () => await openHelm(helmAccess(options, cluster), signal),
    charts: { cacheDirectory, directory: cluster.sources.directory },
    read: cluster.sources.readSecret,
  });
}

function helmAccess(
  { blueprint, cacheDirectory, stateDirectory, clock, random, log }: ServicesAreaOptions,
  { blueprint: cluster, area, sources }: ServiceCluster,
): HelmAccess {
  const { vault } = area.reach;
  return { blueprint, cluster, vault, sources, cacheDirectory, stateDirectory, clock, random, log };
}

/** Asked at each step: the cluster may be formed in the same run. */
async function connect({ area }: ServiceCluster, signal: AbortSignal): Promise<ClusterConnection> {
  const pki = await area.reach.vault.read(signal);
  if (pki === undefined) throw clusterNotFormed();
  return await area.reach.connect(pki);
}
