// The planner of a cluster's formation and growth: from the blueprint and what is known to the steps that make the two agree. Pure.
//
//   nobody answers, no member known      form ─▶ join (each) ─▶ ready (each)      and settle after form
//   nobody answers, some disk a member   wait for it to answer ─▶ what is missing
//   it answers                           join what is missing, if it has the version of the file; wait for what is not ready
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HostName } from '@labwright/core/addresses/names';
import { LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { ClusterFacts, DiskState, NodeFacts } from '@labwright/core/facts/cluster';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { stepId, type Json, type Step } from '@labwright/core/plan/step';
import { makeOwnObjects } from './cluster-objects.ts';
import { findJoinObstacle } from './join-version.ts';
import type { ClusterFormInput, ClusterJoinInput, ClusterReadyInput, ClusterSettleInput } from './step-input.ts';

export interface ClusterPlanInput {
  readonly facts: ClusterFacts;
  /** Why the keys of the cluster cannot be used, if so: then nothing is formed or joined. */
  readonly keys: { readonly kind: 'usable' } | { readonly kind: 'unusable'; readonly error: ErrorJson };
  /** The machines' steps (and those that take members out) of the same plan: ours wait for them. */
  readonly others: readonly Step[];
  /** Members without a VM, and none is made in this plan: whoever plans machines says why, and nobody waits for them. */
  readonly absent?: ReadonlySet<string>;
}

// As seen in the rehearsal on two cores without KVM.
const estimates = { formMs: 90_000, joinMs: 40_000, readyMs: 15_000, settleMs: 20_000, answerMs: 60_000 };

// Screens write "it" for a step's target in its title, so titles have the target's bare name.
const formId = stepId('cluster.form', 'cluster');

/** Nothing for a blueprint without a cluster. */
export function planCluster(blueprint: Blueprint, input: ClusterPlanInput): AreaPlan {
  const { cluster, machines } = blueprint;
  const members = machines.filter(({ name, role }) => role !== undefined && input.absent?.has(name) !== true);
  if (cluster === undefined || members.length === 0) return { steps: [], problems: [], notes: [] };
  const world = { blueprint, input, members, disks: disksOf(input, members) };
  const draft = input.facts.kind === 'silent' ? planSilent(world) : planAnswering(world, input.facts);
  if (draft.steps.length === 0 || input.keys.kind === 'usable') return draft;
  return { ...draft, steps: [], problems: [...draft.problems, input.keys.error] };
}

/** 'new': its disk is made or wiped in this very plan. */
type Disk = DiskState | 'new' | 'unknown';

interface World {
  readonly blueprint: Blueprint;
  readonly input: ClusterPlanInput;
  readonly members: readonly MachineBlueprint[];
  readonly disks: ReadonlyMap<HostName, Disk>;
}

function disksOf(
  { facts, others }: ClusterPlanInput,
  members: readonly MachineBlueprint[],
): ReadonlyMap<HostName, Disk> {
  const told = new Map(facts.disks.map(({ name, state }) => [name, state]));
  const fresh = new Set(
    others
      .filter(({ kind }) => kind === 'vm.create' || kind === 'vm.wipe' || kind === 'vm.redisk')
      .map(({ target }) => target),
  );
  return new Map(members.map(({ name }) => [name, fresh.has(name) ? 'new' : (told.get(name) ?? 'unknown')]));
}

function planSilent(world: World): AreaPlan {
  const { members } = world;
  const foreign = members.filter((machine) => diskOf(world, machine) === 'foreign');
  if (foreign.length > 0) return { steps: [], problems: foreign.map(foreignMachine), notes: [] };
  const controlPlanes = members.filter((machine) => machine.role === 'control-plane');
  const known = controlPlanes.filter((machine) => diskOf(world, machine) === 'member');
  // It is formed on the first of the file, which may have to hold its endpoint, and on no other.
  const isFirstHere =
    controlPlanes[0]?.name === world.blueprint.machines.find(({ role }) => role === 'control-plane')?.name;
  if (known.length === 0 && !isFirstHere) return stepsOnly([]);
  const start = known.length > 0 ? planAnswer(world, known) : planForm(world, controlPlanes);
  const formed = new Set(known.length > 0 ? known : controlPlanes.slice(0, 1));
  const rest = members
    .filter((machine) => !formed.has(machine))
    .map((machine) =>
      diskOf(world, machine) === 'member'
        ? planReady(world, machine, 'it is not known to be ready', [formId])
        : planJoin(world, machine, 'it is not in the cluster yet', [formId]),
    );
  const ordered = votersFirst(world, rest);
  const first = controlPlanes[0];
  const settle = first === undefined ? [] : [planSettle(first, 'the cluster is new, or not seen yet', [formId])];
  return stepsOnly([start, ...settle, ...ordered, ...readySteps(world, [...formed], ordered)]);
}

function planAnswering(world: World, facts: Extract<ClusterFacts, { readonly kind: 'answers' }>): AreaPlan {
  const { blueprint, members } = world;
  const nodes = new Map(facts.nodes.map((node) => [node.name, node]));
  const problems: ErrorJson[] = [];
  const steps: Step[] = [];
  const joins: Step[] = [];
  for (const machine of members) {
    const node = nodes.get(machine.name);
    const disk = diskOf(world, machine);
    if (node !== undefined && node.role !== machine.role) {
      problems.push(otherRole(machine, node));
    } else if (disk === 'foreign') {
      problems.push(foreignMachine(machine));
    } else if (disk === 'begun' && node !== undefined && isOnlyPlane(facts, node)) {
      // All that is in the cluster is on this disk: it is finished (by what settles) and never undone.
      if (node.ready !== 'ready') steps.push(planReady(world, machine, node.why ?? 'it starts again', []));
    } else {
      const reason = whyJoin(facts, machine, node, disk);
      const obstacle = blueprint.cluster && findJoinObstacle(blueprint.cluster.version, machine, facts);
      if (reason !== undefined && obstacle === undefined) joins.push(planJoin(world, machine, reason, []));
      else if (reason !== undefined && obstacle !== undefined) problems.push(obstacle.toJSON());
      else if (node !== undefined && (node.ready !== 'ready' || waitOf(world, machine).length > 0))
        steps.push(planReady(world, machine, node.why ?? 'it starts again', []));
    }
  }
  const planes = members.filter(({ role, name }) => role === 'control-plane' && nodes.get(name) !== undefined);
  const controlPlane = planes.find((machine) => diskOf(world, machine) !== 'begun') ?? planes[0];
  if (controlPlane !== undefined) {
    const isFinished = diskOf(world, controlPlane) !== 'begun';
    const reason = isFinished ? 'its objects of ours are missing or older' : 'its formation did not come to its end';
    const isSettled = isFinished && facts.settled === makeOwnObjects(blueprint.lab).digest;
    if (!isSettled) steps.push(planSettle(controlPlane, reason, waitOf(world, controlPlane)));
  }
  return { steps: [...steps, ...votersFirst(world, joins), ...readySteps(world, [], joins)], problems, notes: [] };
}

/** Undefined for one that is in the cluster and in etcd, whatever it is doing. */
function whyJoin(
  { members }: Extract<ClusterFacts, { readonly kind: 'answers' }>,
  { name, role }: MachineBlueprint,
  node: NodeFacts | undefined,
  disk: Disk,
): string | undefined {
  if (node === undefined) return 'the cluster has no such node';
  if (disk === 'new') return 'its disk is new';
  if (disk === 'begun' && (role === 'control-plane' || node.ready !== 'ready'))
    return 'its join did not come to its end';
  if (disk === 'busy') return 'its join is under way';
  if (disk === 'blank' && node.ready !== 'ready') return 'its disk is new';
  const isVoterless = role === 'control-plane' && members !== undefined && !members.some((each) => each.name === name);
  const isThere = disk === 'member' || node.ready === 'ready';
  return isVoterless && isThere ? 'etcd does not have it any more' : undefined;
}

const isOnlyPlane = (
  { nodes }: Extract<ClusterFacts, { readonly kind: 'answers' }>,
  { name, role }: NodeFacts,
): boolean => role === 'control-plane' && nodes.every((each) => each.name === name || each.role !== 'control-plane');

/**
 * While etcd takes in a second voter, nobody answers until it runs. Without KVM that takes long enough as it is, without workers
 * that join beside it.
 */
function votersFirst({ blueprint, members }: World, steps: readonly Step[]): readonly Step[] {
  if (blueprint.cluster?.slow !== true) return steps;
  const controlPlanes = new Set(members.filter(({ role }) => role === 'control-plane').map(({ name }) => String(name)));
  const joins = steps.filter(({ kind }) => kind === 'cluster.join');
  const voters = joins.filter(({ target }) => controlPlanes.has(target)).map(({ id }) => id);
  return steps.map((step) =>
    joins.includes(step) && !voters.includes(step.id) ? { ...step, needs: [...step.needs, ...voters] } : step,
  );
}

/** Every machine that this plan brings in is also seen ready. With flannel that takes its chart, which comes after this area. */
function readySteps(
  { blueprint }: World,
  formed: readonly MachineBlueprint[],
  joins: readonly Step[],
): readonly Step[] {
  if (blueprint.cluster?.podNetwork !== 'routed') return [];
  const joined = joins.flatMap(({ kind, target, id }) =>
    kind === 'cluster.join' ? [{ name: target, needs: [id] }] : [],
  );
  const all = [...formed.map(({ name }) => ({ name, needs: [formId] })), ...joined];
  return all.map(({ name, needs }) => makeReady(name, 'it is new in the cluster', needs));
}

function planForm(world: World, controlPlanes: readonly MachineBlueprint[]): Step {
  const [first, ...others] = controlPlanes;
  if (first === undefined) throw new LabwrightError('LW0001', { what: 'a checked lab has a control plane' });
  const unsure = [first, ...others].filter((machine) => diskOf(world, machine) === 'unknown');
  const input: ClusterFormInput = { name: first.name, unsure: unsure.map(({ name }) => name) };
  return makeStep('cluster.form', 'cluster', {
    title:
      unsure.length === 0
        ? `form cluster on ${first.name}`
        : `see cluster answer, or form it on ${first.name} if it never was`,
    change: 'add',
    reason: unsure.length === 0 ? 'there is none yet' : 'nobody answers, and no disk could be asked why',
    needs: [...new Set([first, ...unsure])].flatMap((machine) => waitOf(world, machine)),
    estimateMs: estimates.formMs,
    queues: ['cluster'],
    input: { ...input },
  });
}

function planAnswer(world: World, known: readonly MachineBlueprint[]): Step {
  const names = known.map(({ name }) => name);
  const input: ClusterFormInput = { name: names[0] ?? '', unsure: names };
  return makeStep('cluster.form', 'cluster', {
    title: 'wait for cluster to answer',
    change: 'wait',
    reason: `its keys are on ${names.join(', ')}, and its API is silent`,
    needs: known.flatMap((machine) => waitOf(world, machine)),
    estimateMs: estimates.answerMs,
    queues: ['cluster'],
    input: { ...input },
  });
}

function planJoin(world: World, machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  const input: ClusterJoinInput = { name: machine.name };
  const isControlPlane = machine.role === 'control-plane';
  const removal = world.input.others.find(({ kind, target }) => kind === 'node.remove' && target === machine.name);
  return makeStep('cluster.join', machine.name, {
    title: `join ${machine.name} as ${isControlPlane ? 'control plane' : 'worker'}`,
    change: 'add',
    reason,
    needs: [...needs, ...waitOf(world, machine), ...(removal === undefined ? [] : [removal.id])],
    estimateMs: estimates.joinMs,
    // etcd takes one new voter at a time; workers join side by side.
    queues: [`node/${machine.name}`, ...(isControlPlane ? ['cluster/voters'] : [])],
    input: { ...input },
  });
}

function planReady(world: World, machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  return makeReady(machine.name, reason, [...needs, ...waitOf(world, machine)]);
}

function makeReady(name: string, reason: string, needs: readonly string[]): Step {
  const input: ClusterReadyInput = { name };
  return makeStep('cluster.ready', name, {
    title: `wait for ${name} to be ready`,
    change: 'wait',
    reason,
    needs,
    estimateMs: estimates.readyMs,
    input: { ...input },
  });
}

function planSettle(machine: MachineBlueprint, reason: string, needs: readonly string[]): Step {
  const input: ClusterSettleInput = { name: machine.name };
  return makeStep('cluster.settle', 'cluster', {
    title: 'put rights and add-ons into cluster',
    change: 'change',
    reason,
    needs,
    estimateMs: estimates.settleMs,
    queues: [`node/${machine.name}`],
    input: { ...input },
  });
}

const diskOf = ({ disks }: World, { name }: MachineBlueprint): Disk => disks.get(name) ?? 'unknown';

/** The last wait for the machine in this plan, if it is started or restarted in it. */
function waitOf({ input }: World, { name }: MachineBlueprint): readonly string[] {
  const last = input.others.findLast(({ kind, target }) => kind === 'machine.ready' && target === name);
  return last === undefined ? [] : [last.id];
}

function makeStep(
  kind: string,
  target: string,
  step: Pick<Step, 'title' | 'change' | 'reason' | 'estimateMs'> & { readonly input: Json } & Partial<Step>,
): Step {
  return {
    id: stepId(kind, target),
    kind,
    target,
    needs: [],
    risk: { level: 'none' },
    relies: [],
    queues: [],
    ...step,
  };
}

function foreignMachine({ name }: MachineBlueprint): ErrorJson {
  return new LabwrightError('LW6011', {
    what: `${name} belongs to another cluster`,
    where: { machine: name },
    why: 'the authority on its disk is not the one whose keys lie beside the lab file',
    fix: ['put the keys of its cluster back from your copy', `or give it up: labwright machine rebuild ${name}`],
  }).toJSON();
}

function otherRole({ name, role, pool }: MachineBlueprint, node: NodeFacts): ErrorJson {
  return new LabwrightError('LW2011', {
    what: `${name} is a ${node.role} and the file wants a ${role}`,
    where: { machine: name },
    why: 'a node keeps the role it joined with',
    fix: [`pools.${pool}.role: ${node.role}`, `labwright destroy ${name}, then labwright up`],
  }).toJSON();
}

const stepsOnly = (steps: readonly Step[]): AreaPlan => ({ steps, problems: [], notes: [] });
