// What is known of the cluster: by its API server when that answers, and otherwise why it does not.
import type { KubernetesVersion } from '../addresses/kubernetes-version.ts';
import type { HostName } from '../addresses/names.ts';
import type { ClusterRole } from '../blueprint/blueprint.ts';

export type ClusterFacts =
  /** Its API server does not answer: it was never formed, or it is down. Which one is told by its machines' disks. */
  | {
      readonly kind: 'silent';
      readonly why: string;
      /** There are keys of a cluster, or ones that cannot be read: it may have been formed. */
      readonly hasKeys: boolean;
      /** Of the members that could be asked over SSH; one that is off or new is not among them. */
      readonly disks: readonly DiskFacts[];
      /** etcd's members; empty when none answers, undefined before there was a cluster. */
      readonly members?: readonly EtcdMemberFacts[];
      readonly asOf: number;
    }
  | {
      readonly kind: 'answers';
      /** Of the API server that answered. */
      readonly version: KubernetesVersion;
      readonly nodes: readonly NodeFacts[];
      /** Of the members without a ready node and of control planes, as far as they had to be asked over SSH and could be. */
      readonly disks: readonly DiskFacts[];
      /** Which of our own objects it has, as a digest of all of them (formation/cluster-objects.ts); undefined before the first. */
      readonly settled?: string;
      /** etcd's members; undefined when no control plane lets us ask. */
      readonly members?: readonly EtcdMemberFacts[];
      readonly asOf: number;
    };

/**
 * 'member' of this lab's cluster, 'foreign' of another; 'begun': kubeadm was begun on it and did not end well; 'busy': it is being
 * run there.
 */
export type DiskState = 'blank' | 'begun' | 'busy' | 'member' | 'foreign';

/** What a machine's own disk says of it. */
export interface DiskFacts {
  readonly name: HostName;
  readonly state: DiskState;
}

export interface NodeFacts {
  readonly name: HostName;
  readonly role: ClusterRole;
  readonly ready: 'ready' | 'not-ready' | 'unknown';
  /** The kubelet's own words for a node that is not ready. */
  readonly why?: string;
  readonly kubelet: KubernetesVersion;
  /** Cordoned: no new pods. */
  readonly schedulable: boolean;
  /** Joined and marked by us; nodes without our label are never drained, changed or deleted. */
  readonly ours: boolean;
  readonly bootId: string;
}

export interface EtcdMemberFacts {
  /** Hexadecimal, as etcdctl writes it. */
  readonly id: string;
  /** The node's name under kubeadm; empty for one that has never started and is at no machine of the lab. */
  readonly name: string;
  readonly learner: boolean;
  readonly healthy: boolean;
  /** Of one that answers and is not healthy: alarms and the like. */
  readonly problems?: readonly string[];
}
