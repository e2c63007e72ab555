// From what somebody wants to the plans of all areas: looks at what the areas need to know of each other, and asks each planner.
import type { HostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { missingCluster } from '@labwright/core/blueprint/missing-section';
import type { Intent } from '@labwright/core/contract/contract';
import { LabwrightError } from '@labwright/core/errors/error';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { MachineConditions, MachineReport } from '@labwright/core/facts/machines';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { planHealing, planReplacement, type HealDecision, type HealFacts } from '@labwright/cluster/life/heal-plan';
import { planSnapshot } from '@labwright/cluster/snapshot/take-snapshot';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { inParallel } from '@labwright/drivers/proxmox/parallel';
import { fetchVmCondition } from '@labwright/drivers/proxmox/vm-condition';
import { destroysCluster, planIntent, type MachineIntent } from '@labwright/machines/intent-plan';
import { findLeftovers, nobodyElse, type DepartureGuard } from '@labwright/machines/machine-plan';
import { findOwnVm } from '@labwright/machines/own-vm';
import { allMachines, findSpare, withReplacements } from '@labwright/machines/replacements';
import { orderAfterRouter } from '@labwright/network/router/router-steps';
import type { ClusterArea, ClusterView, PlannedMachines } from './cluster/cluster-area.ts';
import { holdDecisions, holdMembers, keepHealing, planHealingSteps } from './cluster/healing-plan.ts';
import type { LifeArea } from './cluster/life-area.ts';
import type { HeldMachines } from './healing-pauses.ts';
import type { LabImages } from './lab-images.ts';
import type { RouterArea } from './router/router-area.ts';
import type { ServicesArea } from './services/services-area.ts';

export interface LabPlannerOptions {
  /** As the lab file has it. */
  readonly blueprint: Blueprint;
  readonly connection: ProxmoxConnection;
  /** Absent for a lab without a cluster. */
  readonly cluster?: { readonly area: ClusterArea; readonly life: LifeArea };
  readonly services: Pick<ServicesArea, 'plan'>;
  /** Absent for a lab without one, or without a login for it. */
  readonly router?: Pick<RouterArea, 'plan'>;
  /** Absent where machines are not booted: then nobody knows of images. */
  readonly images?: Pick<LabImages, 'findObstacle'>;
  readonly currentReports: () => readonly MachineReport[];
  /** What healing leaves alone for now. */
  readonly held?: HeldMachines;
}

/** Throws what the planners throw: whatever stands in the way of all of it. */
export async function planAreas(
  intent: Intent,
  hypervisors: HypervisorFacts,
  options: LabPlannerOptions,
  signal: AbortSignal,
): Promise<readonly AreaPlan[]> {
  const world: World = {
    ...options,
    file: options.blueprint,
    blueprint: withReplacements(options.blueprint, hypervisors),
    hypervisors,
    signal,
  };
  switch (intent.kind) {
    case 'up':
    case 'down':
    case 'destroy':
    case 'rebuild':
      return await planMachineIntent(intent, world);
    case 'heal':
      return await planHeal(world);
    case 'replace':
      return await planReplace(intent, world);
    case 'drain':
      return [await planDrainOf(intent.machine, world)];
    case 'upgrade': {
      const { area, life } = clusterOf(world);
      const { facts } = await area.observe(hypervisors, signal);
      const upgrade = await life.planUpgrade(world.blueprint, facts, signal);
      await assertImages(area, upgrade, signal);
      return [upgrade];
    }
    case 'renew': {
      const { area, life } = clusterOf(world);
      const { facts } = await area.observe(hypervisors, signal);
      return [await life.planRenewals(world.blueprint, facts, signal)];
    }
    case 'snapshot':
      return [await planSnapshotIntent(intent.reason, world)];
    case 'restore':
      return [await clusterOf(world).life.planRestore(world.blueprint, intent.file, signal)];
  }
}

interface World extends LabPlannerOptions {
  readonly file: Blueprint;
  /** As it holds with replacements. */
  readonly blueprint: Blueprint;
  readonly hypervisors: HypervisorFacts;
  readonly signal: AbortSignal;
}

/** What people ask of single machines is done to those alone; the router has what there is after it. */
async function planMachineIntent(intent: MachineIntent, world: World): Promise<readonly AreaPlan[]> {
  const { blueprint } = world;
  const areas = await planMachinesAndCluster(intent, world);
  if (world.router === undefined || intent.kind === 'down' || intent.kind === 'rebuild') return areas;
  const gone = new Set(intent.kind === 'destroy' ? intent.machines : []);
  const staying = blueprint.machines.filter(({ name }) => !gone.has(name));
  const routed = await world.router.plan(staying, world.signal);
  const isBootedByRouter = blueprint.netboot.mode === 'router';
  return [routed, ...areas.map((area) => orderAfterRouter(area, routed.steps, { isBootedByRouter }))];
}

async function planMachinesAndCluster(intent: MachineIntent, world: World): Promise<readonly AreaPlan[]> {
  const { blueprint, hypervisors, cluster, services, signal } = world;
  const facts = { hypervisors, machines: { reports: world.currentReports() } };
  // All go down together and come back as they are: nobody leaves the cluster.
  if (cluster === undefined || intent.kind === 'down') {
    const machines = planIntent(intent, blueprint, facts);
    if (intent.kind !== 'up') return [machines];
    return [machines, ...(await services.plan({ hypervisors, others: machines.steps }, signal))];
  }
  const view = await cluster.area.observe(hypervisors, signal);
  const openGuard = async (): Promise<DepartureGuard> =>
    destroysCluster(intent, blueprint)
      ? nobodyElse
      : await cluster.life.openDepartures(view.facts, listLeaving(intent, world), signal);
  const machines = await planWithImages(world, openGuard, (guard) => planIntent(intent, blueprint, facts, guard));
  if (intent.kind !== 'up') return [machines];
  const note = await cluster.life.findUpgradeNote(blueprint, view.facts, signal);
  const due: AreaPlan = { steps: [], problems: [], notes: note === undefined ? [] : [note] };
  const members = cluster.area.plan(view, plannedMachines(blueprint, machines.steps, hypervisors), blueprint);
  await assertImages(cluster.area, members, signal);
  const others = [...machines.steps, ...members.steps];
  return [machines, members, due, ...(await services.plan({ hypervisors, view, others }, signal))];
}

/** Before anything is made: a machine without its image waits for it for ever. */
async function assertImages(area: ClusterArea, { steps }: AreaPlan, signal: AbortSignal): Promise<void> {
  const kinds = ['cluster.form', 'cluster.join', 'cluster.upgrade'];
  if (steps.some(({ kind, change }) => change !== 'wait' && kinds.includes(kind))) await area.assertImages(signal);
}

/** Machines that may have to be drained for it. */
function listLeaving(intent: MachineIntent, { blueprint, hypervisors }: World): readonly string[] {
  if (intent.kind === 'destroy') return intent.machines;
  if (intent.kind === 'rebuild') return [intent.machine];
  return findLeftovers(blueprint, hypervisors).map(({ name }) => name);
}

async function planHeal(world: World): Promise<readonly AreaPlan[]> {
  const view = await world.cluster?.area.observe(world.hypervisors, world.signal);
  const wishes = planHealing(world.blueprint, await fetchHealFacts(world, world.blueprint.machines, view));
  const left = findLeftovers(world.blueprint, world.hypervisors).filter(({ status }) => status === 'running');
  const notes = left.map(
    ({ name, host }) => `${name} on ${host} runs and is no machine of the lab any more; labwright up   removes it`,
  );
  const areas = await planDecisions(world, holdDecisions(wishes, world.held), view);
  return [...areas, { steps: [], problems: [], notes }];
}

async function planReplace(
  { machine: name, hostIsOff }: Extract<Intent, { kind: 'replace' }>,
  world: World,
): Promise<readonly AreaPlan[]> {
  const machine = machineOf(world, name);
  const view = await world.cluster?.area.observe(world.hypervisors, world.signal);
  const decision = planReplacement(machine, await fetchHealFacts(world, [machine], view), { hostIsOff });
  if (decision === undefined || decision.kind === 'start') {
    throw new LabwrightError('LW0002', {
      what: `${name} needs no replacement`,
      why: 'its disk is there and its host answers',
      fix: ['labwright up', `labwright machine rebuild ${name}   installs it anew`],
    });
  }
  if (decision.kind === 'wait') {
    throw new LabwrightError('LW2011', { what: decision.why, where: { machine: name }, fix: decision.fix });
  }
  return await planDecisions(world, [decision], view);
}

async function planDecisions(
  world: World,
  decisions: readonly HealDecision[],
  view: ClusterView | undefined,
): Promise<readonly AreaPlan[]> {
  const { blueprint, hypervisors, cluster, signal } = world;
  const remade = decisions.flatMap((each) => (each.kind === 'new-disk' ? [String(each.machine.name)] : []));
  const openGuard = async (): Promise<DepartureGuard> =>
    cluster === undefined || view === undefined
      ? nobodyElse
      : await cluster.life.openDepartures(view.facts, remade, signal);
  const healing = await planWithImages(world, openGuard, (guard) =>
    planHealingSteps(blueprint, decisions, { hypervisors, guard }),
  );
  if (cluster === undefined || view === undefined) return [healing];
  const running = new Set(hypervisors.vms.flatMap(({ name, status }) => (status === 'running' ? [name] : [])));
  const planned = plannedMachines(healing.blueprint, healing.steps, hypervisors);
  const planMembers = (absent: ReadonlySet<string>): AreaPlan =>
    keepHealing(cluster.area.plan(view, { ...planned, absent }, healing.blueprint), healing, running);
  return [healing, holdMembers(planMembers, planned.absent, { held: world.held, healing })];
}

/** What they make a machine with. */
const makingKinds = new Set(['vm.create', 'vm.wipe', 'vm.redisk']);

/**
 * A machine whose image is not to be had would be made and never answer: planned once more, it is refused. Only for machines that
 * are made is that asked, because the answer may take seconds. A guard lasts for one plan.
 */
async function planWithImages<Made extends AreaPlan>(
  { blueprint, images, signal }: World,
  openGuard: () => Promise<DepartureGuard>,
  plan: (guard: DepartureGuard) => Made,
): Promise<Made> {
  const planned = plan(await openGuard());
  const obstacles = new Map<string, LabwrightError>();
  for (const { target } of planned.steps.filter(({ kind }) => makingKinds.has(kind))) {
    const machine = allMachines(blueprint).find(({ name }) => name === target);
    const obstacle = machine && (await images?.findObstacle(machine, signal));
    if (obstacle !== undefined) obstacles.set(target, withoutImage(target, obstacle));
  }
  if (obstacles.size === 0) return planned;
  const guard = await openGuard();
  return plan({
    planDeparture: (machine, because) => {
      const obstacle = because === 'made-anew' ? obstacles.get(machine.name) : undefined;
      if (obstacle !== undefined) throw obstacle;
      return guard.planDeparture(machine, because);
    },
  });
}

/** The error is of what all such machines boot; the problem is this machine's. */
function withoutImage(machine: string, cause: LabwrightError): LabwrightError {
  const json = cause.toJSON();
  const where = { ...json.where, machine };
  return LabwrightError.fromJSON({ ...json, what: `${machine} is left as it is: ${json.what}`, where });
}

/** For the cluster's planner: a machine that could not be planned, or that healing leaves to `up`, is not there to join. */
function plannedMachines(
  { machines }: Blueprint,
  steps: readonly Step[],
  { vms }: HypervisorFacts,
): Required<PlannedMachines> {
  const present = new Set(vms.map(({ vmId }) => vmId));
  const made = new Set(steps.flatMap(({ kind, target }) => (kind === 'vm.create' ? [target] : [])));
  const absent = machines.flatMap(({ name, vmId }) => (present.has(vmId) || made.has(name) ? [] : [name]));
  return { others: steps, absent: new Set(absent) };
}

async function fetchHealFacts(
  { connection, file, hypervisors, signal }: World,
  machines: readonly MachineBlueprint[],
  view: ClusterView | undefined,
): Promise<HealFacts> {
  const vms = new Map(hypervisors.vms.map((vm) => [vm.vmId, vm]));
  // Nothing here measures whether a silent host has power; a person's word comes with the intent.
  const options = { lab: file.lab, hostsOff: new Set<HostName>(), signal };
  const entries = await inParallel(
    machines,
    3,
    async (machine) => [machine.vmId, await fetchVmCondition(connection, vms.get(machine.vmId), options)] as const,
  );
  const conditions: MachineConditions = new Map(entries);
  const spares = machines.flatMap((machine) => {
    const spare = findSpare(file, machine, hypervisors);
    return spare === undefined ? [] : [[machine.name, spare] as const];
  });
  return {
    conditions,
    spares: new Map(spares),
    ...(view === undefined ? {} : { cluster: view.facts }),
    ...(file.cluster === undefined ? {} : { version: file.cluster.version }),
  };
}

async function planDrainOf(name: string, world: World): Promise<AreaPlan> {
  const machine = machineOf(world, name);
  const { area, life } = clusterOf(world);
  const { facts } = await area.observe(world.hypervisors, world.signal);
  const departures = await life.openDepartures(facts, [name], world.signal);
  const runs = findOwnVm(world.blueprint.lab, machine, world.hypervisors)?.status === 'running';
  const steps = departures.planDrain({ ...machine, runs });
  return { steps, problems: [], notes: steps.length === 0 ? [`${name} is not a ready node of the cluster`] : [] };
}

/** One on a schedule waits for the cluster to answer; one that somebody asked for says that it does not. */
async function planSnapshotIntent(reason: 'asked' | 'scheduled', world: World): Promise<AreaPlan> {
  const { area } = clusterOf(world);
  const { facts } = await area.observe(world.hypervisors, world.signal);
  const isIdle = facts.kind === 'silent' && reason === 'scheduled';
  return { steps: isIdle ? [] : [planSnapshot(reason)], problems: [], notes: [] };
}

function clusterOf({ cluster }: World): NonNullable<World['cluster']> {
  if (cluster !== undefined) return cluster;
  throw missingCluster();
}

function machineOf({ blueprint }: World, name: string): MachineBlueprint {
  const machine = blueprint.machines.find((each) => each.name === name);
  if (machine !== undefined) return machine;
  throw new LabwrightError('LW0002', {
    what: `the lab has no machine "${name}"`,
    why: `it has ${blueprint.machines.map((each) => each.name).join(', ')}`,
    fix: ['labwright status'],
  });
}
