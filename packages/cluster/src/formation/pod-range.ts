// The range of addresses of a machine's pods, with `routed` pods: chosen when the machine joins, so that its network is configured
// before its kubelet starts.
//
// kube-controller-manager would choose one too, but begins to ten seconds after it started, and a node is not ready before its
// network is. It leaves a node alone that has one, and takes from the lower end what it gives to others; ours come from the upper.
import { cidr, cidrRange, ipv4FromNumber, ipv4ToNumber, type Cidr } from '@labwright/core/addresses/ipv4';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { PushedFile } from '../pki/control-plane-files.ts';
import { readGuestFile } from './kubeadm-job.ts';

/** As kube-controller-manager has it (--node-cidr-mask-size). */
const nodePrefix = 24;
const nodeSize = 2 ** (32 - nodePrefix);

/** The highest that nobody has; undefined when there is none left. */
export function choosePodRange({ pods }: Pick<ClusterBlueprint, 'pods'>, taken: readonly string[]): Cidr | undefined {
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
