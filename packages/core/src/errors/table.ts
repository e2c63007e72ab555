// Every error a user can meet, one row each. docs/errors.md is held equal to this table by a test.

/** Decides exit code, colour and whether a retry can help. */
export type ErrorKind =
  | 'config'
  | 'usage'
  | 'unreachable'
  | 'denied'
  | 'refused'
  | 'conflict'
  | 'timeout'
  | 'environment'
  | 'interrupted'
  | 'bug';

export interface ErrorRow {
  readonly kind: ErrorKind;
  readonly title: string;
}

const row = (kind: ErrorKind, title: string): ErrorRow => ({ kind, title });

/**
 * LW0xxx this program and this computer, LW1xxx the lab file, LW2xxx hypervisors, LW3xxx network boot,
 * LW4xxx images and artifacts, LW5xxx plan and engine, LW6xxx the cluster,
 * LW7xxx services and the NAS, LW8xxx the router, LW9xxx rehearsal.
 */
export const errorTable = {
  LW0001: row('bug', 'Labwright met a case it was not written for'),
  LW0002: row('usage', 'the command line could not be understood'),
  LW0003: row('interrupted', 'the work was interrupted'),
  LW0004: row('environment', 'a program that is needed is missing'),
  LW0005: row('environment', 'a file or folder could not be read or written'),
  LW0006: row('environment', 'a program that Labwright started failed'),
  LW0007: row('environment', 'more privileges are needed'),
  LW0008: row('environment', 'an address or port is in use'),
  LW0009: row('unreachable', 'the running Labwright does not answer'),
  LW1001: row('config', 'the lab file could not be read'),
  LW1002: row('config', 'the lab file has problems'),
  LW1003: row('config', 'a secret could not be read'),
  LW1004: row('config', 'the lab file has no part that the command is about'),
  LW2001: row('unreachable', 'a Proxmox host does not answer'),
  LW2002: row('denied', 'Proxmox refused the login'),
  LW2003: row('denied', 'the Proxmox login lacks a privilege'),
  LW2004: row('refused', 'Proxmox refused a call'),
  LW2005: row('refused', 'a Proxmox task failed'),
  LW2006: row('timeout', 'a Proxmox task did not end in time'),
  LW2007: row('denied', 'the certificate of a Proxmox host is not the one known'),
  LW2008: row('conflict', 'a virtual machine in our range is not ours'),
  LW2009: row('refused', 'Proxmox gave an answer Labwright does not understand'),
  LW2010: row('refused', 'there is no room for a machine'),
  LW2011: row('refused', 'a machine cannot be changed in place'),
  LW3001: row('timeout', 'a machine did not become ready'),
  LW3002: row('refused', 'a boot request was refused'),
  LW3003: row('unreachable', 'a machine does not answer over SSH'),
  LW3004: row('denied', 'a machine and its SSH login do not accept each other'),
  LW3005: row('environment', 'this computer does not have the address that network boot answers from'),
  LW4001: row('refused', 'a download does not have the checksum it should have'),
  LW4002: row('environment', 'an image could not be built'),
  LW4003: row('refused', 'no source has this version of Kubernetes'),
  LW4004: row('refused', 'no source has a container image of this version of Kubernetes'),
  LW5001: row('conflict', 'the lab has moved since this plan was made'),
  LW5002: row('refused', 'a step failed'),
  LW5003: row('conflict', 'another Labwright is changing this lab'),
  LW5004: row('conflict', 'the Labwright that serves goes by another lab file'),
  LW6001: row('unreachable', "the cluster's API does not answer"),
  LW6002: row('denied', 'the cluster refused the login'),
  LW6003: row('denied', "the certificate at the API's address is not the cluster's"),
  LW6004: row('refused', 'the cluster refused a call'),
  LW6005: row('conflict', 'an object of the cluster changed meanwhile'),
  LW6006: row('refused', 'the cluster gave an answer Labwright does not understand'),
  LW6007: row('refused', 'a node cannot be drained'),
  LW6008: row('timeout', 'a drain did not end in time'),
  LW6010: row('config', 'the keys of the cluster could not be opened'),
  LW6011: row('conflict', 'a machine belongs to another cluster'),
  LW6012: row('refused', 'kubeadm failed on a machine'),
  LW6013: row('timeout', 'a machine did not join the cluster in time'),
  LW6014: row('refused', 'the lab has no cluster yet'),
  LW6031: row('unreachable', 'etcd does not answer'),
  LW6032: row('refused', 'etcd refused a call'),
  LW6033: row('refused', 'a change would cost etcd its quorum'),
  LW6034: row('refused', 'a snapshot of etcd does not verify'),
  LW6035: row('refused', 'the cluster cannot be upgraded or added to like that'),
  LW6036: row('refused', 'work on a machine of the cluster failed'),
  LW7001: row('environment', 'no helm was found that serves this cluster'),
  LW7002: row('unreachable', 'a chart could not be fetched'),
  LW7003: row('refused', 'a chart could not be installed, upgraded or removed'),
  LW7004: row('conflict', 'something in the cluster has a name of ours and is not ours'),
  LW7005: row('refused', 'a chart does not serve this version of Kubernetes'),
  LW7006: row('refused', 'an export of a NAS cannot be mounted'),
  LW7007: row('refused', 'the exports of a NAS could not be written'),
  LW8001: row('unreachable', 'the router does not answer'),
  LW8002: row('denied', 'the router refused the login'),
  LW8003: row('denied', 'the certificate of the router is not the one known'),
  LW8004: row('refused', 'the router refused a call'),
  LW8005: row('refused', 'the router gave an answer Labwright does not understand'),
  LW8006: row('refused', 'this version of the router is only read'),
  LW8007: row('conflict', "the router's configuration changed meanwhile"),
  LW8008: row('conflict', 'something on the router stands where ours should be'),
  LW8009: row('config', 'a name or an address cannot be given on the router'),
  LW8010: row('refused', 'a change on the router did not hold and was taken back'),
  LW8011: row('refused', 'the router was written to as often as an hour may have'),
  LW8012: row('refused', 'the file is no backup that this router can be restored from'),
  LW8013: row('refused', 'HAProxy does not run on the router'),
  LW9001: row('environment', 'the rehearsal could not start'),
  LW9002: row('usage', 'no rehearsal is running'),
  LW9003: row('usage', 'a rehearsal is already running'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;
