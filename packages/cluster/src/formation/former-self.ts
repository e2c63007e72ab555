// What the cluster still knows of a machine that is to join under the same name: of the disk it had before, or of a join that did
// not come to its end.
//
//   its disk says    Node      etcd's member (a control plane's)
//   blank, begun     goes      goes first, by the quorum rule and while it runs: `kubeadm reset` ends it, and two voters of which
//                              one is gone decide nothing
//   member           stays     stays; where etcd does not have it, it was taken out, and the machine joins anew
//   busy             stays     stays: kubeadm is at it
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { deleteNode, getNode } from '@labwright/drivers/kubernetes/nodes';
import { ensureMemberRemoved, fetchEtcdGroup } from '../etcd/etcd-group.ts';
import type { ClusterPki } from '../pki/pki.ts';
import { limits, type FormationOptions } from './formation-options.ts';
import { fetchDiskState, markBegun } from './machine-disk.ts';
import { isMarked } from './marks.ts';

/** Throws LW6033 where the quorum rule forbids that its member goes. A node that is not ours is left alone, with its member. */
export async function forgetFormerSelf(
  options: FormationOptions,
  machine: MachineBlueprint,
  connection: ClusterConnection,
  pki: ClusterPki,
  context: StepContext,
): Promise<void> {
  const { blueprint, clock, openEtcd, openShell } = options;
  const { signal, progress } = context;
  const isVoter = machine.role === 'control-plane';
  const node = await getNode(connection, machine.name, { signal });
  const isOthers = node !== undefined && !isMarked(blueprint.lab, node.metadata.labels);
  if (isOthers || (node === undefined && !isVoter)) return;
  const call = { timeoutMs: limits.shellMs, signal };
  const state = await fetchDiskState(openShell(machine.name), pki.ca.certificate, call);
  if (state === 'busy' || state === 'foreign') return;
  const etcd = { signal, timeoutMs: limits.etcdMs };
  if (state === 'member') {
    if (!isVoter) return;
    const { members } = await fetchEtcdGroup(await openEtcd(pki), etcd);
    if (members.some(({ name }) => name === machine.name)) return;
    progress('etcd does not have it any more: it joins anew');
    await markBegun(openShell(machine.name), call);
  } else if (isVoter) {
    const group = await openEtcd(pki);
    const removed = await ensureMemberRemoved(group, machine.name, { ...etcd, clock, patienceMs: limits.lentMs });
    if (removed === 'removed') progress('took its former member out of etcd');
  }
  if (node === undefined) return;
  progress('removes the node of its former disk');
  await deleteNode(connection, machine.name, { signal, uid: node.metadata.uid });
}
