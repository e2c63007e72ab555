// What happens between a machine's first DHCP packet and its answer over SSH, one event a step.
import type { HostName } from '../addresses/names.ts';

/**
 *   offered → loader → script → kernel → started → installing → installed → ready
 *      └──────────┴───────┴────────┴────────┴──────────┴── stalled (and on again when it goes on)
 *                                            └──────────┴── refused
 */
export type BootStage =
  /** DHCP offered it an address and a boot file; in mode 'router', it asked the router or us for one. */
  | 'offered'
  /** The firmware fetches a boot loader (UEFI and plain PXE only; a NIC with iPXE in its ROM needs none). */
  | 'loader'
  /** iPXE fetched its script. */
  | 'script'
  /** Kernel and initramfs are being fetched. */
  | 'kernel'
  /** Our initramfs runs. */
  | 'started'
  /** It partitions and fills the disk; the detail says which part. */
  | 'installing'
  /** The marker is on the disk; it goes on to the installed system. */
  | 'installed'
  /** The installed system phoned home with its host key. */
  | 'ready'
  /** Our initramfs will not touch this disk; the detail says why. Nothing more comes of this boot. */
  | 'refused'
  /** Nothing came for longer than usual; the detail says where it stopped and the likely reason. */
  | 'stalled';

export interface BootEvent {
  readonly type: 'boot';
  readonly at: number;
  readonly machine: HostName;
  /** The boot session; absent when an installed machine boots from its disk without asking us. */
  readonly session?: string;
  readonly stage: BootStage;
  /** In a person's words, for the end of a line: "fetched snponly.efi (UEFI x64)". */
  readonly detail: string;
}

/** A packet or request that was not served, and why. Never names a secret. */
export interface BootRefusedEvent {
  readonly type: 'boot-refused';
  readonly at: number;
  readonly protocol: 'dhcp' | 'pxe' | 'tftp' | 'http';
  readonly peer: string;
  readonly reason: string;
}
