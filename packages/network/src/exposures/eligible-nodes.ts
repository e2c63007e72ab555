// Which nodes take new connections from outside.
import { type Ipv4, parseIpv4 } from '@labwright/core/addresses/ipv4';
import type { Node } from '@labwright/drivers/kubernetes/kind';
import type { ExposedSlice } from '../cluster/exposed-kinds.ts';
import type { NodePower } from './exposure.ts';

export interface EligibleNode {
  readonly name: string;
  readonly address: Ipv4;
  /** Cordoned: a drain begins with that, and everything on it is about to go. */
  readonly isDraining: boolean;
}

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** Every node that may ever take connections, whatever its state, in the order of their names. */
export function knownNodes(nodes: readonly Node[]): readonly EligibleNode[] {
  return nodes
    .filter(({ metadata }) => metadata.labels?.[excludeLabel] === undefined && metadata.deletionTimestamp === undefined)
    .flatMap((node) => {
      const address = addressOf(node);
      const { name } = node.metadata;
      return address === undefined ? [] : [{ name, address, isDraining: node.spec.unschedulable === true }];
    })
    .toSorted((one, other) => compareText(one.name, other.name));
}

/**
 * Ready nodes, in the order of their names. A stopped VM leaves at once, though its node counts as Ready for 40 seconds more. When
 * not one is Ready the fault is rather in what tells us: then every node that is not known to be off stays.
 */
export function eligibleNodes(nodes: readonly Node[], power: ReadonlyMap<string, NodePower>): readonly EligibleNode[] {
  const powered = nodes.filter(({ metadata }) => power.get(metadata.name) !== 'stopped');
  const ready = knownNodes(powered.filter(isReady));
  return ready.length > 0 ? ready : knownNodes(powered);
}

/**
 * Those of them that a port of a Service is balanced over: with the policy Local the ones with a ready endpoint, else all. A
 * node that is being drained only where no other can serve.
 */
export function servingNodes(
  nodes: readonly EligibleNode[],
  service: { readonly policy: string | undefined; readonly portName: string | undefined },
  slices: readonly ExposedSlice[],
): readonly EligibleNode[] {
  let serving = nodes;
  if (service.policy === 'Local') {
    const holders = nodesWithEndpoint(slices, service.portName);
    serving = nodes.filter(({ name }) => holders.has(name));
  }
  const staying = serving.filter(({ isDraining }) => !isDraining);
  return staying.length > 0 ? staying : serving;
}

function nodesWithEndpoint(slices: readonly ExposedSlice[], portName: string | undefined): ReadonlySet<string> {
  const holders = new Set<string>();
  for (const { ports, endpoints } of slices) {
    if (!(ports ?? []).some(({ name }) => (name ?? '') === (portName ?? ''))) continue;
    for (const { isReady: ready, node } of endpoints ?? []) if (ready && node !== undefined) holders.add(node);
  }
  return holders;
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
}

function addressOf({ status }: Node): Ipv4 | undefined {
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  return internal.flatMap(({ address }) => parseIpv4(address) ?? [])[0];
}

/** By code units: the same order on every computer. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
