// What the steps of a cluster's formation are given, and how long each may take.
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { invariant } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';
import type { EtcdGroup } from '../etcd/etcd-group.ts';
import type { ClusterPki } from '../pki/pki.ts';
import type { PkiVault } from '../pki/pki-vault.ts';
import type { ClusterDns, JobWorld } from './kubeadm-jobs.ts';
import type { OpenShell } from './shell.ts';

export interface FormationOptions {
  readonly blueprint: Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly vault: PkiVault;
  readonly openShell: OpenShell;
  /** With Labwright's own login; kept for as long as the login is good. */
  readonly connect: (pki: ClusterPki) => Promise<ClusterConnection>;
  /** Every control plane's member, with a login of ours. */
  readonly openEtcd: (pki: ClusterPki) => Promise<EtcdGroup>;
  readonly dns: (signal: AbortSignal) => Promise<ClusterDns>;
  /** Makes the resolver of pods answer, where it is not in the cluster, and gives the objects that lead to it. */
  readonly ensureResolver: (dns: ClusterDns, pki: ClusterPki) => Promise<readonly AppliedObject[]>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export const minuteMs = 60_000;
export const limits = {
  jobMs: 15 * minuteMs,
  /** A machine's network may be gone for this long in the middle. */
  silenceMs: 3 * minuteMs,
  shellMs: 30_000,
  answerMs: 8 * minuteMs,
  answerAgainMs: 2_000,
  /** An API server that a cut-off formation left is up by then, or is undone. */
  unfinishedMs: 1.5 * minuteMs,
  /** How long nobody answers until etcd is asked why. */
  etcdAgainMs: 15_000,
  etcdMs: 5_000,
  lentMs: 6 * minuteMs,
  rangeMs: 5_000,
  tokenMs: 15 * minuteMs,
  readyMs: 10 * minuteMs,
} as const;

export function jobWorld({ blueprint, cluster, clock }: FormationOptions, pki: ClusterPki): JobWorld {
  return { blueprint, cluster, pki, now: clock.now() };
}

export function machineOf({ blueprint }: FormationOptions, name: string): MachineBlueprint {
  const machine = [...blueprint.machines, ...(blueprint.spares ?? [])].find((each) => each.name === name);
  invariant(machine !== undefined, `${name} is in the blueprint`);
  return machine;
}
