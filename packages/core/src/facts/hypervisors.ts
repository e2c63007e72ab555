// What was seen on the hypervisors: from where and as of when. Observers fill it in, planners only read it.
import type { HostName, VmId } from '../addresses/names.ts';

export interface HypervisorFacts {
  /** Milliseconds since 1970 UTC. */
  readonly asOf: number;
  readonly hosts: readonly HostFacts[];
  /** Every guest of the cluster, ours or not. */
  readonly vms: readonly VmFacts[];
}

export interface HostFacts {
  readonly name: HostName;
  readonly online: boolean;
  readonly version: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly memoryUsedMiB: number;
}

export interface VmFacts {
  readonly vmId: VmId;
  /** Where it runs now: placement, not identity. */
  readonly host: HostName;
  readonly name: string;
  readonly status: 'running' | 'stopped' | 'unknown';
  /** What it may use, as the host accounts for it. */
  readonly cores: number;
  readonly memoryMiB: number;
  readonly tags: readonly string[];
  /** Read for guests in our range of VM IDs only; undefined for the rest and on a host that is down. */
  readonly config?: VmConfigFacts;
}

export interface VmConfigFacts {
  readonly description: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  readonly macs: readonly string[];
  readonly firmware: 'bios' | 'uefi';
  /** What the firmware tries first. */
  readonly bootFirst: 'disk' | 'network';
  readonly lock?: string;
}
