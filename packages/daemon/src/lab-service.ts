// One lab, open for work: observes, plans, runs plans and boots machines. `serve` holds it for as long as it runs; a
// command without a running `serve` holds it for the length of the command.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName, VmId } from '@labwright/core/addresses/names';
import type { Intent, LabStatus, MachineStatus } from '@labwright/core/contract/contract';
import { runPlan, type Executor, type RunResult } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import { mergePlans, movedReliances, type Plan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import { randomHex, type Random } from '@labwright/core/ports/random';
import { findForeignReason } from '@labwright/drivers/proxmox/mark';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { observeHypervisors } from '@labwright/drivers/proxmox/observe';
import { listFactEntries } from '@labwright/machines/fact-entries';
import { allMachines, withReplacements } from '@labwright/machines/replacements';
import type { ClusterArea } from './cluster/cluster-area.ts';
import type { LifeArea } from './cluster/life-area.ts';
import type { EventBus } from './event-bus.ts';
import type { HeldMachines } from './healing-pauses.ts';
import type { LabImages } from './lab-images.ts';
import { planAreas, type LabPlannerOptions } from './lab-planner.ts';
import type { RouterArea } from './router/router-area.ts';
import { makeRunTurns, type RunStarter } from './run-turns.ts';
import type { ServicesArea } from './services/services-area.ts';
import type { Store } from './store/store.ts';

export interface LabServiceOptions {
  readonly blueprint: Blueprint;
  /** Of this Labwright. */
  readonly version: string;
  readonly connection: ProxmoxConnection;
  readonly store: Store;
  readonly bus: EventBus;
  readonly executors: ReadonlyMap<string, Executor>;
  /** Absent for a lab without a cluster. */
  readonly cluster?: { readonly area: ClusterArea; readonly life: LifeArea };
  readonly services: ServicesArea;
  /** Absent where machines are not booted. */
  readonly images?: Pick<LabImages, 'findObstacle'>;
  /** Absent for a lab without one, or without a login for it. */
  readonly router?: RouterArea;
  readonly clock: Clock;
  readonly random: Random;
  /** Told after every look at the hypervisors. */
  readonly observed: (facts: HypervisorFacts) => void;
}

export interface RunOptions {
  /** The saved plan to apply exactly. */
  readonly planId: string;
  /** A person's waits for what the service began by itself, whose events it is told meanwhile. */
  readonly by: RunStarter;
  readonly emit: (event: LabEvent) => void;
  readonly interrupt: AbortSignal;
  readonly signal: AbortSignal;
}

export interface LabService {
  readonly blueprint: Blueprint;
  /** Looks at the hypervisors, so that whoever is told of each look knows the lab before anything else happens. */
  look(signal: AbortSignal): Promise<void>;
  status(signal: AbortSignal): Promise<LabStatus>;
  /**
   * Looks, plans and saves the plan under its id. To heal, only while nothing runs (else LW5003, without a look), and without the
   * machines that are held.
   */
  plan(intent: Intent, signal: AbortSignal, held?: HeldMachines): Promise<Plan>;
  /** The plan as it was made. Throws LW0002 for an unknown one. */
  getSavedPlan(planId: string): Plan;
  /** Throws LW5001 when a saved plan no longer fits, LW5003 when somebody's run is under way, LW0002 for an unknown plan. */
  run(options: RunOptions): Promise<RunResult>;
  readonly runUnderWay: () => string | undefined;
  /** Throws LW5003 while a run is under way. */
  readonly assertNoRun: () => void;
}

export function makeLabService(options: LabServiceOptions): LabService {
  const { blueprint, connection, store, bus, cluster, services, images, router } = options;
  const vmIds = allMachines(blueprint).map((machine) => machine.vmId);
  const planner: LabPlannerOptions = {
    blueprint,
    connection,
    services,
    currentReports: () => store.currentReports(),
    ...(cluster === undefined ? {} : { cluster }),
    ...(router === undefined ? {} : { router }),
    ...(images === undefined ? {} : { images }),
  };
  const turns = makeRunTurns();
  let waits: readonly string[] = [];

  const observe = async (signal: AbortSignal): Promise<HypervisorFacts> => {
    const facts = await observeHypervisors(connection, { lab: blueprint.lab, vmIds, signal });
    options.observed(facts);
    return facts;
  };

  const plan: LabService['plan'] = async (intent, signal, held) => {
    // What a run has half done looks broken, and machines at work are not to be disturbed by looking.
    if (intent.kind === 'heal') turns.assertFree();
    const hypervisors = await observe(signal);
    const options = held === undefined ? planner : { ...planner, held };
    const made = mergePlans(blueprint.lab, hypervisors.asOf, await planAreas(intent, hypervisors, options, signal));
    // Healing looks many times a minute, and mostly finds nothing to do.
    if (intent.kind !== 'heal' || made.steps.length > 0) store.savePlan(made);
    if (intent.kind === 'heal') waits = listWaits(made);
    return made;
  };

  const getSavedPlan = (planId: string): Plan => {
    const saved = store.findPlan(planId);
    if (saved !== undefined) return saved;
    throw new LabwrightError('LW0002', { what: `there is no plan ${planId}`, fix: ['labwright plan'] });
  };

  const choosePlan = async ({ planId, signal }: RunOptions): Promise<Plan> => {
    const saved = getSavedPlan(planId);
    const hypervisors = await observe(signal);
    const entries = new Map([
      ...listFactEntries(blueprint.lab, hypervisors, planned(saved)),
      ...(await services.listEntries(saved, hypervisors, signal)),
      ...((await router?.listEntries(saved, signal)) ?? []),
    ]);
    const moved = movedReliances(saved, entries);
    if (moved.length === 0) return saved;
    throw new LabwrightError('LW5001', {
      what: `plan ${planId} no longer fits the lab`,
      why: moved.join('; '),
      fix: ['labwright plan   and look again'],
    });
  };

  return {
    blueprint,
    plan,
    getSavedPlan,
    runUnderWay: () => turns.current(),
    assertNoRun: () => turns.assertFree(),
    look: async (signal) => void (await observe(signal)),
    status: async (signal) => {
      const hypervisors = await observe(signal);
      const [members, outside, routed] = await Promise.all([
        cluster?.area.status(hypervisors, signal),
        services.status(signal),
        router?.status(signal),
      ]);
      return {
        ...formatStatus(options, withReplacements(blueprint, hypervisors), hypervisors),
        ...(members === undefined ? {} : { cluster: members }),
        ...(outside.length === 0 ? {} : { services: outside }),
        ...(routed === undefined ? {} : { router: routed }),
        ...(waits.length === 0 ? {} : { waits }),
      };
    },
    run: async (runOptions) => {
      const { by, emit, interrupt, signal } = runOptions;
      const run = randomHex(options.random, 4);
      const onWait = (): Disposable => {
        const waited = new AbortController();
        bus.listen(emit, waited.signal);
        return { [Symbol.dispose]: () => waited.abort() };
      };
      using _ = await turns.take({ run, by, onWait, signal: AbortSignal.any([interrupt, signal]) });
      return await runPlan(await choosePlan(runOptions), {
        run,
        executors: options.executors,
        clock: options.clock,
        journal: store,
        emit: (event) => {
          emit(event);
          bus.emit(event);
        },
        interrupt,
        signal,
      });
    },
  };
}

/** Of a plan that heals: what it leaves to a person. */
export function listWaits({ notes, problems }: Pick<Plan, 'notes' | 'problems'>): readonly string[] {
  return [...notes, ...problems.map(({ what, why }) => (why === undefined ? what : `${what}: ${why}`))];
}

/** VM IDs that the plan relies on, also those that are no longer in the lab file. */
function planned(plan: Plan): readonly number[] {
  const ids = plan.steps.flatMap((step) => step.relies.map(({ entry }) => /^vm\/(\d+) /.exec(entry)?.[1]));
  return [...new Set(ids.filter((id) => id !== undefined).map(Number))];
}

function formatStatus(
  { version: labwrightVersion, store }: LabServiceOptions,
  blueprint: Blueprint,
  facts: HypervisorFacts,
): LabStatus {
  const vms = new Map<VmId, HypervisorFacts['vms'][number]>(facts.vms.map((vm) => [vm.vmId, vm]));
  const ready = new Set<HostName>(store.currentReports().map((report) => report.name));
  const stateOf = (vmId: VmId, name: HostName): MachineStatus['state'] => {
    const vm = vms.get(vmId);
    if (vm === undefined) return 'absent';
    if (vm.config === undefined || vm.status === 'unknown') return 'unknown';
    const foreign = findForeignReason({ vmId, tags: vm.tags, description: vm.config.description }, blueprint.lab);
    if (foreign !== undefined) return 'foreign';
    if (vm.status === 'stopped') return 'stopped';
    return ready.has(name) ? 'ready' : 'starting';
  };
  return {
    lab: blueprint.lab,
    version: labwrightVersion,
    asOf: facts.asOf,
    hosts: facts.hosts.map(({ name, online, version, memoryMiB, memoryUsedMiB }) => ({
      name,
      online,
      version,
      memoryMiB,
      memoryUsedMiB,
    })),
    machines: blueprint.machines.map(({ name, vmId, address, pool }) => ({
      name,
      vmId,
      address,
      pool,
      host: vms.get(vmId)?.host ?? null,
      state: stateOf(vmId, name),
    })),
  };
}
