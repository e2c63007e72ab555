// A lab with a cluster, for tests: node101 and on, at 10.1.1.1 and on.
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, ClusterRole, MachineBlueprint } from '@labwright/core/blueprint/blueprint';

export const lab = labId('home');

export function makeMachine(number: number, role: ClusterRole): MachineBlueprint {
  return {
    name: hostName(`node10${number}`),
    vmId: vmId(100 + number),
    mac: mac(`02:1a:b0:00:01:0${number}`),
    address: ipv4(`10.1.1.${number}`),
    pool: role,
    cores: 2,
    memoryMiB: 2048,
    diskGiB: 8,
    storage: 'local-lvm',
    firmware: 'bios',
    image: 'debian',
    role,
    heal: 'restart',
    hosts: [hostName('pve1')],
    spread: 'even',
  };
}

export const cluster: ClusterBlueprint = {
  version: kubernetesVersion('1.20.2'),
  endpoint: { name: 'kube.home.arpa', address: ipv4('10.1.0.10'), port: 6443 },
  podNetwork: 'routed',
  pods: cidr('10.244.0.0/16'),
  services: cidr('10.96.0.0/16'),
  dnsAddress: ipv4('10.96.0.10'),
  dnsDomain: 'cluster.local',
  slow: false,
};

export function makeBlueprint(roles: readonly ClusterRole[]): Blueprint {
  return {
    lab,
    domain: 'home.arpa',
    network: {
      name: 'lan',
      cidr: cidr('10.1.0.0/22'),
      gateway: ipv4('10.1.0.1'),
      resolvers: [ipv4('10.1.0.1')],
      machines: cidr('10.1.1.0/28'),
      bridge: 'vmbr0',
    },
    hosts: [],
    proxmox: { port: 8006, storage: 'local-lvm', tls: { mode: 'pinned' } },
    netboot: { mode: 'serve', address: ipv4('10.1.0.9'), httpPort: 8080 },
    ssh: { user: 'admin', authorizedKeys: [] },
    cluster,
    nas: [],
    services: [],
    machines: roles.map((role, at) => makeMachine(at + 1, role)),
  };
}
