// Which programs a release of Kubernetes is made of here, and where they are in every layout we read or write.
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';

/** On every machine. */
export const nodeBinaries = ['kubeadm', 'kubelet', 'kubectl'] as const;
/** In container images of their own. */
export const imageBinaries = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'] as const;
export const kubernetesBinaries = [...nodeBinaries, ...imageBinaries] as const;

export type KubernetesBinary = (typeof kubernetesBinaries)[number];

export function isKubernetesBinary(name: string): name is KubernetesBinary {
  return kubernetesBinaries.some((known) => known === name);
}

/** As on dl.k8s.io; its SHA-256 is beside it, with ".sha256". */
export function binaryPath(version: KubernetesVersion, name: KubernetesBinary): string {
  return `release/v${version}/bin/linux/amd64/${name}`;
}
