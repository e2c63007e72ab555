// What goes over the socket between a command and the Labwright that runs: shapes and paths. Browser-safe.
import * as z from 'zod';

export const paths = {
  status: '/v1/status',
  /** POST makes one; GET with an id below gives a saved one. */
  plan: '/v1/plan',
  runs: '/v1/runs',
  events: '/v1/events',
  /** POST makes a new one each time. */
  clusterLogin: '/v1/cluster/login',
  clusterCertificates: '/v1/cluster/certificates',
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
  /** A machine given up and made anew; `hostIsOff` is a person's word that its silent host does not run it any more. */
  z.strictObject({ kind: z.literal('replace'), machine: z.string(), hostIsOff: z.boolean() }),
  /** A node emptied of its pods. */
  z.strictObject({ kind: z.literal('drain'), machine: z.string() }),
  /** Every machine of the cluster brought to the lab file's version of Kubernetes. */
  z.strictObject({ kind: z.literal('upgrade') }),
  z.strictObject({ kind: z.literal('snapshot'), reason: z.enum(['asked', 'scheduled']) }),
  /** etcd put back to a snapshot; `file` is absolute. */
  z.strictObject({ kind: z.literal('restore'), file: z.string() }),
  /** Certificates of control planes that end within 30 days. */
  z.strictObject({ kind: z.literal('renew') }),
  /** What heals by itself, done now. */
  z.strictObject({ kind: z.literal('heal') }),
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

export interface NodeStatus {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly state: 'ready' | 'not-ready' | 'unknown' | 'absent';
  /** The kubelet's own words for one that is not ready. */
  readonly why: string | null;
  readonly version: string | null;
  readonly isSchedulable: boolean;
}

export interface ClusterStatus {
  /** "10.1.0.10:6443" */
  readonly endpoint: string;
  readonly name: string;
  /** Of the API server that answered; null when none does. */
  readonly version: string | null;
  /** Of the lab file. */
  readonly wantedVersion: string;
  /** Why nobody answers. */
  readonly why: string | null;
  /** The lab file's, and those the cluster has besides. */
  readonly nodes: readonly NodeStatus[];
}

/** A login for a person. Holds a private key: it goes over the owner's socket and into their file, nowhere else. */
export interface ClusterLoginAnswer {
  readonly cluster: string;
  readonly endpoint: string;
  /** The name in the certificate. */
  readonly serverName: string;
  readonly user: string;
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** Milliseconds since 1970 UTC. */
  readonly expiresAt: number;
}

export interface CertificateStatus {
  /** "the cluster's keys", or the control plane. */
  readonly place: string;
  readonly name: string;
  /** Milliseconds since 1970 UTC. */
  readonly expiresAt: number;
  readonly isAuthority: boolean;
}

export interface CertificatesStatus {
  readonly asOf: number;
  readonly certificates: readonly CertificateStatus[];
  /** Control planes that could not be asked, and why. */
  readonly silent: readonly { readonly name: string; readonly why: string }[];
}

/** A service outside the cluster. */
export interface OutsideServiceStatus {
  readonly name: string;
  /** "10.1.0.20:3306" */
  readonly place: string;
  /** 'stranger': something else answers there. */
  readonly state: 'well' | 'refuses' | 'unreachable' | 'stranger';
  /** Its version when it is well and tells it, otherwise why it is not. */
  readonly words: string | null;
}

export interface LabStatus {
  readonly lab: string;
  readonly version: string;
  /** Milliseconds since 1970 UTC. */
  readonly asOf: number;
  readonly hosts: readonly HostStatus[];
  readonly machines: readonly MachineStatus[];
  /** Absent for a lab without one. */
  readonly cluster?: ClusterStatus;
  /** Those outside the cluster; absent for a lab without any. */
  readonly services?: readonly OutsideServiceStatus[];
}
