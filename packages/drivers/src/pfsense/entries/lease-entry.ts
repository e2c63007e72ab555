// DHCP as the router keeps it: static leases with names, a block of addresses, and what is booted from the network.
import type { Ipv4, Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';
import type { HostName } from '@labwright/core/addresses/names';
import type { ConfigMap } from '../config/config-value.ts';
import { type Mark, formatMark } from '../config/mark.ts';
import { type InterfaceName, leasesOf, poolsOf } from '../config/place.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';

export type DhcpBackEnd = 'isc' | 'kea';

/** Boot files by the architecture that firmware names (option 93); an absent one is not offered. */
export interface NetworkBoot {
  readonly nextServer: Ipv4;
  /** BIOS. */
  readonly bios?: string;
  /** 0x06. */
  readonly uefi32?: string;
  /** 0x07 and 0x09. */
  readonly uefi64?: string;
  /** 0x0a. */
  readonly uefiArm32?: string;
  /** 0x0b. */
  readonly uefiArm64?: string;
  /** A URL for firmware that boots over HTTP. */
  readonly uefiHttp?: string;
}

export interface StaticLease {
  readonly interface: InterfaceName;
  readonly mac: Mac;
  readonly address: Ipv4;
  readonly name: HostName;
  readonly boot?: NetworkBoot;
}

/**
 * With ISC the boot files stand in the lease. pfSense hands Kea those of a whole network only (bootFields), so there a
 * lease has none.
 */
export function leaseEntry(mark: Mark, lease: StaticLease, backEnd: DhcpBackEnd): OwnedEntry {
  const boot = backEnd === 'kea' || lease.boot === undefined ? {} : bootFields(lease.boot);
  return {
    place: leasesOf(lease.interface),
    mark,
    value: { mac: lease.mac, ipaddr: lease.address, hostname: lease.name, descr: formatMark(mark), ...boot },
  };
}

/** A further block of addresses in a network that the router serves. */
export function poolEntry(mark: Mark, interfaceName: InterfaceName, range: Ipv4Range): OwnedEntry {
  return {
    place: poolsOf(interfaceName),
    mark,
    value: { range: { from: range.first, to: range.last }, descr: formatMark(mark) },
  };
}

/** The fields pfSense has for network boot, alike in a lease and in a network's section. */
export function bootFields(boot: NetworkBoot): ConfigMap & Readonly<Record<string, string>> {
  const files = {
    filename: boot.bios,
    filename32: boot.uefi32,
    filename64: boot.uefi64,
    filename32arm: boot.uefiArm32,
    filename64arm: boot.uefiArm64,
    uefihttpboot: boot.uefiHttp,
  };
  const given = Object.entries(files).flatMap(([key, file]) => (file === undefined ? [] : [[key, file] as const]));
  return { netboot: '', nextserver: boot.nextServer, ...Object.fromEntries(given) };
}
