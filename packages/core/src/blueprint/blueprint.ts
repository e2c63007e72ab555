// The blueprint: every machine, address and name that should be. Resolved from the lab file alone, before anything is looked at.
import type { Cidr, Ipv4, Ipv4Range } from '../addresses/ipv4.ts';
import type { Mac } from '../addresses/mac.ts';
import type { HostName, LabId, VmId } from '../addresses/names.ts';

export interface Blueprint {
  readonly lab: LabId;
  /** Names of machines live under it: node101.home.arpa. */
  readonly domain: string;
  readonly network: NetworkBlueprint;
  readonly hosts: readonly HostBlueprint[];
  readonly proxmox: ProxmoxBlueprint;
  readonly netboot: NetbootBlueprint;
  readonly ssh: SshBlueprint;
  /** In the order of their VM IDs. */
  readonly machines: readonly MachineBlueprint[];
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
  /** Hosts it may be placed on, in the file's order. */
  readonly hosts: readonly HostName[];
  /** 'host': no two machines of the pool on one host; 'even': as even as there is room; 'none': where there is room. */
  readonly spread: 'host' | 'even' | 'none';
  /** Proxmox start order: lower starts first, higher stops first. */
  readonly startOrder?: number;
}
