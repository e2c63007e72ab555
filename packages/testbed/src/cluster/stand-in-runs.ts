// Runs healing and removals on a stand-in cluster with the product's planners, engine and executors; only what a hypervisor and
// kubeadm do is played. A run can be cut off at any of its events, as if the process had been killed there.
import { hostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { runPlan, type Executor, type RunResult } from '@labwright/core/engine/engine';
import type { LabEvent } from '@labwright/core/events/event';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { mergePlans, type AreaPlan, type Plan } from '@labwright/core/plan/plan';
import { systemClock } from '@labwright/core/ports/system';
import { makeOwnObjects } from '@labwright/cluster/formation/cluster-objects';
import { planCluster } from '@labwright/cluster/formation/cluster-plan';
import { planDepartures } from '@labwright/cluster/life/departure';
import { planHealing, type HealFacts } from '@labwright/cluster/life/heal-plan';
import { makeNodeExecutors } from '@labwright/cluster/life/node-executors';
import { keepHealing, planHealingSteps } from '@labwright/daemon/cluster/healing-plan';
import { planIntent } from '@labwright/machines/intent-plan';
import { allMachines, findSpare, withReplacements } from '@labwright/machines/replacements';
import type { VmCreateInput, VmInput, VmRediskInput } from '@labwright/machines/step-input';
import type { StandInCluster } from './stand-in-cluster.ts';

export type CutOff =
  /** After so many steps have started or ended. */
  | { readonly kind: 'after-events'; readonly count: number }
  /** In the middle of a step of this kind, when it first says how far it is. */
  | { readonly kind: 'in-step'; readonly step: string };

export interface CutRun {
  /** "node.remove node103 started"; undefined when the run was over first. */
  readonly cutAt: string | undefined;
  readonly plan: Plan;
  readonly result: RunResult | undefined;
}

class Killed extends Error {}

/** What `serve` does when it heals. */
export async function heal(cluster: StandInCluster, cutOff?: CutOff): Promise<CutRun> {
  return await run(cluster, await planHeal(cluster), cutOff);
}

export async function planHeal(cluster: StandInCluster): Promise<Plan> {
  const { hypervisors, blueprint, facts } = await look(cluster, cluster.blueprint);
  const healFacts: HealFacts = {
    conditions: cluster.conditions(),
    cluster: facts,
    spares: new Map(
      blueprint.machines.flatMap((machine) => {
        const spare = findSpare(cluster.blueprint, machine, hypervisors);
        return spare === undefined ? [] : [[machine.name, spare] as const];
      }),
    ),
  };
  const guard = planDepartures({ cluster: facts, drainObstacles: new Map(), joinObstacles: new Map(), blueprint });
  const healing = planHealingSteps(blueprint, planHealing(blueprint, healFacts), { hypervisors, guard });
  const running = new Set(cluster.machines().flatMap((it) => (it.running ? [String(it.blueprint.name)] : [])));
  const members = planMembers(healing.blueprint, facts, healing);
  return merge(cluster, [healing, keepHealing(members, healing, running)]);
}

/** What `up` does, with the lab file as it is now. */
export async function up(cluster: StandInCluster, file: Blueprint, cutOff?: CutOff): Promise<CutRun> {
  return await run(cluster, await planUp(cluster, file), cutOff);
}

export async function planUp(cluster: StandInCluster, file: Blueprint): Promise<Plan> {
  const { hypervisors, blueprint, facts } = await look(cluster, file);
  const guard = planDepartures({ cluster: facts, drainObstacles: new Map(), joinObstacles: new Map(), blueprint });
  const reports = cluster
    .machines()
    .flatMap(({ blueprint: { name }, running, generation }) =>
      running ? [{ name, generation, bootId: '', sshHostKey: '', at: 0 }] : [],
    );
  const machines = planIntent({ kind: 'up' }, blueprint, { hypervisors, machines: { reports } }, guard);
  return merge(cluster, [machines, planMembers(blueprint, facts, machines)]);
}

async function look(cluster: StandInCluster, file: Blueprint) {
  const hypervisors = cluster.hypervisors();
  const facts = await cluster.observe(AbortSignal.timeout(20_000));
  return { hypervisors, blueprint: withReplacements(file, hypervisors), facts };
}

function planMembers(blueprint: Blueprint, facts: ClusterFacts, others: AreaPlan): AreaPlan {
  // What belongs into the cluster beside its machines is of no concern here.
  const settled = makeOwnObjects(blueprint.lab).digest;
  const known = facts.kind === 'answers' ? { ...facts, settled } : facts;
  return planCluster(blueprint, { facts: known, keys: { kind: 'usable' }, others: others.steps });
}

const merge = ({ blueprint }: StandInCluster, areas: readonly AreaPlan[]): Plan => mergePlans(blueprint.lab, 0, areas);

async function run(cluster: StandInCluster, plan: Plan, cutOff: CutOff | undefined): Promise<CutRun> {
  const kill = new AbortController();
  let cutAt: string | undefined;
  let count = 0;
  const cut = (event: LabEvent): void => {
    cutAt = event.type === 'step' ? `${event.step} ${event.state}` : event.type;
    kill.abort(new Killed(cutAt));
    throw new Killed(cutAt);
  };
  const isMilestone = (event: LabEvent): boolean => event.type !== 'step' || event.state !== 'progress';
  try {
    const result = await runPlan(plan, {
      run: 'test',
      clock: systemClock,
      executors: makeExecutors(cluster),
      // A process that is killed writes nothing more, and nothing after that happens.
      journal: {
        append: async (event) => {
          if (kill.signal.aborted) throw new Killed();
          if (isMilestone(event)) count += 1;
          if (cutOff?.kind === 'after-events' && count === cutOff.count) cut(event);
        },
      },
      emit: (event) => {
        if (cutOff?.kind !== 'in-step' || kill.signal.aborted || event.type !== 'step') return;
        if (event.state === 'progress' && event.step === cutOff.step) {
          cutAt = `${event.step}: ${event.detail}`;
          kill.abort(new Killed(cutAt));
        }
      },
      interrupt: new AbortController().signal,
      signal: kill.signal,
    });
    return { cutAt, plan, result };
  } catch (error) {
    if (!(error instanceof Killed) && cutAt === undefined) throw error;
    return { cutAt, plan, result: undefined };
  }
}

function makeExecutors(cluster: StandInCluster): ReadonlyMap<string, Executor> {
  const work = <Input extends { readonly name: string }>(act: (input: Input) => Promise<void> | void): Executor => ({
    nature: 'work',
    run: async (input) => {
      await act(input as Input);
      return 'done';
    },
  });
  const machineOf = (input: VmCreateInput): MachineBlueprint => {
    const machine = allMachines(cluster.blueprint).find(({ vmId }) => vmId === input.vmId);
    if (machine === undefined) throw new Error(`${input.name} is nobody`);
    return input.replaces === null ? machine : { ...machine, replaces: input.replaces as MachineBlueprint['vmId'] };
  };
  return new Map<string, Executor>([
    ...makeNodeExecutors({
      lab: cluster.blueprint.lab,
      clock: systemClock,
      connect: async () => cluster.connection,
      openEtcd: async () => cluster.etcd.group(),
    }),
    ['vm.create', work<VmCreateInput>((input) => cluster.createVm(machineOf(input), hostName(input.host)))],
    ['vm.start', work<VmInput>(async ({ name }) => await cluster.startVm(name))],
    ['vm.stop', work<VmInput>(async ({ name }) => await cluster.stopVm(name))],
    ['vm.redisk', work<VmRediskInput>(async ({ name, generation }) => await cluster.newDisk(name, generation))],
    ['vm.destroy', work<VmInput>(async ({ name }) => await cluster.destroyVm(name))],
    ['machine.ready', work(() => undefined)],
    ['cluster.join', work(async ({ name }) => await cluster.join(name))],
    ['cluster.ready', work(() => undefined)],
    ['cluster.form', work(() => undefined)],
  ]);
}
