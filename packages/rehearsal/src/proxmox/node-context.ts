// One emulated host as its calls see it: its part of the cluster, and the ports to files, guests and time.
import type { Access } from './access.ts';
import type { Broadcast } from './broadcast.ts';
import type { Clock } from './clock.ts';
import type { Faults } from './fault.ts';
import type { Guests } from './guest.ts';
import type { HostLocks } from './lock.ts';
import type { ClusterFiles } from './pmxcfs.ts';
import type { PrivilegeCheck } from './permissions.ts';
import type { Tasks } from './task.ts';
import type { HostTopology, Topology } from './topology.ts';
import type { Volumes } from './volume.ts';

export interface NodeContext {
  readonly topology: Topology;
  readonly host: HostTopology;
  readonly clock: Clock;
  readonly files: ClusterFiles;
  readonly access: Access;
  readonly locks: HostLocks;
  readonly tasks: Tasks;
  readonly guests: Guests;
  readonly volumes: Volumes;
  readonly faults: Faults;
  readonly broadcast: Broadcast;
  /** SHA-256 of the host's certificate, colon-separated, as lists show it. */
  readonly fingerprint: string;
  readonly startedAtSeconds: number;
}

/** Who asks, and what they may do. */
export interface Caller {
  readonly user: string;
  readonly kind: 'ticket' | 'token' | 'anonymous';
  readonly privileges: PrivilegeCheck;
}
