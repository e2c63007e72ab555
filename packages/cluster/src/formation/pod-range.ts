// The range of addresses of a machine's pods, with `routed` pods. kube-controller-manager gives one to each node, but not before it
// leads and knows the cluster, which takes a slow control plane minutes; a node is not ready before its network is. So it gets
// one of us as soon as its kubelet has registered it: from the upper end, where kube-controller-manager begins at the lower and leaves
// alone what has one. (Not earlier: a Node made for a machine before it comes ends the kubelet of 1.20 in a panic.)
//
// On the first machine the network is configured before its kubelet starts; on the others labwright-routes writes what their node
// says.
import { cidr, cidrRange, ipv4FromNumber, ipv4ToNumber, type Cidr } from '@labwright/core/addresses/ipv4';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { PushedFile } from '../pki/control-plane-files.ts';
import { readGuestFile } from './kubeadm-job.ts';

/** As kube-controller-manager has it (--node-cidr-mask-size). */
const nodePrefix = 24;
const nodeSize = 2 ** (32 - nodePrefix);

/** The highest that nobody has; undefined when there is none left. */
export function choosePodRange({ pods }: Pick<ClusterBlueprint, 'pods'>, taken: Iterable<string>): Cidr | undefined {
  const { first, last } = cidrRange(pods);
  const used = new Set(taken);
  for (let at = ipv4ToNumber(last) - nodeSize + 1; at >= ipv4ToNumber(first); at -= nodeSize) {
    const range = cidr(`${ipv4FromNumber(at)}/${nodePrefix}`);
    if (!used.has(range)) return range;
  }
  return undefined;
}

/** What labwright-routes would write, to the letter: it replaces one that is different, and with it the bridge. */
export function makePodNetworkFile(range: string): PushedFile {
  const content = readGuestFile('pods.conflist').replace('@RANGE@', range);
  return { path: '/etc/cni/net.d/10-labwright.conflist', mode: 0o644, content };
}
