// How a machine leaves the cluster: drained, out of etcd, its Node deleted, in that order, before its VM goes or is made anew.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { VmId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts, EtcdMemberFacts, NodeFacts } from '@labwright/core/facts/cluster';
import { stepId, type Step } from '@labwright/core/plan/step';
import { assertAllowed } from '../etcd/etcd-group.ts';
import { judgeChange } from '../etcd/quorum.ts';

/** What is known of draining, asked before anything is planned. */
export interface DepartureFacts {
  readonly cluster: ClusterFacts;
  /** By node: why it cannot be drained. Nodes that can are not in it. */
  readonly drainObstacles: ReadonlyMap<string, LabwrightError>;
  /** By machine: why it could not join again if it were made anew. Machines that could are not in it. */
  readonly joinObstacles: ReadonlyMap<string, LabwrightError>;
  /** Of the lab. A machine that is not of it any more may have been either. */
  readonly blueprint: Pick<Blueprint, 'machines' | 'spares'>;
}

export interface Leaving {
  readonly name: string;
  readonly vmId: VmId;
  /**
   * Whether its VM runs. What is off ends no pods: nobody waits for that, though its node may look ready for a minute more. They
   * go with the node.
   */
  readonly runs: boolean;
  /** It has no VM, and no disk that could be lost. */
  readonly isGone?: boolean;
}

export interface Departures {
  /**
   * The steps before a machine goes for good ('removed') or is made anew under its name ('made-anew'), in order; none when
   * the cluster does not know it. Throws LW6033 when etcd would be lost, LW6007 when it cannot be drained, LW6004 for a
   * node that is not ours, LW6001 when nobody can say what it is to the cluster, LW6035 for one that could not join when made.
   */
  planDeparture(machine: Leaving, because: 'removed' | 'made-anew'): readonly Step[];
  /**
   * The drain that somebody asked for: nobody leaves the cluster or etcd by it, so only what runs there is judged. None for a
   * machine that is not a ready node. Throws LW6007 when it cannot be drained, LW6004 and LW6001 as for one that leaves.
   */
  planDrain(machine: Leaving): readonly Step[];
}

export type NodeInput = {
  readonly name: string;
  readonly vmId: number;
};

/** As they were seen in the rehearsal. */
const estimates = { drainMs: 40_000, removeMs: 10_000 };

/** At most one step at a time changes who is in the cluster: joins of control planes hold it too. */
export const membershipQueue = 'cluster/voters';

/**
 * One after the other: a removal is judged as if those before it in the plan were done, and its steps wait for them. It
 * lasts for one plan.
 */
export function planDepartures(facts: DepartureFacts): Departures {
  const { cluster, drainObstacles, joinObstacles } = facts;
  let members: readonly EtcdMemberFacts[] | undefined = cluster.kind === 'answers' ? cluster.members : undefined;
  let before: readonly string[] = [];
  return {
    planDeparture: (machine, because) => {
      const lasting = because === 'made-anew' ? joinObstacles.get(machine.name) : undefined;
      if (lasting !== undefined) throw lasting;
      const known = findInCluster(facts, machine);
      if (known === undefined) return [];
      const { node, member } = known;
      if (node !== undefined && !node.ours) throw notOurs(machine.name);
      if (node?.role === 'control-plane' && cluster.kind === 'answers' && cluster.members === undefined) {
        throw etcdUnknown(machine.name);
      }
      if (member !== undefined) members = judgeRemoval(machine.name, members ?? [], member, because);
      const isAlive = node?.ready === 'ready' && machine.runs;
      const obstacle = drainObstacles.get(machine.name);
      if (isAlive && obstacle !== undefined) throw obstacle;
      const drain = isAlive ? [planDrain(machine, because, before)] : [];
      const remove = planRemove(machine, because, {
        isControlPlane: member !== undefined || node?.role === 'control-plane',
        needs: drain.length > 0 ? drain.map(({ id }) => id) : before,
      });
      before = [stepId(because === 'removed' ? 'vm.destroy' : 'machine.ready', machine.name)];
      return [...drain, remove];
    },
    planDrain: (machine) => {
      const node = findInCluster(facts, machine)?.node;
      if (node !== undefined && !node.ours) throw notOurs(machine.name);
      if (node?.ready !== 'ready' || !machine.runs) return [];
      const obstacle = drainObstacles.get(machine.name);
      if (obstacle !== undefined) throw obstacle;
      return [planDrain(machine, 'asked', [])];
    },
  };
}

/** Throws LW6033. Gives the members as they are afterwards; one that is made anew comes back, and counts as not answering until then. */
function judgeRemoval(
  name: string,
  members: readonly EtcdMemberFacts[],
  member: EtcdMemberFacts,
  because: 'removed' | 'made-anew',
): readonly EtcdMemberFacts[] {
  assertAllowed(name, judgeChange(members, { kind: 'remove', member: member.id }));
  const rest = members.filter((each) => each.id !== member.id);
  return because === 'removed' ? rest : [...rest, { ...member, id: `${member.id}'`, healthy: false }];
}

function findInCluster(
  { cluster, blueprint: { machines, spares = [] } }: DepartureFacts,
  { name, isGone }: Pick<Leaving, 'name' | 'isGone'>,
): { readonly node?: NodeFacts; readonly member?: EtcdMemberFacts } | undefined {
  if (cluster.kind === 'silent') {
    const state = cluster.disks.find((disk) => disk.name === name)?.state;
    if (state === 'member') {
      throw new LabwrightError('LW6001', {
        what: `${name} is in the cluster, whose API does not answer, so it is left as it is`,
        where: { machine: name },
        why: cluster.why,
        fix: ['labwright up   brings back what has stopped', 'labwright cluster status'],
      });
    }
    // A machine that was never in a cluster needs no leave of it, and neither does one whose cluster was never formed.
    if (isGone === true || !cluster.hasKeys || state === 'blank' || state === 'foreign') return undefined;
    const known = [...machines, ...spares].find((each) => each.name === name);
    if (known !== undefined && known.role !== 'control-plane') return undefined;
    if (state === 'begun' && wasNeverFormed(cluster, machines)) return undefined;
    throw new LabwrightError('LW6001', {
      what: `${name} may hold data of the cluster, whose API does not answer, so it is left as it is`,
      where: { machine: name },
      why: `${cluster.why}; ${state === undefined ? 'its disk could not be asked' : 'its disk is half of a control plane'}`,
      fix: ['labwright up   brings back what has stopped, or finishes it', 'labwright cluster status'],
    });
  }
  const node = cluster.nodes.find((each) => each.name === name);
  const member = cluster.members?.find((each) => each.name === name);
  if (node === undefined && member === undefined) return undefined;
  return { ...(node === undefined ? {} : { node }), ...(member === undefined ? {} : { member }) };
}

/** Every control plane of the lab could be asked, and none is in a cluster. */
function wasNeverFormed(
  { disks }: Extract<ClusterFacts, { readonly kind: 'silent' }>,
  machines: Blueprint['machines'],
): boolean {
  return machines
    .filter(({ role }) => role === 'control-plane')
    .every(({ name }) =>
      disks.some((disk) => disk.name === name && (disk.state === 'blank' || disk.state === 'begun')),
    );
}

function planDrain(
  machine: Omit<Leaving, 'runs'>,
  why: 'removed' | 'made-anew' | 'asked',
  needs: readonly string[],
): Step {
  const input: NodeInput = { name: machine.name, vmId: machine.vmId };
  const reasons = {
    removed: 'its pods have to be elsewhere before it goes',
    'made-anew': 'its pods have to be elsewhere before it is made anew',
    asked: 'you asked for it',
  };
  return {
    id: stepId('node.drain', machine.name),
    kind: 'node.drain',
    target: machine.name,
    title: `drain ${machine.name}`,
    change: 'change',
    reason: reasons[why],
    needs,
    risk: { level: 'none' },
    estimateMs: estimates.drainMs,
    relies: [],
    queues: [`vm/${machine.vmId}`],
    input: { ...input },
  };
}

function planRemove(
  machine: Leaving,
  because: 'removed' | 'made-anew',
  { isControlPlane, needs }: { readonly isControlPlane: boolean; readonly needs: readonly string[] },
): Step {
  const input: NodeInput = { name: machine.name, vmId: machine.vmId };
  return {
    id: stepId('node.remove', machine.name),
    kind: 'node.remove',
    target: machine.name,
    title: isControlPlane
      ? `take ${machine.name} out of etcd and the cluster`
      : `take ${machine.name} out of the cluster`,
    change: 'change',
    reason: because === 'removed' ? 'it goes' : 'it is made anew and joins again',
    needs,
    risk: { level: 'none' },
    estimateMs: estimates.removeMs,
    relies: [],
    queues: [`vm/${machine.vmId}`, membershipQueue],
    input: { ...input },
  };
}

const notOurs = (name: string): LabwrightError =>
  new LabwrightError('LW6004', {
    what: `the cluster has a node ${name} that Labwright did not make, so it is left as it is`,
    where: { node: name },
    why: 'it does not carry the label of this lab',
    fix: [
      `remove it yourself if nobody needs it: kubectl delete node ${name}`,
      `or give that machine another name in the lab file`,
    ],
  });

const etcdUnknown = (name: string): LabwrightError =>
  new LabwrightError('LW6031', {
    what: `${name} is a control plane, and no member of etcd says who is in it, so it is left as it is`,
    where: { machine: name },
    why: 'whether the others can decide without it is not known',
    fix: ['labwright cluster status', 'bring the control planes back first: labwright up'],
  });
