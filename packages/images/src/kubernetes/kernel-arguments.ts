// What the kernel of a cluster machine is told, by the version of Kubernetes it runs.
import { minorOf, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';

/** The first minor version whose kubelet is at home on cgroup v2, the only kind Debian 12 has by itself. */
const firstOnUnifiedCgroups = 25;

export function nodeKernelArguments(version: KubernetesVersion): readonly string[] {
  return minorOf(version) < firstOnUnifiedCgroups ? ['systemd.unified_cgroup_hierarchy=0'] : [];
}
