// What heals: from how each machine and its VM are to what is done about it. Pure; decides, and leaves the steps to others.
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { HostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterFacts, NodeFacts } from '@labwright/core/facts/cluster';
import type { MachineCondition, MachineConditions } from '@labwright/core/facts/machines';
import { judgeChange } from '../etcd/quorum.ts';
import { findJoinObstacle } from '../formation/join-version.ts';

/*
 *   the VM            its disk     heal: restart      heal: replace
 *   runs              there        -                  -
 *   runs, stopped     gone         waits              a new disk under the same VM ID, one machine at a time
 *   stopped by itself there        started            started
 *   stopped by others there        waits              waits
 *   its host is off   -            waits              the pool's next identity, one machine at a time
 *   its host is silent  -          waits: nothing says that it does not run there any more
 *
 * A machine of the cluster is made anew only while the cluster answers, when it can join with the lab file's version, with etcd's
 * leave, and never the last voter.
 */

export interface HealFacts {
  readonly conditions: MachineConditions;
  /** Absent for a lab without Kubernetes. */
  readonly cluster?: ClusterFacts;
  /** Of the lab file: what a machine of the cluster gets when it is made anew. */
  readonly version?: KubernetesVersion;
  /** The identity that would stand in for a machine; without an entry its pool has none left. */
  readonly spares: ReadonlyMap<HostName, MachineBlueprint>;
}

export type HealDecision =
  | { readonly kind: 'start'; readonly machine: MachineBlueprint; readonly reason: string }
  /** Out of the cluster, then a new disk under the same VM ID. */
  | {
      readonly kind: 'new-disk';
      readonly machine: MachineBlueprint;
      readonly isRunning: boolean;
      readonly reason: string;
    }
  /** Out of the cluster, then a new VM with the pool's next identity. */
  | {
      readonly kind: 'replace';
      readonly machine: MachineBlueprint;
      readonly by: MachineBlueprint;
      readonly reason: string;
    }
  /** Nothing is done, and a person should know why. */
  | {
      readonly kind: 'wait';
      readonly machine: MachineBlueprint;
      readonly why: string;
      readonly fix: readonly string[];
    };

/** In the blueprint's order, which is expected to be as it holds with replacements. At most one machine is made anew. */
export function planHealing(blueprint: Blueprint, facts: HealFacts): readonly HealDecision[] {
  const wishes = blueprint.machines.flatMap((machine) => {
    const condition = facts.conditions.get(machine.vmId);
    return condition === undefined ? [] : (decide(machine, condition, facts) ?? []);
  });
  const busy = findBusy(blueprint, facts);
  let remaking: MachineBlueprint | undefined = busy;
  return wishes.map((wish) => {
    if (wish.kind === 'start' || wish.kind === 'wait') return wish;
    if (remaking !== undefined && remaking !== wish.machine) return waitFor(wish.machine, remaking);
    remaking = wish.machine;
    return wish;
  });
}

/** What a person asked for: the machine is made anew whatever its pool's `heal` says, and the word that its host is off counts. */
export function planReplacement(
  machine: MachineBlueprint,
  facts: HealFacts,
  { hostIsOff }: { readonly hostIsOff: boolean },
): HealDecision | undefined {
  const seen = facts.conditions.get(machine.vmId);
  if (seen === undefined) return undefined;
  const condition: MachineCondition = seen.kind === 'unreachable' && hostIsOff ? { ...seen, power: 'off' } : seen;
  return decide({ ...machine, heal: 'replace' }, condition, facts);
}

function decide(machine: MachineBlueprint, condition: MachineCondition, facts: HealFacts): HealDecision | undefined {
  switch (condition.kind) {
    case 'absent':
      // Never made, or destroyed by somebody: what the lab file wants is for `up` to make.
      return undefined;
    case 'untouchable':
      return wait(machine, `${machine.name} is left alone: ${condition.why}`, ['labwright status']);
    case 'unreachable':
      return decideUnreachable(machine, condition, facts);
    case 'running':
      return condition.disk === 'gone' ? decideDiskGone(machine, true, facts) : undefined;
    case 'stopped':
      if (condition.disk === 'gone') return decideDiskGone(machine, false, facts);
      if (condition.by === 'itself') return { kind: 'start', machine, reason: 'it stopped by itself' };
      return wait(machine, `somebody stopped ${machine.name}`, ['labwright up   starts it']);
  }
}

function decideDiskGone(machine: MachineBlueprint, isRunning: boolean, facts: HealFacts): HealDecision {
  const why = `the disk of ${machine.name} is gone`;
  if (machine.heal === 'restart') return wait(machine, why, howToReplace(machine));
  return findObstacle(machine, facts, why) ?? { kind: 'new-disk', machine, isRunning, reason: 'its disk is gone' };
}

function decideUnreachable(
  machine: MachineBlueprint,
  { host, power }: Extract<MachineCondition, { kind: 'unreachable' }>,
  facts: HealFacts,
): HealDecision {
  const silent = `${machine.name} is on ${host}, which does not answer`;
  if (machine.heal === 'restart') return wait(machine, silent, [`bring ${host} back`, ...howToReplace(machine)]);
  if (power === 'unknown') {
    return wait(machine, `${silent}, and nothing says that it is off: ${machine.name} may still run there`, [
      `bring ${host} back`,
      `or make sure that it is switched off, then: labwright machine replace ${machine.name} --host-is-off`,
    ]);
  }
  const by = facts.spares.get(machine.name);
  if (by === undefined) {
    return wait(machine, `${host} is off, and pool ${machine.pool} has no VM ID left to replace ${machine.name} with`, [
      `bring ${host} back`,
      `leave VM IDs free behind the last of the pool: pools.${machine.pool}.firstVmId`,
    ]);
  }
  return findObstacle(machine, facts, `${host} is off`) ?? { kind: 'replace', machine, by, reason: `${host} is off` };
}

/** Why a machine of the cluster cannot be made anew now, after the reason why it should. */
function findObstacle(
  machine: MachineBlueprint,
  { cluster, version }: HealFacts,
  why: string,
): HealDecision | undefined {
  if (machine.role === undefined || cluster === undefined) return undefined;
  if (cluster.kind === 'silent') {
    const isFirst = machine.role === 'control-plane';
    return wait(machine, `${why}, and the cluster does not answer: ${cluster.why}`, [
      'labwright cluster status',
      ...(isFirst
        ? [
            'when more than half of its control planes are lost for good: labwright up, then labwright cluster restore FILE',
          ]
        : []),
    ]);
  }
  const node = cluster.nodes.find((each) => each.name === machine.name);
  if (node !== undefined && !node.ours) {
    return wait(machine, `${why}, and the cluster has a node ${machine.name} that Labwright did not make`, [
      `kubectl delete node ${machine.name}   if nobody needs it`,
    ]);
  }
  const skew = version === undefined ? undefined : findJoinObstacle(version, machine, cluster);
  if (skew !== undefined) return wait(machine, `${why}, and ${skew.message}`, skew.fix);
  if (machine.role === 'worker') return undefined;
  if (cluster.members === undefined) {
    return wait(machine, `${why}, and no member of etcd says who is in it`, ['labwright cluster status']);
  }
  const member = cluster.members.find((each) => each.name === machine.name);
  if (member === undefined) return undefined;
  const verdict = judgeChange(cluster.members, { kind: 'remove', member: member.id });
  if (verdict.kind === 'allowed') return undefined;
  return wait(machine, `${why}, and it cannot leave etcd: ${verdict.why}`, [
    verdict.fix,
    'or, when its members are lost for good: labwright up, then labwright cluster restore FILE',
  ]);
}

/** A machine of the cluster that runs and is not Ready yet: it is on its way, and the next one waits for it. */
function findBusy(blueprint: Blueprint, { conditions, cluster }: HealFacts): MachineBlueprint | undefined {
  if (cluster?.kind !== 'answers') return undefined;
  const nodes = new Map<string, NodeFacts>(cluster.nodes.map((node) => [node.name, node]));
  return blueprint.machines.find((machine) => {
    const condition = conditions.get(machine.vmId);
    const isUp = condition?.kind === 'running' && condition.disk !== 'gone';
    return machine.role !== undefined && isUp && nodes.get(machine.name)?.ready !== 'ready';
  });
}

const waitFor = (machine: MachineBlueprint, other: MachineBlueprint): HealDecision =>
  wait(machine, `${machine.name} waits for ${other.name}: one machine at a time is made anew`, []);

const howToReplace = ({ name, pool }: MachineBlueprint): readonly string[] => [
  `labwright machine replace ${name}`,
  `or let Labwright do that by itself: pools.${pool}.heal: replace`,
];

const wait = (machine: MachineBlueprint, why: string, fix: readonly string[]): HealDecision => ({
  kind: 'wait',
  machine,
  why,
  fix,
});
