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
  exposures: '/v1/exposures',
  /** With the name below it. */
  why: '/v1/why',
  routerDiff: '/v1/router/diff',
  /** POST, because what it gives is not for everybody. */
  routerBackup: '/v1/router/backup',
  /** POST with `adoptRequest`. */
  routerAdopt: '/v1/router/adopt',
  /** POST with `restoreRequest`. */
  routerRestore: '/v1/router/restore',
} as const;

/** Header of a request: the digest of the lab file that whoever asks has read. */
export const labDigestHeader = 'x-labwright-lab';

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
  /** Its members, and control planes of the lab that are none; absent before there was a cluster. */
  readonly etcd?: readonly EtcdMemberStatus[];
}

export interface EtcdMemberStatus {
  /** Of its machine; an id in hexadecimal for one of no machine that is known. */
  readonly name: string;
  /** 'absent': a control plane of the lab that is no member. */
  readonly state: 'well' | 'unwell' | 'silent' | 'absent';
  /** A learner has no vote yet; null for what is no member, and while no member says who is one. */
  readonly role: 'voter' | 'learner' | null;
  /** What is wrong, in etcd's words where it has some. */
  readonly why: string | null;
  /** The way out, where there is one to name. */
  readonly fix: string | null;
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

export interface RouterStatus {
  readonly name: string;
  readonly address: string;
  readonly manage: readonly string[];
  /** Null when it does not answer. */
  readonly version: string | null;
  /**
   * 'not kept': nobody keeps it, because no service runs; 'capped': written as often as an hour may have, names are live;
   * 'held': another Labwright writes to it; 'away': it does not answer.
   */
  readonly standing:
    | 'in step'
    | 'being written'
    | 'capped'
    | 'held'
    | 'failing'
    | 'read-only'
    | 'not managed'
    | 'not kept'
    | 'away';
  readonly words: string | null;
}

/** Something exposed, or refused. */
export interface ExposureStatus {
  /** "Service default/web" */
  readonly object: string;
  /** "web.svc, www.svc"; "-" without one. */
  readonly name: string;
  readonly address: string;
  /** "80, 443", "53/UDP" */
  readonly port: string;
  /** Where connections end: "node1:30080, node2:30080", "MetalLB". */
  readonly endsAt: string;
  readonly state: 'answers' | 'refused' | 'silent' | 'not tried' | 'no backend' | 'no address' | 'not exposed';
  /** Of what is not exposed or not whole: why, and the way out. */
  readonly words: string | null;
}

export interface ExposuresAnswer {
  readonly asOf: number;
  readonly exposures: readonly ExposureStatus[];
  /** Where names, addresses and balancers are put, and how far each is. */
  readonly ends: readonly {
    readonly name: string;
    readonly state: 'in step' | 'behind';
    readonly why: string | null;
  }[];
  /** Absent for a lab whose router is not managed. */
  readonly router?: RouterStatus;
}

export interface WhyAnswer {
  readonly name: string;
  readonly verdict: string;
  readonly hops: readonly {
    readonly hop: string;
    readonly state: 'ok' | 'fails' | 'unknown';
    readonly words: string;
    readonly fix: string | null;
  }[];
}

export interface RouterDifference {
  readonly change: 'add' | 'change' | 'remove';
  /** "unbound/hosts" */
  readonly place: string;
  readonly subject: string;
  /** Why it was taken back after it was written (LW8010); null where it was not. */
  readonly why: string | null;
}

export interface RouterDiffAnswer {
  readonly router: string;
  readonly version: string;
  readonly differences: readonly RouterDifference[];
  /** Entries that stay as they are, and why. */
  readonly conflicts: readonly { readonly place: string; readonly entry: string; readonly why: string }[];
  /** Whether what the cluster exposes was compared as well. */
  readonly hasExposures: boolean;
}

/** config.xml with keys and password hashes: it goes over the owner's socket and into their file, nowhere else. */
export interface RouterBackupAnswer {
  readonly router: string;
  readonly version: string;
  /** SHA-256 of the text, as the router told it. */
  readonly hash: string;
  readonly text: string;
}

export interface RouterAdoptAnswer {
  readonly router: string;
  readonly place: string;
  /** The person's entry as it is, and as it will be. */
  readonly before: string;
  readonly after: string;
  /** Of the two as a whole, what is not shown of them as well. */
  readonly hash: string;
  /** Whether it was done; otherwise it was only looked at. */
  readonly isDone: boolean;
}

const agreedTo = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .optional();

/** `agreedTo`: the hash of what a person was shown; absent: only looks. */
export const adoptRequest = z.strictObject({ name: z.string().min(1).max(253), agreedTo });
export type RouterAdoptRequest = z.infer<typeof adoptRequest>;

/** A backup for a router. Names only, of its sections, settings and entries: values may be secret. */
export interface RouterRestoreAnswer {
  readonly router: string;
  readonly version: string;
  /** When the backup was made, in milliseconds since 1970 UTC; null where it does not say. */
  readonly madeAt: number | null;
  /** Of the configuration that is compared with the backup. */
  readonly hash: string;
  /** By section: what comes with the backup, becomes as it is there, and goes. */
  readonly sections: readonly {
    readonly section: string;
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  }[];
  /** Sections, or parts of them, that the router takes up when it is rebooted. */
  readonly afterReboot: readonly string[];
  /** What its owner should know before. */
  readonly notes: readonly string[];
  /** What was done; absent when it was only looked at. */
  readonly done?: {
    /** What did not take it up at once, and why. */
    readonly failed: Readonly<Record<string, string>>;
    /** Sections that somebody changed in the very moment of the write. */
    readonly slipped: readonly string[];
    /** The router's own backup of what was there before. */
    readonly ownBackup: string;
  };
}

/** `agreedTo`: the hash of the configuration that a person was shown the differences to; absent: only looks. */
export const restoreRequest = z.strictObject({ text: z.string().max(32 * 1024 * 1024), agreedTo });
export type RouterRestoreRequest = z.infer<typeof restoreRequest>;

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
  /** Absent for a lab without one, or without a login for it. */
  readonly router?: RouterStatus;
  /** Why a machine is not healed, with the way out, as `serve` saw it last; absent when nothing waits for a person. */
  readonly waits?: readonly string[];
}
