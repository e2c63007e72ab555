// Whether etcd's membership may change now. Pure; every removal, replacement and drain of a control plane asks here first.
import type { EtcdMemberFacts } from '@labwright/core/facts/cluster';

/*
 * A group of n voters decides as long as floor(n/2)+1 of them answer. A change is allowed when that still holds after it,
 * with everything that is uncertain counted against us:
 *
 *   voters after the change - unhealthy ones after it  >=  floor(voters after / 2) + 1
 *
 *   - the group decides now, or it cannot decide about itself either
 *   - a member that joins counts as an unhealthy voter: it has to catch up, and may never start. One voter alone is the
 *     exception, as it is etcd's own: it cannot grow otherwise before learners (kubeadm uses them since 1.29)
 *   - no learner is pending: it would become a voter in the middle of our change
 *   - one change at a time, and the last voter is never removed
 */

export type MembershipChange =
  | { readonly kind: 'add'; readonly as: 'voter' | 'learner' }
  /** For good, by the member's id. */
  | { readonly kind: 'remove'; readonly member: string }
  /** Stops answering for a while and comes back: a restart, an upgrade. */
  | { readonly kind: 'pause'; readonly member: string };

export type QuorumVerdict =
  | { readonly kind: 'allowed' }
  | {
      readonly kind: 'refused';
      readonly why: string;
      /** Nothing but time or the repair of another member is missing. */
      readonly fix: string;
    };

const allowed: QuorumVerdict = { kind: 'allowed' };

/** How many voters have to answer for anything to be decided. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

export function judgeChange(members: readonly EtcdMemberFacts[], change: MembershipChange): QuorumVerdict {
  const learners = members.filter((member) => member.learner);
  const voters = members.filter((member) => !member.learner);
  const target = change.kind === 'add' ? undefined : members.find((member) => member.id === change.member);
  if (change.kind !== 'add' && target === undefined) return refuse(`etcd has no member ${change.member}`, lookAgain);

  // A learner has no vote, so its removal takes none away; it is also the way out when one never caught up.
  const now = judgeNumbers(voters.length, countUnhealthy(voters), 'now');
  if (change.kind === 'remove' && target?.learner === true) return now;
  const [pending] = learners;
  if (pending !== undefined) {
    return refuse(
      `${nameOf(pending)} is a learner: it would get its vote in the middle of this change`,
      'wait until it has caught up, or remove it if its machine is gone',
    );
  }
  if (voters.length === 0) return refuse('etcd named no voter', lookAgain);
  // The last one is named as such, whatever its health: the way out is another.
  if (change.kind === 'remove' && voters.length === 1) {
    return refuse(`${nameOf(voters[0])} is the last voter, and all data with it`, keepLast);
  }
  if (change.kind !== 'pause' && now.kind === 'refused') return now;
  switch (change.kind) {
    case 'add':
      if (change.as === 'learner' || voters.length === 1) return allowed;
      return judgeNumbers(voters.length + 1, countUnhealthy(voters) + 1);
    case 'remove':
      return judgeNumbers(voters.length - 1, countUnhealthy(voters.filter((voter) => voter !== target)));
    case 'pause':
      // A single control plane has nobody to stand in for it: it is down while it restarts, and nothing is lost by that.
      if (voters.length === 1) return allowed;
      return judgeNumbers(voters.length, countUnhealthy(voters.filter((voter) => voter !== target)) + 1);
  }
}

/** Who takes the leadership before `leaving` goes: a healthy voter, the same one whenever it is asked. */
export function chooseNextLeader(members: readonly EtcdMemberFacts[], leaving: string): EtcdMemberFacts | undefined {
  return members
    .filter((member) => member.id !== leaving && member.healthy && !member.learner)
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))[0];
}

/** Fewer than three voters survive no loss; said wherever a single one more or less matters. */
export function toleratedLosses(voters: number): number {
  return voters - quorumOf(voters);
}

function judgeNumbers(voters: number, unhealthy: number, when: 'now' | 'after it' = 'after it'): QuorumVerdict {
  const answering = voters - unhealthy;
  const needed = quorumOf(voters);
  if (answering >= needed) return allowed;
  const count = (number: number): string => (number === 1 ? '1 voter' : `${number} voters`);
  return refuse(
    when === 'now'
      ? `etcd has ${count(voters)} of which ${answering} answer, and ${needed} must before it can decide anything`
      : `after it etcd would have ${count(voters)} of which ${answering} surely answer, and ${needed} must`,
    unhealthy === 0 ? 'add a control plane first' : 'bring the members back that do not answer',
  );
}

const lookAgain = 'look again: labwright cluster status';
const keepLast = 'add another control plane first; the last one is never removed';

const countUnhealthy = (members: readonly EtcdMemberFacts[]): number =>
  members.filter((member) => !member.healthy).length;

function nameOf(member: EtcdMemberFacts | undefined): string {
  if (member === undefined) return 'a member';
  return member.name === '' ? `the member ${member.id}, which has never started,` : member.name;
}

const refuse = (why: string, fix: string): QuorumVerdict => ({ kind: 'refused', why, fix });
