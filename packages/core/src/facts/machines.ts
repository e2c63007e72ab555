// What machines said of themselves when they phoned home.
import type { HostName } from '../addresses/names.ts';

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
