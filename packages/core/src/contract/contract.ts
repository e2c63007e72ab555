// What goes over the socket between a command and the Labwright that runs: shapes and paths. Browser-safe.
import * as z from 'zod';

export const paths = {
  status: '/v1/status',
  plan: '/v1/plan',
  runs: '/v1/runs',
  events: '/v1/events',
} as const;

export const planRequest = z.strictObject({});

export const runRequest = z.strictObject({
  /** A saved plan to apply exactly; without it the lab is planned anew. */
  plan: z.string().optional(),
});
export type RunRequest = z.infer<typeof runRequest>;

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
