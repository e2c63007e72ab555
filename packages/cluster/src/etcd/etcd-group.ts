// etcd as a group: every member asked, who leads, and the changes of membership that need more than one of them.
import { LabwrightError } from '@labwright/core/errors/error';
import type { EtcdMemberFacts } from '@labwright/core/facts/cluster';
import type { Clock } from '@labwright/core/ports/clock';
import { type CallLimits, type EtcdLogin, type EtcdMemberAddress, type EtcdPeer } from './etcd-call.ts';
import {
  addMember,
  checkDecides,
  fetchMembers,
  fetchStatus,
  moveLeader,
  removeMember,
  type EtcdMember,
  type EtcdStatus,
} from './etcd-client.ts';
import { chooseNextLeader, judgeChange, type MembershipChange, type QuorumVerdict } from './quorum.ts';

export interface EtcdGroup {
  /** Where each control plane's member would answer, also those that are down. */
  readonly addresses: readonly EtcdMemberAddress[];
  readonly login?: EtcdLogin;
}

export interface GroupLimits extends CallLimits {
  readonly clock: Clock;
  /** How long a refusal that passes by itself is asked again. */
  readonly patienceMs?: number;
}

export interface EtcdGroupFacts {
  readonly members: readonly (EtcdMemberFacts & Pick<EtcdMember, 'peerUrls' | 'clientUrls'>)[];
  /** By member id: where it answered. */
  readonly peers: ReadonlyMap<string, EtcdPeer>;
  readonly statuses: ReadonlyMap<string, EtcdStatus>;
  readonly leader?: string;
}

/**
 * Asks every address at once. A member is healthy when it answered, knows a leader and has no alarm. Throws LW6031 when
 * nobody answers; when the group does not decide, the list is as those that answered know it.
 */
export async function fetchEtcdGroup(group: EtcdGroup, limits: CallLimits): Promise<EtcdGroupFacts> {
  const asked = await askAll(group, group.addresses, limits);
  const answers = answersOf(asked);
  const [first] = answers;
  if (first === undefined) throw nobodyAnswers(asked);
  const leader = mostNamed(answers.flatMap(({ status }) => status.leader ?? []));
  const best = answers.find(({ status }) => status.member === leader) ?? first;
  const listed = await fetchMembers(best.peer, limits);
  // Members that are in no blueprint any more say themselves where they answer.
  const known = new Set(answers.map(({ status }) => status.member));
  const tried = new Set(group.addresses.map(({ host, port }) => `${host}:${port}`));
  const others = listed.flatMap((member) => (known.has(member.id) ? [] : addressesOf(member)));
  const untried = others.filter(({ host, port }) => !tried.has(`${host}:${port}`));
  const all = [...answers, ...answersOf(await askAll(group, untried, limits))];
  const statuses = new Map(all.map(({ status }) => [status.member, status]));
  const names = new Map(
    group.addresses.flatMap(({ name, peerUrl }) => (peerUrl === undefined ? [] : [[peerUrl, name] as const])),
  );
  const members = listed.map((member) => ({
    ...member,
    // Until it starts for the first time etcd knows its URL only.
    name: member.name === '' ? (member.peerUrls.flatMap((url) => names.get(url) ?? [])[0] ?? '') : member.name,
    ...judgeHealth(statuses.get(member.id)),
  }));
  const peers = new Map(all.map(({ peer, status }) => [status.member, peer]));
  return { members, peers, statuses, ...(leader === undefined ? {} : { leader }) };
}

interface Answer {
  readonly peer: EtcdPeer;
  readonly status: EtcdStatus;
}

async function askAll(
  group: EtcdGroup,
  addresses: readonly EtcdMemberAddress[],
  limits: CallLimits,
): Promise<readonly PromiseSettledResult<Answer>[]> {
  const asked = await Promise.allSettled(
    addresses.map(async (address) => {
      const peer = peerAt(group, address);
      return { peer, status: await fetchStatus(peer, limits) };
    }),
  );
  limits.signal.throwIfAborted();
  return asked;
}

const answersOf = (asked: readonly PromiseSettledResult<Answer>[]): readonly Answer[] =>
  asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));

function addressesOf({ name, clientUrls }: EtcdMember): readonly EtcdMemberAddress[] {
  return clientUrls.slice(0, 1).flatMap((text) => {
    const url = URL.parse(text);
    return url === null ? [] : [{ name, host: url.hostname, port: Number(url.port) }];
  });
}

/** Of the one that did not answer there is nothing to say. */
function judgeHealth(status: EtcdStatus | undefined): Pick<EtcdMemberFacts, 'healthy' | 'problems'> {
  if (status === undefined) return { healthy: false };
  const problems = [...status.problems, ...(status.leader === undefined ? ['it knows no leader'] : [])];
  return problems.length === 0 ? { healthy: true } : { healthy: false, problems };
}

/**
 * Takes a member out for good, by the quorum rule: leadership moved off it first, the removal sent to another member, and
 * afterwards the group decides. A member that is gone already is no error. Throws LW6033 when the rule says no.
 */
export async function ensureMemberRemoved(
  group: EtcdGroup,
  name: string,
  limits: GroupLimits,
): Promise<'removed' | 'absent'> {
  return await whilePassing(limits, async () => await removeOnce(group, name, limits));
}

async function removeOnce(group: EtcdGroup, name: string, limits: CallLimits): Promise<'removed' | 'absent'> {
  const facts = await fetchEtcdGroup(group, limits);
  const member = facts.members.find((each) => each.name === name);
  if (member === undefined) return 'absent';
  assertAllowed(name, judgeChange(facts.members, { kind: 'remove', member: member.id }));
  await moveLeadershipFrom(facts, member.id, limits);
  const peer = anotherPeer(facts, member.id);
  try {
    await removeMember(peer, member.id, limits);
  } catch (error) {
    // Somebody else took it out meanwhile.
    if (!(error instanceof LabwrightError && error.code === 'LW6032' && /member not found/.test(error.why ?? '')))
      throw error;
  }
  await checkDecides(peer, limits);
  return 'removed';
}

/** Adds a voter by the quorum rule, unless one with that peer URL is there. Throws LW6033 when the rule says no. */
export async function ensureVoterAdded(
  group: EtcdGroup,
  { name, peerUrl }: { readonly name: string; readonly peerUrl: string },
  limits: GroupLimits,
): Promise<'added' | 'present'> {
  return await whilePassing(limits, async () => {
    const facts = await fetchEtcdGroup(group, limits);
    if (facts.members.some((member) => member.peerUrls.includes(peerUrl))) return 'present';
    assertAllowed(name, judgeChange(facts.members, { kind: 'add', as: 'voter' }));
    await addMember(anotherPeer(facts, ''), { peerUrl, as: 'voter' }, limits);
    return 'added';
  });
}

// etcd counts a connection only when it has lasted 5 s (HealthInterval in its server.go), and says so as "unhealthy cluster".
const passing = /unhealthy cluster|not leader|leader changed|no leader|request timed out|server stopped/;
const retryMs = 500;

/** A silence may be an election: whoever led is dead, and the others have not noticed. What was asked is looked at anew. */
function isPassingFailure({ code, why = '' }: LabwrightError): boolean {
  return code === 'LW6031' || (code === 'LW6032' && passing.test(why));
}

async function whilePassing<Result>(limits: GroupLimits, work: () => Promise<Result>): Promise<Result> {
  const { clock, signal, patienceMs = 30_000 } = limits;
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isPassing = error instanceof LabwrightError && isPassingFailure(error);
      if (!isPassing || clock.monotonic() > deadline) throw error;
      await clock.sleep(retryMs, signal);
    }
  }
}

/** Moves the leadership off a member that is about to stop. Nothing to do when it does not lead or is alone. */
export async function moveLeadershipFrom(facts: EtcdGroupFacts, member: string, limits: CallLimits): Promise<void> {
  const next = chooseNextLeader(facts.members, member);
  const leader = facts.peers.get(member);
  if (facts.leader !== member || next === undefined || leader === undefined) return;
  await moveLeader(leader, next.id, limits);
}

/** Throws LW6033. */
export function assertAllowed(name: string, verdict: QuorumVerdict): void {
  if (verdict.kind === 'allowed') return;
  throw new LabwrightError('LW6033', {
    what: `the etcd member of ${name} stays as it is`,
    where: { machine: name },
    why: verdict.why,
    fix: [verdict.fix],
  });
}

export function judgeMember(
  facts: { readonly members: readonly EtcdMemberFacts[] },
  name: string,
  kind: Exclude<MembershipChange['kind'], 'add'>,
): QuorumVerdict {
  const member = facts.members.find((each) => each.name === name);
  return member === undefined ? { kind: 'allowed' } : judgeChange(facts.members, { kind, member: member.id });
}

/** A healthy member other than the named one; the leader before others. */
export function anotherPeer(facts: EtcdGroupFacts, member: string): EtcdPeer {
  const others = facts.members.filter((each) => each.id !== member && each.healthy);
  const chosen = others.find((each) => each.id === facts.leader) ?? others[0];
  const peer = chosen === undefined ? undefined : facts.peers.get(chosen.id);
  if (peer !== undefined) return peer;
  throw new LabwrightError('LW6031', {
    what: 'no other member of etcd answers',
    why: 'a change of membership is asked of a member that stays',
    fix: ['bring another control plane back', 'labwright cluster status'],
  });
}

const peerAt = ({ login }: EtcdGroup, address: EtcdMemberAddress): EtcdPeer => ({
  address,
  ...(login === undefined ? {} : { login }),
});

function mostNamed(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([, one], [, other]) => other - one)[0]?.[0];
}

function nobodyAnswers(asked: readonly PromiseSettledResult<unknown>[]): LabwrightError {
  const reasons = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  return new LabwrightError('LW6031', {
    what: 'no member of etcd answers',
    why: reasons
      .map((reason) =>
        reason instanceof LabwrightError ? `${reason.where['member'] ?? ''}: ${reason.why ?? ''}` : String(reason),
      )
      .join('; '),
    fix: ['labwright cluster status', 'look whether the control planes run: labwright status'],
    cause: reasons[0],
  });
}
