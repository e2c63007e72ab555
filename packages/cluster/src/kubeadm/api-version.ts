// What kubeadm of each version reads and how its options are called.
import { minorOf, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';

/** v1beta2 up to 1.21, v1beta3 from 1.22, v1beta4 from 1.31; the one before it goes six to eight releases later. */
export type KubeadmApi = 'v1beta2' | 'v1beta3' | 'v1beta4';

export function kubeadmApiOf(version: KubernetesVersion): KubeadmApi {
  const minor = minorOf(version);
  if (minor >= 31) return 'v1beta4';
  return minor >= 22 ? 'v1beta3' : 'v1beta2';
}

/** The option for the folder of patches, of `init`, `join` and `upgrade`; from 1.22 on the files of init and join name it themselves. */
export function patchesOption(version: KubernetesVersion): '--experimental-patches' | '--patches' {
  return minorOf(version) >= 22 ? '--patches' : '--experimental-patches';
}

/**
 * etcd of 1.20 and 1.21 asks for disk space before the kubelet of a machine that joins knows of any, and a static pod that was
 * refused once is never tried again: etcd then waits for its second member for good (kubernetes/kubernetes#99305, #102673).
 */
export function claimsDiskForEtcd(version: KubernetesVersion): boolean {
  return [20, 21].includes(minorOf(version));
}

/** A URL since 1.24; before that a path. */
export function criSocketOf(version: KubernetesVersion): string {
  const path = '/run/containerd/containerd.sock';
  return minorOf(version) >= 24 ? `unix://${path}` : path;
}

/**
 * Up to 1.30 kubeadm's preflight runs crictl and stops where there is none (kubernetes/kubernetes#123404 made it speak CRI
 * itself). It has no name by which that could be let pass: pulling images fails before its checks are asked.
 */
export function hasUsablePreflight(version: KubernetesVersion): boolean {
  return minorOf(version) >= 31;
}
