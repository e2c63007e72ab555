// A lab with a cluster, for tests of every part of it.
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, ClusterRole, MachineBlueprint } from '@labwright/core/blueprint/blueprint';

/** node101 has VM ID 101 and is at 10.1.1.1. */
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

export function makeSampleCluster(version: string): ClusterBlueprint {
  return {
    version: kubernetesVersion(version),
    endpoint: { name: 'kube.home.arpa', address: ipv4('10.1.0.10'), port: 6443 },
    podNetwork: 'routed',
    pods: cidr('10.244.0.0/16'),
    services: cidr('10.96.0.0/16'),
    dnsAddress: ipv4('10.96.0.10'),
    dnsDomain: 'cluster.local',
    slow: false,
  };
}

export function makeSampleBlueprint(cluster: ClusterBlueprint, machines: readonly MachineBlueprint[]): Blueprint {
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
    exposures: { domains: ['svc'], balancer: 'metallb', ingress: 'traefik', taken: [], reserved: [] },
    netboot: { mode: 'serve', address: ipv4('10.1.0.9'), httpPort: 8080 },
    ssh: { user: 'admin', authorizedKeys: [] },
    cluster,
    nas: [],
    services: [],
    machines,
  };
}
