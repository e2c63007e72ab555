// Which version each control plane runs, by its static pods as the API shows them.
import {
  compareVersions,
  parseKubernetesVersion,
  type KubernetesVersion,
} from '@labwright/core/addresses/kubernetes-version';
import type { CallOptions, ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { configMapKind, podKind } from '@labwright/drivers/kubernetes/kind';
import { fetchProxy } from './proxy-rollout.ts';

const components = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/** By node: the oldest of its components. Pods with images that carry no version are left out. */
export async function fetchControlPlaneVersions(
  connection: ClusterConnection,
  options: CallOptions,
): Promise<ReadonlyMap<string, KubernetesVersion>> {
  const scope = { namespace: 'kube-system', labelSelector: 'tier=control-plane' };
  const oldest = new Map<string, KubernetesVersion>();
  for (const { metadata, spec } of await connection.list(podKind, scope, options)) {
    if (spec.nodeName === undefined || !components.includes(metadata.labels?.['component'] ?? '')) continue;
    const version = versionOf(spec['containers']);
    const known = oldest.get(spec.nodeName);
    if (version === undefined || (known !== undefined && compareVersions(known, version) < 0)) continue;
    oldest.set(spec.nodeName, version);
  }
  return oldest;
}

/**
 * What `kubeadm upgrade apply` changes last: kube-proxy, after its own configuration in the cluster. Undefined when neither
 * tells a version.
 */
export async function fetchSharedVersion(
  connection: ClusterConnection,
  options: CallOptions,
): Promise<KubernetesVersion | undefined> {
  const place = (name: string) => ({ name, namespace: 'kube-system' });
  const config = await connection.get(configMapKind, place('kubeadm-config'), options);
  const stated = /^kubernetesVersion: (\S+)$/m.exec(config?.data?.['ClusterConfiguration'] ?? '')?.[1];
  const proxy = await fetchProxy(connection, options);
  const versions = [
    stated === undefined ? undefined : parseKubernetesVersion(stated),
    versionOf(proxy?.spec.template.spec.containers),
  ];
  return versions.filter((version) => version !== undefined).toSorted(compareVersions)[0];
}

/** "registry.k8s.io/kube-apiserver:v1.35.4" */
function versionOf(containers: unknown): KubernetesVersion | undefined {
  const [first] = Array.isArray(containers) ? (containers as readonly { readonly image?: unknown }[]) : [];
  const tag = /:(v[0-9.]+)(@|$)/.exec(typeof first?.image === 'string' ? first.image : '')?.[1];
  return tag === undefined ? undefined : parseKubernetesVersion(tag);
}
