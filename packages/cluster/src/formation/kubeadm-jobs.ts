// What kubeadm is asked to do on a machine, in each of the three cases: command, configuration and files.
import { minorOf } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Secret } from '@labwright/core/ports/secret';
import { criSocketOf, hasUsablePreflight, patchesOption } from '../kubeadm/api-version.ts';
import {
  discoveryFile,
  formatInitConfig,
  formatJoinConfig,
  patchesFolder,
  type KubeadmMachine,
} from '../kubeadm/kubeadm-config.ts';
import { hasPatches, makeStaticPodPatches } from '../kubeadm/static-pod-patches.ts';
import { makeControlPlaneFiles, makeKubeletFiles, type PushedFile } from '../pki/control-plane-files.ts';
import { formatKubeconfig } from '../pki/kubeconfig.ts';
import type { ClusterPki } from '../pki/pki.ts';
import type { KubeadmJob } from './kubeadm-job.ts';
import { makePodNetworkFile } from './pod-range.ts';

export interface JobWorld {
  readonly blueprint: Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly pki: ClusterPki;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
}

/** Who resolves names for pods: kubeadm's CoreDNS, or `serve` where no source has its image. */
export type ClusterDns = 'coredns' | 'serve';

/** The first control plane. Everything is made here and pushed, so that kubeadm makes no key. */
export async function makeInitJob(
  world: JobWorld,
  machine: MachineBlueprint,
  token: Secret,
  podRange: string | undefined,
): Promise<KubeadmJob> {
  const { cluster, pki, now } = world;
  const member = asMember(machine);
  const members = controlPlanesOf(world.blueprint);
  return {
    ...common(world),
    kind: 'init',
    command: ['init'],
    // The kubelet has its login in its last form already; add-ons need not hold up the machines that wait to join.
    options: [...skip(cluster, ['kubelet-finalize', 'addon']), ...patches(cluster, machine)],
    config: formatInitConfig(kubeadmLab(world), member, token),
    files: [
      ...(await makeControlPlaneFiles(pki, cluster, machine, members, now)),
      ...(await makeKubeletFiles(pki, machine, ownServer(cluster, machine), now)),
      ...makeStaticPodPatches(cluster),
      ...podNetwork(podRange),
    ],
  };
}

/** A worker gets to know who the cluster is, a further control plane also its keys. */
export async function makeJoinJob(world: JobWorld, machine: MachineBlueprint, token: Secret): Promise<KubeadmJob> {
  const { cluster, pki, now } = world;
  const keys =
    machine.role === 'control-plane'
      ? [
          ...(await makeControlPlaneFiles(pki, cluster, machine, controlPlanesOf(world.blueprint), now)),
          ...makeStaticPodPatches(cluster),
        ]
      : [];
  // Before a further control plane has an API server of its own, kubeadm uses the kubelet's login to mark its node.
  const login = await makeKubeletFiles(pki, machine, endpointServer(cluster), now);
  return {
    ...common(world),
    kind: 'join',
    command: ['join'],
    options: [...skip(cluster, []), ...patches(cluster, machine)],
    config: formatJoinConfig(kubeadmLab(world), asMember(machine), token),
    files: [...keys, ...login, makeDiscoveryFile(world, token)],
  };
}

/** kube-proxy, and CoreDNS where it is ours to run. Any number of times. */
export function makeAddonsJob(world: JobWorld, machine: MachineBlueprint, dns: ClusterDns, token: Secret): KubeadmJob {
  return {
    ...common(world),
    kind: 'addons',
    command: ['init', 'phase', 'addon', dns === 'coredns' ? 'all' : 'kube-proxy'],
    options: [],
    config: formatInitConfig(kubeadmLab(world), asMember(machine), token),
    files: [],
  };
}

export function controlPlanesOf(blueprint: Blueprint): readonly MachineBlueprint[] {
  return blueprint.machines.filter((machine) => machine.role === 'control-plane');
}

function common({ cluster, pki }: JobWorld): Pick<KubeadmJob, 'authority' | 'criSocket'> {
  return { authority: pki.ca.certificate, criSocket: criSocketOf(cluster.version) };
}

function kubeadmLab({ blueprint, cluster }: JobWorld) {
  return { lab: blueprint.lab, cluster, controlPlanes: controlPlanesOf(blueprint) };
}

/** None where the pod network is not ours to make. */
function podNetwork(range: string | undefined): readonly PushedFile[] {
  return range === undefined ? [] : [makePodNetworkFile(range)];
}

function asMember({ name, address, role = 'worker' }: MachineBlueprint): KubeadmMachine {
  return { name, address, role };
}

/**
 * Its checks are for machines that somebody else set up; these are of an image made for it. On hardware they run all the same
 * where kubeadm's own can.
 */
function skip({ version, slow }: ClusterBlueprint, phases: readonly string[]): readonly string[] {
  const skipped = [...(slow || !hasUsablePreflight(version) ? ['preflight'] : []), ...phases];
  return skipped.length === 0 ? [] : [`--skip-phases=${skipped.join(',')}`];
}

/**
 * kubeadm's rule (ControlPlaneKubeletLocalMode, 1.33): a control plane's kubelet asks its own API server, because through
 * the endpoint it could reach one that is newer or older than itself in the middle of an upgrade.
 */
function ownServer({ endpoint }: ClusterBlueprint, { address }: MachineBlueprint): string {
  return `https://${address}:${endpoint.port}`;
}

function endpointServer({ endpoint }: ClusterBlueprint): string {
  return `https://${endpoint.address}:${endpoint.port}`;
}

/** From 1.22 on the configuration names the folder. */
function patches(cluster: ClusterBlueprint, { role }: MachineBlueprint): readonly string[] {
  const { version } = cluster;
  const isOption = hasPatches(cluster) && role === 'control-plane' && minorOf(version) < 22;
  return isOption ? [`${patchesOption(version)}=${patchesFolder}`] : [];
}

/** kubeadm takes no such file without a user, so it names the one that the machine joins as. */
function makeDiscoveryFile({ cluster, pki }: JobWorld, token: Secret): PushedFile {
  const content = formatKubeconfig({
    cluster: 'kubernetes',
    server: endpointServer(cluster),
    ca: pki.ca.certificate,
    user: { name: 'joining', token },
  });
  return { path: discoveryFile, mode: 0o600, content };
}
