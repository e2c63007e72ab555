// A voter that was added and never started. With one founder it stops everything: of two voters both have to answer, so nothing is
// decided any more, not even that the new one goes.
//
//   1 voter ──member add──▶ 2 voters, 1 answers ──its etcd starts──▶ 2 of 2
//                             │  kubeadm ended in between: it gives etcd 2 s to answer, and the power may be cut
//                             ╰──lent for a moment (guest/voter.sh)──▶ 2 of 2 ──member remove──▶ 1 of 1, as before
import { LabwrightError } from '@labwright/core/errors/error';
import type { CallLimits } from './etcd-call.ts';
import { checkDecides } from './etcd-client.ts';
import { fetchEtcdGroup, type EtcdGroup } from './etcd-group.ts';

export interface PendingVoter {
  readonly peerUrl: string;
  /** The others, for --initial-cluster: "node101=https://10.1.1.1:2380,…". */
  readonly others: readonly string[];
  /** The group decides: it is lent at this moment, and nobody took it out yet. */
  readonly runs: boolean;
}

/** The name of one that is lent. What has it and does not run was cut off in the middle, and its data is on its machine. */
export const lentName = (machine: string): string => `${machine}.lent`;

/**
 * The one that the group waits for; undefined while it decides without it, and when nobody answers at all. A machine that
 * is about to start its member by itself looks the same from here.
 */
export async function findPendingVoter(group: EtcdGroup, limits: CallLimits): Promise<PendingVoter | undefined> {
  try {
    const { members, peers } = await fetchEtcdGroup(group, limits);
    // A member tells its client URLs when it starts for the first time.
    const lent = members.find(({ name }) => name.endsWith(lentName('')));
    const pending = lent ?? members.find(({ learner, clientUrls }) => !learner && clientUrls.length === 0);
    const peerUrl = pending?.peerUrls[0];
    const [peer] = peers.values();
    if (peerUrl === undefined || peer === undefined) return undefined;
    const runs = await decides(async () => await checkDecides(peer, limits), limits);
    if (runs && lent === undefined) return undefined;
    const others = members.flatMap(({ name, peerUrls: [url] }) =>
      url === undefined || url === peerUrl ? [] : [`${name}=${url}`],
    );
    return { peerUrl, others, runs };
  } catch (error) {
    limits.signal.throwIfAborted();
    if (isSilence(error)) return undefined;
    throw error;
  }
}

async function decides(check: () => Promise<void>, { signal }: CallLimits): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (isSilence(error)) return false;
    throw error;
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof LabwrightError && (error.code === 'LW6031' || error.code === 'LW6032');
