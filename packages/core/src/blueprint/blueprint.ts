// The blueprint: every machine, address and name that should be. Resolved from the lab file alone, before anything is looked at.
import type { Cidr, Ipv4, Ipv4Range } from '../addresses/ipv4.ts';
import type { Mac } from '../addresses/mac.ts';
import type { KubernetesVersion } from '../addresses/kubernetes-version.ts';
import type { HostName, LabId, VmId } from '../addresses/names.ts';
import type { BaseChartName, ChartValues, ServiceKind } from '../lab/service-schema.ts';
import type { SecretRef } from '../lab/lab-values.ts';

export interface Blueprint {
  readonly lab: LabId;
  /** Names of machines live under it: node101.home.arpa. */
  readonly domain: string;
  readonly network: NetworkBlueprint;
  readonly hosts: readonly HostBlueprint[];
  readonly proxmox: ProxmoxBlueprint;
  readonly netboot: NetbootBlueprint;
  /** Absent when the file has none. */
  readonly router?: RouterBlueprint;
  /** How what runs in the cluster is reached from the house. */
  readonly exposures: ExposuresBlueprint;
  readonly ssh: SshBlueprint;
  /** Absent when the lab has no Kubernetes. */
  readonly cluster?: ClusterBlueprint;
  /** Of its etcd; absent with it. */
  readonly snapshots?: SnapshotsBlueprint;
  /** What runs in it by Helm; absent with it. */
  readonly charts?: ChartsBlueprint;
  /** In the order of the file. */
  readonly nas: readonly NasBlueprint[];
  /** What lives outside the cluster and is used from inside, each by its name. */
  readonly services: readonly OutsideServiceBlueprint[];
  /** In the order of their VM IDs. */
  readonly machines: readonly MachineBlueprint[];
  /**
   * The identities that follow on each pool's last, for replacements of machines whose host is gone: a dead host keeps its
   * VM IDs. Only of pools that replace; in the order of their VM IDs.
   */
  readonly spares?: readonly MachineBlueprint[];
}

/** The network that machines live in. */
export interface NetworkBlueprint {
  readonly name: string;
  readonly cidr: Cidr;
  readonly gateway: Ipv4;
  readonly resolvers: readonly Ipv4[];
  /** The block that machines get their addresses from. */
  readonly machines: Cidr;
  /** Addresses for services of the cluster. */
  readonly services?: Ipv4Range;
  /** Bridge on the hosts that leads into this network. */
  readonly bridge: string;
  readonly vlan?: number;
}

/** A hypervisor. */
export interface HostBlueprint {
  readonly name: HostName;
  readonly address: Ipv4;
  readonly cores: number;
  readonly memoryMiB: number;
  /** No new machines are placed on a host in maintenance. */
  readonly maintenance: boolean;
}

export interface ProxmoxBlueprint {
  readonly port: number;
  /** Storage for disks where a pool does not name another. */
  readonly storage: string;
  readonly tls: { readonly mode: 'pinned' } | { readonly mode: 'ca'; readonly file: string };
}

/** What Labwright sets up on the router: leases of machines, names, balancers. */
export type RouterPart = 'dhcp' | 'dns' | 'haproxy';

export interface RouterBlueprint {
  readonly name: HostName;
  readonly address: Ipv4;
  /** Of its web page. */
  readonly port: number;
  /** Nothing on it is changed when it is empty. */
  readonly manage: readonly RouterPart[];
}

export interface ExposuresBlueprint {
  /** Names end in one of these. */
  readonly domains: readonly string[];
  readonly balancer: 'metallb' | 'router';
  readonly ingress: 'traefik' | 'router';
  /** Where addresses of services come from. */
  readonly range?: Ipv4Range;
  /** Addresses that nothing exposed may have, and whose they are: the cluster's endpoint, appliances, machines, us. */
  readonly taken: readonly { readonly address: Ipv4; readonly owner: string }[];
  /** Whole names that stand for something else, and for what: "pve1.home.arpa" is host pve1. */
  readonly reserved: readonly { readonly name: string; readonly owner: string }[];
  /** Our own, on the address of the boot servers; absent when there is none. */
  readonly nameServer?: { readonly port: number };
}

export interface NetbootBlueprint {
  readonly mode: 'serve' | 'proxy' | 'router';
  /** The address our DHCP, TFTP and HTTP servers answer from. */
  readonly address: Ipv4;
  readonly httpPort: number;
  /** Leases for machines that are not in the file; none unless the file gives a range. */
  readonly dynamic?: Ipv4Range;
}

export interface SshBlueprint {
  readonly user: string;
  /** Public keys of people, in authorized_keys form; Labwright's own comes on top. */
  readonly authorizedKeys: readonly string[];
}

/** The Kubernetes cluster; its members are the machines with a role. */
export interface ClusterBlueprint {
  readonly version: KubernetesVersion;
  /** Where its API answers for everybody, from the first formation on. */
  readonly endpoint: {
    /** With the domain: "kube.home.arpa". */
    readonly name: string;
    readonly address: Ipv4;
    readonly port: number;
    /** The control plane that has the address itself; absent where a balancer outside the cluster has it. */
    readonly holder?: HostName;
  };
  readonly podNetwork: 'routed' | 'flannel';
  readonly pods: Cidr;
  readonly services: Cidr;
  /** The resolver of pods: the tenth address of `services`, as kubeadm has it. */
  readonly dnsAddress: Ipv4;
  /** "cluster.local" */
  readonly dnsDomain: string;
  /** Folder (absolute) or URL of a mirror laid out like dl.k8s.io; container images in the folder's `images`, or at the server's registry. */
  readonly mirror?: string;
  /** Longer time limits, for control planes that are emulated without KVM. */
  readonly slow: boolean;
}

/** Snapshots of etcd. */
export interface SnapshotsBlueprint {
  /** As the file writes it: absolute, or relative to the lab file. */
  readonly folder: string;
  readonly everyMs: number;
  readonly keep: number;
}

/** What runs in the cluster by Helm, and the Secrets of the lab in it. */
export interface ChartsBlueprint {
  /** The base services that are on; their versions and values are cluster/services/base-chart's. */
  readonly base: Readonly<Partial<Record<BaseChartName, ChartSettings>>>;
  readonly own: readonly OwnChartBlueprint[];
  readonly secrets: readonly ClusterSecretBlueprint[];
  /** Folder or URL in place of the repositories of the base services. */
  readonly mirror?: string;
  /** Folder or URL laid out like get.helm.sh. */
  readonly helmMirror?: string;
}

export interface ChartSettings {
  readonly version?: string;
  /** On top of ours. */
  readonly values: ChartValues;
}

export interface OwnChartBlueprint {
  readonly name: string;
  readonly namespace: string;
  /** A name in the repository, or without one a path relative to the lab file. */
  readonly chart: string;
  readonly repository?: string;
  readonly version?: string;
  readonly values: ChartValues;
}

export interface ClusterSecretBlueprint {
  readonly name: string;
  readonly namespace: string;
  readonly type: string;
  readonly data: Readonly<Record<string, SecretRef>>;
}

export interface NasBlueprint {
  readonly name: string;
  readonly kind: 'synology' | 'linux';
  readonly address: Ipv4;
  readonly exports: readonly NasExportBlueprint[];
  /** Only with it are exports written. */
  readonly ssh?: { readonly user: string; readonly port: number; readonly hostKey: string };
}

export interface NasExportBlueprint {
  readonly path: string;
  readonly use: 'volumes' | 'snapshots' | 'data';
}

/** A service that is not in the cluster: a database on the NAS, for instance. */
export interface OutsideServiceBlueprint {
  readonly name: string;
  /** By which everybody in the house reaches it: "mariadb.home.arpa". */
  readonly dnsName: string;
  readonly kind: ServiceKind;
  readonly address: Ipv4;
  readonly port: number;
  /** Absent when it runs somewhere that Labwright makes no compose file for. */
  readonly container?: ServiceContainerBlueprint;
}

export interface ServiceContainerBlueprint {
  /** Name of the NAS. */
  readonly nas: string;
  readonly image: string;
  /** The port inside the container. */
  readonly port: number;
  readonly volume?: { readonly path: string; readonly mount: string };
  readonly environment: Readonly<Record<string, string | SecretRef>>;
}

export type ClusterRole = 'control-plane' | 'worker';

export type Firmware = 'bios' | 'uefi';

export interface MachineBlueprint {
  readonly name: HostName;
  readonly vmId: VmId;
  readonly mac: Mac;
  readonly address: Ipv4;
  readonly pool: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  readonly storage: string;
  readonly firmware: Firmware;
  readonly image: string;
  /** Absent for a machine that is not in the cluster. */
  readonly role?: ClusterRole;
  readonly heal: 'restart' | 'replace';
  /** Hosts it may be placed on, in the file's order. */
  readonly hosts: readonly HostName[];
  /** 'host': no two machines of the pool on one host; 'even': as even as there is room; 'none': where there is room. */
  readonly spread: 'host' | 'even' | 'none';
  /** Proxmox start order: lower starts first, higher stops first. */
  readonly startOrder?: number;
  /** The machine it stands in for; as the tag of its VM says, never the lab file. */
  readonly replaces?: VmId;
}
