// Gives a node its range of pod addresses as soon as its kubelet has registered it (pod-range.ts says why).
import type { HostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { getNode, listNodes, patchNode } from '@labwright/drivers/kubernetes/nodes';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { choosePodRange } from './pod-range.ts';

/** Ranges that were chosen for nodes which may not be there yet. */
export type ChosenRanges = Map<HostName, string>;

export interface GiveOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  /** Between two looks. */
  readonly againMs: number;
  /** Aborted when the machine's joining ended: its node is there by then, or never will be. */
  readonly signal: AbortSignal;
}

/** Resolves when the node has a range, this one or another that kube-controller-manager was faster with. Rejects when aborted. */
export async function givePodRange(
  name: HostName,
  choose: () => Promise<string | undefined>,
  { connection, clock, againMs, signal }: GiveOptions,
): Promise<void> {
  for (;;) {
    try {
      const node = await getNode(connection, name, { signal, tries: 1 });
      if (node?.spec.podCIDR !== undefined) return;
      const range = node === undefined ? undefined : await choose();
      if (range !== undefined) {
        await patchNode(connection, name, { spec: { podCIDR: range, podCIDRs: [range] } }, { signal, tries: 1 });
        return;
      }
    } catch (error) {
      signal.throwIfAborted();
      // Not there yet, not quite, or given one in this moment: the next look tells. kubeadm's own wait is the one that ends in an error.
      if (!(error instanceof LabwrightError)) throw error;
    }
    await clock.sleep(againMs, signal);
  }
}

/** One that no node has and that was not chosen for another: machines join side by side. */
export async function choosePodRangeOf(
  name: HostName,
  cluster: ClusterBlueprint,
  chosen: ChosenRanges,
  connection: ClusterConnection,
  signal: AbortSignal,
): Promise<string | undefined> {
  const nodes = await listNodes(connection, { signal });
  const taken = nodes.flatMap(({ spec }) => (spec.podCIDR === undefined ? [] : [spec.podCIDR]));
  const others = [...chosen].flatMap(([owner, range]) => (owner === name ? [] : [range]));
  // Nothing is awaited between looking at the choices and making one.
  const range = choosePodRange(cluster, [...taken, ...others]);
  if (range !== undefined) chosen.set(name, range);
  return range;
}
