// What netboot is told: the network it serves, the machines that may boot, and the files they get.
import type { Cidr, Ipv4, Ipv4Range } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';
import type { HostName, LabId } from '@labwright/core/addresses/names';
import type { BootEvent, BootRefusedEvent } from '@labwright/core/events/boot';

/**
 * 'serve': we give addresses. 'proxy': another DHCP server does, we add what to boot. 'router': another one does both, and names
 * the files whose names never change; we answer no DHCP.
 */
export type BootMode = 'serve' | 'proxy' | 'router';

export interface BootNetwork {
  /** Our own address in this network: what every server answers from. */
  readonly address: Ipv4;
  readonly cidr: Cidr;
  readonly gateway: Ipv4;
  readonly resolvers: readonly Ipv4[];
  readonly domain: string;
  readonly httpPort: number;
  readonly mode: BootMode;
  /** Addresses for clients that are not in the lab file ('serve' only); those get none without it. */
  readonly dynamic?: Ipv4Range;
}

/** A machine of the lab file as netboot sees it. */
export interface BootMachine {
  readonly name: HostName;
  readonly mac: Mac;
  readonly address: Ipv4;
  readonly firmware: 'bios' | 'uefi';
  readonly image: string;
  /** What its kernel is told on top, for the installed system's sake; each word stands in the disk's boot configuration, too. */
  readonly kernelArguments?: readonly string[];
  /** Which provisioning of this machine is wanted; raised to rebuild it. */
  readonly generation: number;
  readonly lab: LabId;
}

export interface BootDirectory {
  findByMac(mac: Mac): BootMachine | undefined;
  /** By the address that the lab file gives it. */
  findByAddress(address: Ipv4): BootMachine | undefined;
}

/** Who has an address at this moment, as far as can be told from here. */
export type HolderOf = (address: Ipv4) => Promise<Mac | undefined>;

export interface BootFile {
  readonly path: string;
  readonly size: number;
}

export interface BootImage {
  readonly kernel: BootFile;
  readonly initrd: BootFile;
  readonly rootfs: BootFile;
}

export interface BootImages {
  /** The image when its files are complete; undefined while it is not ready (clients are told to come again). */
  get(name: string): Promise<BootImage | undefined>;
}

/** "sha256:HEX" */
export type ImageDigest = `sha256:${string}`;

export interface ReleaseFile extends BootFile {
  /** Hex. */
  readonly sha256: string;
}

/** What machines of a cluster fetch when they are up. */
export interface BootArtifacts {
  /** By the image's whole name: "k8s.gcr.io/pause:3.2". */
  findManifest(name: string): Promise<{ readonly digest: ImageDigest } | undefined>;
  findBlob(digest: ImageDigest): Promise<BootFile | undefined>;
  /** A program of a Kubernetes release: ("1.20.3", "kubelet"). */
  findProgram(version: string, name: string): Promise<ReleaseFile | undefined>;
}

/** Boot loaders on disk by the name clients ask for: 'snponly.efi', 'undionly.kpxe', 'ipxe.efi', 'ipxe.pxe'. */
export type BootLoaders = Readonly<Partial<Record<string, string>>>;

export interface IgnitionAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface PhoneHomeAnswer {
  readonly status: 204 | 400 | 401 | 403;
  /** Whose phone call it was, when it was accepted. */
  readonly machine?: HostName;
  /** Why it was not accepted, for the log. */
  readonly reason?: string;
}

export type BootEventSink = (event: BootEvent | BootRefusedEvent) => void;
