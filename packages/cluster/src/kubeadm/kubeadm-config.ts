// What kubeadm is told, in its own files: one text for `init`, one for each `join`, by the version's configuration API
// (https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4, and .v1beta3, .v1beta2).
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { HostName, LabId } from '@labwright/core/addresses/names';
import type { ClusterBlueprint, ClusterRole } from '@labwright/core/blueprint/blueprint';
import type { Secret } from '@labwright/core/ports/secret';
import { stringify } from 'yaml';
import { apiServerNames, type ControlPlaneIdentity } from '../pki/control-plane-files.ts';
import { nodeLabels } from '../formation/marks.ts';
import { criSocketOf, kubeadmApiOf, type KubeadmApi } from './api-version.ts';
import { slowHostSettings } from './slow-host.ts';

export interface KubeadmMachine {
  readonly name: HostName;
  readonly address: Ipv4;
  readonly role: ClusterRole;
}

export interface KubeadmLab {
  readonly lab: LabId;
  readonly cluster: ClusterBlueprint;
  /** Every control plane of the blueprint, this machine among them if it is one. */
  readonly controlPlanes: readonly ControlPlaneIdentity[];
}

/** Where a machine keeps its patches of static pods, for `init`, `join` and every upgrade. */
export const patchesFolder = '/etc/kubernetes/patches';
/** Who the cluster is, for a join: its address and authority, and no login. */
export const discoveryFile = '/etc/kubernetes/labwright-discovery.conf';

/**
 * The first control plane's file: Init-, Cluster-, Kubelet- and KubeProxyConfiguration. `token` as "abcdef.0123456789abcdef":
 * nobody joins with it, since each machine gets one of its own; but without one kubeadm makes one that lives for a day.
 */
export function formatInitConfig(lab: KubeadmLab, machine: KubeadmMachine, token: Secret): string {
  const { version } = lab.cluster;
  const api = kubeadmApiOf(version);
  return formatDocuments([
    {
      apiVersion: `kubeadm.k8s.io/${api}`,
      kind: 'InitConfiguration',
      bootstrapTokens: [{ token: token.reveal(), ttl: '1m0s' }],
      localAPIEndpoint: { advertiseAddress: machine.address, bindPort: lab.cluster.endpoint.port },
      nodeRegistration: nodeRegistration(lab, machine, api),
      ...patchesOf(lab.cluster, machine, api),
      ...waitsOf(lab.cluster, api),
    },
    ...clusterDocuments(lab, machine, api),
  ]);
}

/** Cluster-, Kubelet- and KubeProxyConfiguration, as an upgrade also takes them. */
function clusterDocuments(lab: KubeadmLab, machine: KubeadmMachine, api: KubeadmApi): readonly object[] {
  return [clusterConfiguration(lab, machine, api), kubeletConfiguration(lab.cluster), proxyConfiguration(lab.cluster)];
}

/** `token` as "abcdef.0123456789abcdef". The authority is pinned by the file that the discovery reads: it holds the whole certificate. */
export function formatJoinConfig(lab: KubeadmLab, machine: KubeadmMachine, token: Secret): string {
  const api = kubeadmApiOf(lab.cluster.version);
  return formatDocuments([
    {
      apiVersion: `kubeadm.k8s.io/${api}`,
      kind: 'JoinConfiguration',
      discovery: { file: { kubeConfigPath: discoveryFile }, tlsBootstrapToken: token.reveal() },
      nodeRegistration: {
        ...nodeRegistration(lab, machine, api),
        // It comes with its login (pki/control-plane-files.ts).
        ignorePreflightErrors: ['FileAvailable--etc-kubernetes-kubelet.conf'],
      },
      ...(machine.role === 'worker'
        ? {}
        : {
            controlPlane: {
              localAPIEndpoint: { advertiseAddress: machine.address, bindPort: lab.cluster.endpoint.port },
            },
          }),
      ...patchesOf(lab.cluster, machine, api),
      ...waitsOf(lab.cluster, api),
    },
  ]);
}

function formatDocuments(documents: readonly object[]): string {
  return documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
}

function nodeRegistration({ lab, cluster }: KubeadmLab, machine: KubeadmMachine, api: KubeadmApi): object {
  const labels = Object.entries(nodeLabels(lab, machine.role)).map(([key, value]) => `${key}=${value}`);
  return {
    name: machine.name,
    criSocket: criSocketOf(cluster.version),
    kubeletExtraArgs: formatArguments(
      // The endpoint's address may be on the same card; the node is known by its own.
      {
        'node-ip': machine.address,
        'node-labels': labels.join(','),
        ...(cluster.slow ? slowHostSettings.kubeletArguments : {}),
      },
      api,
    ),
    ...(api === 'v1beta2' ? {} : { imagePullPolicy: 'IfNotPresent' }),
  };
}

function clusterConfiguration(
  { cluster, controlPlanes }: KubeadmLab,
  machine: KubeadmMachine,
  api: KubeadmApi,
): object {
  const { endpoint, slow } = cluster;
  const { dnsNames, addresses } = apiServerNames(cluster, machine, controlPlanes);
  const leaderElection = slow ? slowHostSettings.leaderElection : {};
  const component = (extraArgs: Readonly<Record<string, string>>) => ({ extraArgs: formatArguments(extraArgs, api) });
  return {
    apiVersion: `kubeadm.k8s.io/${api}`,
    kind: 'ClusterConfiguration',
    kubernetesVersion: `v${cluster.version}`,
    clusterName: 'kubernetes',
    // By address: the name is for people, and nothing here depends on a resolver that may itself be a pod.
    controlPlaneEndpoint: `${endpoint.address}:${endpoint.port}`,
    networking: { podSubnet: cluster.pods, serviceSubnet: cluster.services, dnsDomain: cluster.dnsDomain },
    apiServer: {
      certSANs: [...dnsNames, ...addresses],
      ...(slow ? component(slowHostSettings.apiServer) : {}),
      ...(slow && api !== 'v1beta4' ? { timeoutForControlPlane: slowHostSettings.controlPlaneTimeout } : {}),
    },
    // kubeadm has them listen on 127.0.0.1 only, where no monitoring can see them.
    controllerManager: component({
      'bind-address': '0.0.0.0',
      ...leaderElection,
      ...(slow ? slowHostSettings.controllerManager : {}),
    }),
    scheduler: component({ 'bind-address': '0.0.0.0', ...leaderElection }),
    etcd: {
      local: {
        dataDir: '/var/lib/etcd',
        ...component({
          // On all addresses, because this text is the same for every control plane; it is plain HTTP and says no secret.
          'listen-metrics-urls': 'http://0.0.0.0:2381',
          ...(slow ? slowHostSettings.etcd : {}),
        }),
      },
    },
    // What kubeadm makes later, when it renews, is of the same kind as what we made.
    ...(api === 'v1beta4' ? { encryptionAlgorithm: 'ECDSA-P256' } : { featureGates: { PublicKeysECDSA: true } }),
  };
}

function kubeletConfiguration({ dnsAddress, dnsDomain, slow }: ClusterBlueprint): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'systemd',
    clusterDNS: [dnsAddress],
    clusterDomain: dnsDomain,
    rotateCertificates: true,
    ...(slow ? slowHostSettings.kubelet : {}),
  };
}

function proxyConfiguration({ pods }: ClusterBlueprint): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clusterCIDR: pods,
    metricsBindAddress: '0.0.0.0:10249',
  };
}

/** Where v1beta2 has no key for it, the command has an option (patchesOption). */
function patchesOf({ slow }: ClusterBlueprint, { role }: KubeadmMachine, api: KubeadmApi): object {
  return slow && role === 'control-plane' && api !== 'v1beta2' ? { patches: { directory: patchesFolder } } : {};
}

function waitsOf({ slow }: ClusterBlueprint, api: KubeadmApi): object {
  if (!slow || api !== 'v1beta4') return {};
  const wait = slowHostSettings.controlPlaneTimeout;
  return { timeouts: { controlPlaneComponentHealthCheck: wait, kubeletHealthCheck: wait, tlsBootstrap: wait } };
}

/** A map up to v1beta3, a list of names and values from v1beta4 on. */
function formatArguments(values: Readonly<Record<string, string>>, api: KubeadmApi): object {
  if (api !== 'v1beta4') return { ...values };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
