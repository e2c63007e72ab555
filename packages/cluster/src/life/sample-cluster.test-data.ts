// Blueprints and facts of a cluster for tests.
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, ClusterRole, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterFacts, EtcdMemberFacts, NodeFacts } from '@labwright/core/facts/cluster';

export function makeMember(
  number: number,
  role: ClusterRole,
  overrides: Partial<MachineBlueprint> = {},
): MachineBlueprint {
  return {
    name: hostName(`node${number}`),
    vmId: vmId(number),
    mac: mac(`02:1a:b0:00:0${Math.floor(number / 100)}:${String(number % 100).padStart(2, '0')}`),
    address: ipv4(`10.1.1.${number % 100}`),
    pool: role === 'worker' ? 'workers' : 'control',
    cores: 2,
    memoryMiB: 2048,
    diskGiB: 8,
    storage: 'local-lvm',
    firmware: 'bios',
    image: 'debian',
    role,
    heal: 'replace',
    hosts: ['pve1', 'pve2', 'pve3'].map(hostName),
    spread: 'even',
    ...overrides,
  };
}

export const sampleCluster: ClusterBlueprint = {
  version: kubernetesVersion('1.20.3'),
  endpoint: { name: 'kube.home.arpa', address: ipv4('10.1.0.10'), port: 6443 },
  podNetwork: 'routed',
  pods: cidr('10.244.0.0/16'),
  services: cidr('10.96.0.0/16'),
  dnsAddress: ipv4('10.96.0.10'),
  dnsDomain: 'cluster.local',
  slow: false,
};

/** Control planes node101 …, workers node111 …. */
export function makeClusterBlueprint(controlPlanes: number, workers: number): Blueprint {
  const numbers = (count: number, first: number): number[] => Array.from({ length: count }, (_, at) => first + at);
  return {
    lab: labId('home'),
    domain: 'home.arpa',
    network: {
      name: 'lan',
      cidr: cidr('10.1.0.0/16'),
      gateway: ipv4('10.1.0.1'),
      resolvers: [ipv4('10.1.0.1')],
      machines: cidr('10.1.1.0/24'),
      bridge: 'vmbr0',
    },
    hosts: [],
    proxmox: { port: 8006, storage: 'local-lvm', tls: { mode: 'pinned' } },
    netboot: { mode: 'serve', address: ipv4('10.1.0.9'), httpPort: 8080 },
    ssh: { user: 'admin', authorizedKeys: [] },
    cluster: sampleCluster,
    nas: [],
    services: [],
    machines: [
      ...numbers(controlPlanes, 101).map((number) => makeMember(number, 'control-plane')),
      ...numbers(workers, 111).map((number) => makeMember(number, 'worker')),
    ],
  };
}

export function makeNode(machine: MachineBlueprint, overrides: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: machine.name,
    role: machine.role ?? 'worker',
    ready: 'ready',
    kubelet: kubernetesVersion('1.20.2'),
    schedulable: true,
    ours: true,
    bootId: 'b',
    ...overrides,
  };
}

export function makeEtcdMember(machine: MachineBlueprint, overrides: Partial<EtcdMemberFacts> = {}): EtcdMemberFacts {
  return { id: String(machine.vmId), name: machine.name, learner: false, healthy: true, ...overrides };
}

export type AnsweringCluster = Extract<ClusterFacts, { kind: 'answers' }>;

/** Everything as the blueprint has it, at the version before its own. */
export function makeClusterFacts(blueprint: Blueprint, overrides: Partial<AnsweringCluster> = {}): AnsweringCluster {
  const cluster = blueprint.machines.filter((machine) => machine.role !== undefined);
  return {
    kind: 'answers',
    version: kubernetesVersion('1.20.2'),
    nodes: cluster.map((machine) => makeNode(machine)),
    disks: [],
    members: cluster.filter(({ role }) => role === 'control-plane').map((machine) => makeEtcdMember(machine)),
    asOf: 0,
    ...overrides,
  };
}
