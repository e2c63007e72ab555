// What machines said of themselves when they phoned home, and how their VMs are, as far as healing wants to know.
import type { HostName, VmId } from '../addresses/names.ts';

export interface MachineReport {
  readonly name: HostName;
  /** The generation that is installed on its disk. */
  readonly generation: number;
  /** New with every boot of the machine. */
  readonly bootId: string;
  /** Its SSH host key, one line as in known_hosts: "ssh-ed25519 AAAA…". */
  readonly sshHostKey: string;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
}

export interface MachineFacts {
  readonly reports: readonly MachineReport[];
}

/** How a machine's VM is. */
export type MachineCondition =
  | { readonly kind: 'running'; readonly disk: DiskCondition }
  /** `by` somebody (a person, a plan, its host going down in order: a task of Proxmox says so), or by itself. */
  | { readonly kind: 'stopped'; readonly by: 'itself' | 'somebody'; readonly disk: DiskCondition }
  /** No host has its VM ID. */
  | { readonly kind: 'absent' }
  /** Its host does not answer. Whether it still runs there is known only of a host that was seen off. */
  | { readonly kind: 'unreachable'; readonly host: HostName; readonly power: 'off' | 'unknown' }
  /** Not ours, locked, or in the middle of something: not to be touched now. */
  | { readonly kind: 'untouchable'; readonly why: string };

export type DiskCondition = 'there' | 'gone' | 'unknown';

export type MachineConditions = ReadonlyMap<VmId, MachineCondition>;
