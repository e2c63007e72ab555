// Whether pods would find another node: the rules of the scheduler that say no for certain. Pure.
//
// Left out, because they only prefer or come and go: spread constraints, affinity to other pods, volumes bound to a node.
import { isNodeReady } from './nodes.ts';
import type { Node, NodeSelectorTerm, Pod } from './kind.ts';
import { type Labels, matchesRequirement, matchesSelector } from './label-selector.ts';
import { parseQuantity } from './quantity.ts';

/** Resource name ("cpu", "memory", "pods") to an amount. */
type Amounts = Map<string, number>;

interface Room {
  readonly node: Node;
  readonly free: Amounts;
  readonly pods: Pod[];
}

export interface FreeRoom {
  /** Gives the pod a place on one of the nodes, if it has one, and keeps it. */
  place(pod: Pod): boolean;
}

/** Of the nodes that may take pods now: ready and not cordoned. */
export function findRoom(nodes: readonly Node[], pods: readonly Pod[]): FreeRoom {
  const rooms = nodes
    .filter((node) => isNodeReady(node) && node.spec.unschedulable !== true)
    .map((node): Room => {
      const own = pods.filter((pod) => pod.spec.nodeName === node.metadata.name && !isFinished(pod));
      const free: Amounts = new Map(
        Object.entries(node.status?.allocatable ?? {}).map(([name, text]) => [name, parseQuantity(text) ?? 0]),
      );
      for (const pod of own) take(free, pod);
      return { node, free, pods: own };
    });
  return {
    place(pod) {
      const room = rooms.find((each) => allows(each.node, pod) && fits(each.free, pod) && !repels(each, rooms, pod));
      if (room === undefined) return false;
      take(room.free, pod);
      room.pods.push(pod);
      return true;
    },
  };
}

/** Its containers have ended and are not started again. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function requestsOf(pod: Pod): Amounts {
  const total: Amounts = new Map([['pods', 1]]);
  for (const { resources } of pod.spec.containers ?? []) {
    for (const [name, text] of Object.entries(resources?.requests ?? {})) {
      total.set(name, (total.get(name) ?? 0) + (parseQuantity(text) ?? 0));
    }
  }
  return total;
}

function take(free: Amounts, pod: Pod): void {
  for (const [name, amount] of requestsOf(pod)) free.set(name, (free.get(name) ?? 0) - amount);
}

function fits(free: Amounts, pod: Pod): boolean {
  return [...requestsOf(pod)].every(([name, amount]) => amount === 0 || (free.get(name) ?? 0) >= amount);
}

function allows(node: Node, { spec }: Pod): boolean {
  const labels: Labels = node.metadata.labels ?? {};
  const isSelected = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!isSelected || (terms !== undefined && !terms.some((term) => matchesTerm(term, node)))) return false;
  return (node.spec.taints ?? [])
    .filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
    .every((taint) =>
      (spec.tolerations ?? []).some(
        ({ key, operator = 'Equal', value = '', effect }) =>
          (effect === undefined || effect === '' || effect === taint.effect) &&
          (operator === 'Exists'
            ? key === undefined || key === '' || key === taint.key
            : key === taint.key && value === (taint.value ?? '')),
      ),
    );
}

function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, { metadata }: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => matchesRequirement(requirement, metadata.labels ?? {})) &&
    matchFields.every((requirement) => matchesRequirement(requirement, { 'metadata.name': metadata.name }))
  );
}

/** One of the two must not be near the other. */
function repels(room: Room, rooms: readonly Room[], pod: Pod): boolean {
  return rooms.some((other) =>
    other.pods.some((there) => keepsAway(pod, there, room, other) || keepsAway(there, pod, room, other)),
  );
}

function keepsAway(shy: Pod, from: Pod, room: Room, other: Room): boolean {
  const terms = shy.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms.some(({ labelSelector, namespaces = [], topologyKey }) => {
    const [here, there] = [room, other].map(({ node }) => node.metadata.labels?.[topologyKey]);
    if (here === undefined || here !== there || labelSelector === undefined || labelSelector === null) return false;
    const spaces = namespaces.length === 0 ? [shy.metadata.namespace] : namespaces;
    return spaces.includes(from.metadata.namespace) && matchesSelector(labelSelector, from.metadata.labels);
  });
}
