// The base services: which version of which chart serves which Kubernetes, with our values and objects.
import { type KubernetesVersion, minorOf } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { BaseChartName, ChartValues } from '@labwright/core/lab/service-schema';
import type { ChartPlace, WantedObject, WantedRelease } from './wanted-release.ts';

export interface ChartPin {
  readonly version: string;
  /** Version of what the chart installs. */
  readonly app: string;
  /** Minor versions of Kubernetes it serves; without `newest` all from the oldest on. */
  readonly oldest: number;
  readonly newest?: number;
}

export interface BaseChart {
  readonly chart: string;
  readonly repository: string;
  readonly namespace: string;
  /** Its pods use the host's network or devices, which Pod Security Admission stops elsewhere. */
  readonly isPrivileged: boolean;
  /** Best first. */
  readonly pins: readonly ChartPin[];
  /** Base services that have to be there first, where they are on. */
  readonly after: readonly BaseChartName[];
}

/**
 * Versions of August 2026, and the last ones for older Kubernetes. Sources: kubeVersion of each Chart.yaml (traefik, metallb) and the
 * compatibility tables of csi-driver-nfs and metrics-server.
 */
export const baseCharts: Readonly<Record<BaseChartName, BaseChart>> = {
  flannel: {
    chart: 'flannel',
    repository: 'https://flannel-io.github.io/flannel/',
    namespace: 'kube-flannel',
    isPrivileged: true,
    pins: [{ version: 'v0.28.5', app: '0.28.5', oldest: 20 }],
    after: [],
  },
  metallb: {
    chart: 'metallb',
    repository: 'https://metallb.github.io/metallb',
    namespace: 'metallb-system',
    isPrivileged: true,
    pins: [
      { version: '0.16.1', app: '0.16.1', oldest: 25 },
      { version: '0.13.12', app: '0.13.12', oldest: 20, newest: 24 },
    ],
    after: ['flannel'],
  },
  traefik: {
    chart: 'traefik',
    repository: 'https://traefik.github.io/charts',
    namespace: 'traefik',
    isPrivileged: false,
    pins: [
      { version: '41.3.0', app: '3.7.11', oldest: 25 },
      { version: '39.0.9', app: '3.6.15', oldest: 22, newest: 24 },
      { version: '27.0.2', app: '2.11.2', oldest: 20, newest: 21 },
    ],
    // Helm waits until its Service has an address.
    after: ['flannel', 'metallb'],
  },
  'csi-driver-nfs': {
    chart: 'csi-driver-nfs',
    repository: 'https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts',
    namespace: 'kube-system',
    isPrivileged: true,
    pins: [
      { version: '4.13.4', app: '4.13.4', oldest: 21 },
      { version: 'v4.1.0', app: '4.1.0', oldest: 20, newest: 20 },
    ],
    after: ['flannel'],
  },
  'metrics-server': {
    chart: 'metrics-server',
    repository: 'https://kubernetes-sigs.github.io/metrics-server/',
    namespace: 'kube-system',
    isPrivileged: false,
    pins: [
      { version: '3.13.1', app: '0.8.1', oldest: 31 },
      { version: '3.12.2', app: '0.7.2', oldest: 27, newest: 30 },
      { version: '3.11.0', app: '0.6.4', oldest: 25, newest: 26 },
      { version: '3.7.0', app: '0.5.2', oldest: 20, newest: 24 },
    ],
    after: ['flannel'],
  },
};

/** Throws LW7005 when the lab states no version and none of ours serves the cluster. */
export function makeBaseRelease(name: BaseChartName, blueprint: Blueprint): WantedRelease {
  const { cluster, charts } = blueprint;
  const settings = charts?.base[name];
  if (cluster === undefined || settings === undefined) {
    throw new LabwrightError('LW0001', { what: `the base service ${name} is asked for and is off` });
  }
  const base = baseCharts[name];
  const version = settings.version ?? pinFor(name, cluster.version).version;
  return {
    name,
    namespace: base.namespace,
    namespaceLabels: base.isPrivileged ? { 'pod-security.kubernetes.io/enforce': 'privileged' } : {},
    chart: placeOf(base, version, charts?.mirror),
    values: valuesOf(name, version, blueprint),
    place: `kubernetes.charts.${name}.values`,
    objects: objectsOf(name, blueprint),
    after: base.after.filter((each) => charts?.base[each] !== undefined),
  };
}

function pinFor(name: BaseChartName, version: KubernetesVersion): ChartPin {
  const minor = minorOf(version);
  const { pins } = baseCharts[name];
  const pin = pins.find(({ oldest, newest = minor }) => minor >= oldest && minor <= newest);
  if (pin !== undefined) return pin;
  throw new LabwrightError('LW7005', {
    what: `no version of the chart ${name} is known that serves Kubernetes ${version}`,
    where: { 'lab file': `kubernetes.charts.${name}` },
    why: `the versions Labwright was tested with are ${pins.map((each) => each.version).join(', ')}`,
    fix: [`state one: kubernetes.charts.${name}: {version: …}`, `or switch it off: kubernetes.charts.${name}: false`],
  });
}

function placeOf({ chart, repository }: BaseChart, version: string, mirror: string | undefined): ChartPlace {
  if (mirror === undefined) return { kind: 'repository', chart, repository, version };
  if (/^(https?|oci):\/\//.test(mirror)) return { kind: 'repository', chart, repository: mirror, version };
  return { kind: 'file', path: `${mirror.replace(/\/+$/, '')}/${chart}-${version}.tgz` };
}

function valuesOf(name: BaseChartName, version: string, { cluster, charts, machines }: Blueprint): ChartValues {
  const major = Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);
  switch (name) {
    case 'flannel':
      // Debian's place for CNI plugins, which containerd of our images looks in.
      return { podCidr: cluster?.pods ?? '', flannel: { cniBinDir: '/usr/lib/cni' } };
    case 'metallb': {
      // Layer 2 needs no routing daemon. kubeadm labels control planes to be left out; where there are only these, nothing would answer.
      const isAlone = !machines.some(({ role }) => role === 'worker');
      const knowsLater = !/^v?0\.13\./.test(version);
      return {
        speaker: { frr: { enabled: false }, ...(isAlone && knowsLater ? { ignoreExcludeLB: true } : {}) },
        ...(knowsLater ? { frrk8s: { enabled: false } } : {}),
      };
    }
    case 'traefik': {
      const service = charts?.base.metallb === undefined ? 'NodePort' : 'LoadBalancer';
      return {
        ingressClass: { enabled: true, isDefaultClass: true },
        // With it an Ingress shows the address it is reached at.
        providers: { kubernetesIngress: { publishedService: { enabled: service === 'LoadBalancer' } } },
        service: major >= 41 ? { spec: { type: service } } : { type: service },
      };
    }
    case 'csi-driver-nfs':
      return {};
    case 'metrics-server':
      // The kubelets' serving certificates are of their own making, as kubeadm leaves them.
      return { args: ['--kubelet-insecure-tls'] };
  }
}

const storageClassName = 'nfs';

function objectsOf(name: BaseChartName, { network, nas }: Blueprint): readonly WantedObject[] {
  if (name === 'metallb' && network.services !== undefined) {
    const { first, last } = network.services;
    const { namespace } = baseCharts.metallb;
    const metadata = { name: 'labwright', namespace };
    const apiVersion = 'metallb.io/v1beta1';
    return [
      { apiVersion, kind: 'IPAddressPool', metadata, spec: { addresses: [`${first}-${last}`] } },
      { apiVersion, kind: 'L2Advertisement', metadata, spec: { ipAddressPools: ['labwright'] } },
    ].map((object) => ({ object, fixed: 'keep' }));
  }
  const volumes = nas.flatMap((each) =>
    each.exports.filter(({ use }) => use === 'volumes').map(({ path }) => ({ server: each.address, share: path })),
  )[0];
  if (name !== 'csi-driver-nfs' || volumes === undefined) return [];
  return [
    {
      // Volumes know their server themselves, so the class can be made anew when the NAS moves.
      fixed: 'replace',
      object: {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: {
          name: storageClassName,
          annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
        },
        provisioner: 'nfs.csi.k8s.io',
        parameters: volumes,
        mountOptions: ['nfsvers=4.1'],
        reclaimPolicy: 'Delete',
        volumeBindingMode: 'Immediate',
      },
    },
  ];
}
