// What draining a node would meet, decided before anything changes. Pure.
//
// A budget lets evictions through while its healthy pods are more than it wants: `disruptionsAllowed`. Each eviction takes one
// of those, and gives it back when the pod runs elsewhere. Two pods of one budget each pass a dry run alone, so the sequence is
// worked out here: pods that find no other node take theirs for good, the others one at a time. Pods that are not ready may
// go whenever the budget has as many healthy ones as it wants, and take nothing.
import { type FreeRoom, findRoom, isFinished } from './free-room.ts';
import type { Node, Pod, PodDisruptionBudget } from './kind.ts';
import { isEmptySelector, matchesSelector } from './label-selector.ts';

export interface DrainPolicy {
  /** Pods that nothing makes again. */
  readonly barePods: 'refuse' | 'evict';
  /** Pods with an emptyDir, whose contents end with them. */
  readonly localData: 'refuse' | 'evict';
}

/** Scratch folders are in most charts; a pod that would be gone for good is somebody's mistake or test. */
export const defaultDrainPolicy: DrainPolicy = { barePods: 'refuse', localData: 'evict' };

export interface DrainBlocker {
  /** "default/web-1" */
  readonly pods: readonly string[];
  /** "default/web", when a budget is what blocks. */
  readonly budget?: string;
  /** 'never': not without a change of the objects named. 'now': waiting may help. */
  readonly until: 'never' | 'now';
  readonly why: string;
  readonly fix: readonly string[];
}

export interface DrainPreflight {
  readonly node: string;
  /** What has to go. */
  readonly evicted: readonly Pod[];
  /** Of these, the ones that their budget lets go only after others: a dry run would refuse them now. */
  readonly later: readonly Pod[];
  readonly blockers: readonly DrainBlocker[];
  /** Pods that would have no place in the rest of the cluster until the node is back: "default/web-1". */
  readonly homeless: readonly string[];
}

/** What kubectl drain would do with a pod. */
export type DrainDecision =
  | { readonly kind: 'skip' }
  | { readonly kind: 'evict' }
  | { readonly kind: 'refuse'; readonly blocker: DrainBlocker };

export function podName({ metadata }: Pick<Pod, 'metadata'>): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

export function decideDrain(pod: Pod, policy: DrainPolicy): DrainDecision {
  // A static pod's mirror: its kubelet makes it again whatever is done here.
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return { kind: 'skip' };
  const controller = controllerOf(pod);
  // Its controller does not heed the cordon.
  if (controller?.kind === 'DaemonSet') return { kind: 'skip' };
  if (isFinished(pod)) return { kind: 'evict' };
  const refuse = (why: string, fix: string): DrainDecision => ({
    kind: 'refuse',
    blocker: { pods: [podName(pod)], until: 'never', why, fix: [fix] },
  });
  const removal = `if it is no longer needed: kubectl delete pod -n ${pod.metadata.namespace ?? 'default'} ${pod.metadata.name}`;
  if (controller === undefined && policy.barePods === 'refuse') {
    return refuse('nothing makes this pod again: it has no Deployment, StatefulSet or the like', removal);
  }
  const folder = pod.spec.volumes?.find((volume) => volume.emptyDir !== undefined && volume.emptyDir !== null);
  if (folder !== undefined && policy.localData === 'refuse') {
    return refuse(`it keeps data on the node itself (volume "${folder.name}"), which ends with the pod`, removal);
  }
  return { kind: 'evict' };
}

function controllerOf({ metadata }: Pod) {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export interface ClusterView {
  readonly nodes: readonly Node[];
  /** Of all nodes and namespaces. */
  readonly pods: readonly Pod[];
  readonly budgets: readonly PodDisruptionBudget[];
}

export function planDrain(node: string, { nodes, pods, budgets }: ClusterView, policy: DrainPolicy): DrainPreflight {
  const rest = nodes.filter(({ metadata }) => metadata.name !== node);
  const decisions = pods
    .filter((pod) => pod.spec.nodeName === node)
    .map((pod) => ({ pod, decision: decideDrain(pod, policy) }));
  const evicted = decisions.flatMap(({ pod, decision }) => (decision.kind === 'evict' ? [pod] : []));
  const refused = decisions.flatMap(({ decision }) => (decision.kind === 'refuse' ? [decision.blocker] : []));

  const room = findRoom(rest, pods);
  const leaving = evicted.filter((pod) => !isFinished(pod));
  const homeless = new Set(leaving.filter((pod) => !findsPlace(pod, room)));
  // The eviction API looks at no budget for pods that do not run.
  const guarded = leaving.filter(
    (pod) => pod.status?.phase !== 'Pending' && pod.metadata.deletionTimestamp === undefined,
  );
  const coverage = guarded.map((pod) => ({ pod, budgets: budgets.filter((budget) => covers(budget, pod)) }));
  const doubled = coverage
    .filter((each) => each.budgets.length > 1)
    .map((each) => severalBudgets(each.pod, each.budgets));
  const checks = budgets.map((budget) => {
    const own = coverage.filter((each) => each.budgets.length === 1 && each.budgets[0] === budget);
    return checkBudget(
      budget,
      own.map(({ pod }) => pod),
      homeless,
      pods,
    );
  });
  return {
    node,
    evicted,
    later: checks.flatMap(({ later }) => later),
    blockers: [...refused, ...doubled, ...checks.flatMap(({ blockers }) => blockers)],
    homeless: [...homeless].map(podName),
  };
}

function findsPlace(pod: Pod, room: FreeRoom): boolean {
  return controllerOf(pod) !== undefined && room.place(pod);
}

function covers({ apiVersion, metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  const { selector } = spec;
  if (metadata.namespace !== pod.metadata.namespace || selector === undefined || selector === null) return false;
  // policy/v1beta1: an empty selector matches no pod. policy/v1: every pod of the namespace.
  if (isEmptySelector(selector) && apiVersion === 'policy/v1beta1') return false;
  return matchesSelector(selector, pod.metadata.labels);
}

interface BudgetCheck {
  readonly blockers: readonly DrainBlocker[];
  readonly later: readonly Pod[];
}

function checkBudget(
  budget: PodDisruptionBudget,
  leaving: readonly Pod[],
  homeless: ReadonlySet<Pod>,
  pods: readonly Pod[],
): BudgetCheck {
  if (leaving.length === 0) return { blockers: [], later: [] };
  const { disruptionsAllowed = 0, expectedPods = 0, desiredHealthy = 0, currentHealthy = 0 } = budget.status ?? {};
  const name = podName(budget);
  const relax = `or relax the budget: kubectl edit poddisruptionbudget -n ${budget.metadata.namespace ?? 'default'} ${budget.metadata.name}`;
  const block = (until: DrainBlocker['until'], why: string, fix: readonly string[]): BudgetCheck => ({
    blockers: [{ pods: leaving.map(podName), budget: name, until, why, fix: [...fix, relax] }],
    later: [],
  });
  if (expectedPods === 0) {
    return block('never', `budget ${name} has no count of its pods, so it allows no eviction`, [
      'give pods without a controller a budget with a minAvailable number',
    ]);
  }

  // With every pod healthy: those that move need one free disruption, again and again, which no stranded pod may keep.
  const stranded = leaving.filter((pod) => homeless.has(pod));
  const neededInAll = stranded.length + (stranded.length < leaving.length ? 1 : 0);
  const mostAllowed = Math.max(0, expectedPods - desiredHealthy);
  if (mostAllowed < neededInAll) {
    const wanted = `budget ${name} wants ${desiredHealthy} of ${expectedPods} pods healthy`;
    return stranded.length > 0 && mostAllowed > 0
      ? block('never', `${wanted}, and ${stranded.map(podName).join(', ')} would find no other node to run on`, [
          'add a node, or free one that these pods may run on',
        ])
      : block(
          'never',
          `${wanted}, so it never allows ${neededInAll === 1 ? 'an eviction' : `${neededInAll} evictions`}`,
          ['give the workload another replica'],
        );
  }

  // With the pods as they are.
  const ready = leaving.filter(isPodReady);
  const unready = leaving.filter((pod) => !isPodReady(pod));
  const freesUnready =
    budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow' ||
    (currentHealthy >= desiredHealthy && desiredHealthy > 0);
  const recovering = freesUnready ? unready.filter((pod) => !homeless.has(pod)).length : 0;
  const allowedSoon = Math.max(disruptionsAllowed, currentHealthy + recovering - desiredHealthy);
  const strandedReady = ready.filter((pod) => homeless.has(pod)).length;
  const neededNow = strandedReady + (strandedReady < ready.length ? 1 : 0);
  const holdsUnready = unready.length > 0 && !freesUnready && disruptionsAllowed === 0;
  if (allowedSoon < neededNow || holdsUnready) {
    const missing = pods.filter((pod) => covers(budget, pod) && !isPodReady(pod)).map(podName);
    const reason = missing.length === 0 ? '' : `; not ready: ${missing.join(', ')}`;
    const state = `budget ${name} has ${currentHealthy} healthy pods of ${expectedPods} and wants ${desiredHealthy}`;
    return block('now', `${state}${reason}`, ['wait until its pods are ready, then try again']);
  }
  return { blockers: [], later: disruptionsAllowed === 0 ? ready : [] };
}

function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

function severalBudgets(pod: Pod, budgets: readonly PodDisruptionBudget[]): DrainBlocker {
  return {
    pods: [podName(pod)],
    until: 'never',
    why: `several budgets (${budgets.map(podName).join(', ')}) match this pod, and Kubernetes evicts no such pod`,
    fix: ['let only one budget match it'],
  };
}
