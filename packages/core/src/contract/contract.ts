// What goes over the socket between a command and the Labwright that runs: shapes and paths. Browser-safe.
import * as z from 'zod';

export const paths = {
  status: '/v1/status',
  plan: '/v1/plan',
  runs: '/v1/runs',
  events: '/v1/events',
} as const;

/** What a plan is for. Names are machines of the lab file. */
export const intentSchema = z.discriminatedUnion('kind', [
  /** As the lab file says. */
  z.strictObject({ kind: z.literal('up') }),
  /** Every machine shut down, nothing lost. */
  z.strictObject({ kind: z.literal('down') }),
  /** Machines removed with their disks. */
  z.strictObject({ kind: z.literal('destroy'), machines: z.array(z.string()).min(1) }),
  /** A machine's disk provisioned anew. */
  z.strictObject({ kind: z.literal('rebuild'), machine: z.string() }),
]);
export type Intent = z.infer<typeof intentSchema>;

/** The saved plan to apply exactly. */
export const runRequest = z.strictObject({ plan: z.string() });

export interface MachineStatus {
  readonly name: string;
  readonly vmId: number;
  readonly address: string;
  readonly pool: string;
  /** Where it runs, when it exists. */
  readonly host: string | null;
  readonly state: 'absent' | 'foreign' | 'stopped' | 'starting' | 'ready' | 'unknown';
}

export interface HostStatus {
  readonly name: string;
  readonly online: boolean;
  readonly version: string;
  readonly memoryMiB: number;
  readonly memoryUsedMiB: number;
}

export interface LabStatus {
  readonly lab: string;
  readonly version: string;
  /** Milliseconds since 1970 UTC. */
  readonly asOf: number;
  readonly hosts: readonly HostStatus[];
  readonly machines: readonly MachineStatus[];
}
