import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EtcdMemberFacts } from '@labwright/core/facts/cluster';
import { chooseNextLeader, judgeChange, quorumOf, toleratedLosses, type MembershipChange } from './quorum.ts';

const makeMembers = (voters: readonly boolean[], learners: readonly boolean[] = []): EtcdMemberFacts[] => [
  ...voters.map((healthy, at) => ({ id: `a${at}`, name: `node${at}`, learner: false, healthy })),
  ...learners.map((healthy, at) => ({ id: `b${at}`, name: `learner${at}`, learner: true, healthy })),
];

/** Every group of up to seven voters, each healthy or not. */
const groups = Array.from({ length: 7 }, (_, at) => at + 1).flatMap((size) =>
  Array.from({ length: 2 ** size }, (_, bits) =>
    makeMembers(Array.from({ length: size }, (_, at) => (bits >> at) % 2 === 1)),
  ),
);

const answering = (members: readonly EtcdMemberFacts[]): number =>
  members.filter((each) => each.healthy && !each.learner).length;

const decides = (members: readonly EtcdMemberFacts[]): boolean => answering(members) >= quorumOf(members.length);

test('quorum and losses as etcd counts them', () => {
  expect([1, 2, 3, 4, 5].map(quorumOf)).toEqual([1, 2, 2, 3, 3]);
  expect([1, 2, 3, 4, 5].map(toleratedLosses)).toEqual([0, 0, 1, 1, 2]);
});

describe('over every group of one to seven voters', () => {
  test('a removal that is allowed leaves a group that decides, and never an empty one', () => {
    for (const members of groups) {
      for (const { id } of members) {
        const rest = members.filter((each) => each.id !== id);
        const isSafe = rest.length > 0 && decides(members) && decides(rest);
        expect(judgeChange(members, { kind: 'remove', member: id }).kind === 'allowed').toBe(isSafe);
      }
    }
  });

  test('an addition that is allowed decides even if the new member never starts, but for one voter alone', () => {
    for (const members of groups) {
      const verdict = judgeChange(members, { kind: 'add', as: 'voter' });
      const isSafe = decides(members) && answering(members) >= quorumOf(members.length + 1);
      expect(verdict.kind === 'allowed').toBe(isSafe || (members.length === 1 && decides(members)));
      expect(judgeChange(members, { kind: 'add', as: 'learner' }).kind === 'allowed').toBe(decides(members));
    }
  });

  test('a pause of a member never stops the others from deciding; a single one has no others', () => {
    for (const members of groups) {
      for (const { id } of members) {
        const others = members.filter((each) => each.id !== id);
        const isSafe = members.length === 1 || answering(others) >= quorumOf(members.length);
        expect(judgeChange(members, { kind: 'pause', member: id }).kind === 'allowed').toBe(isSafe);
      }
    }
  });

  test('replacing the only unhealthy member of three: remove first, then add', () => {
    const members = makeMembers([true, true, false]);
    expect(judgeChange(members, { kind: 'add', as: 'voter' })).toMatchObject({ kind: 'refused' });
    expect(judgeChange(members, { kind: 'remove', member: 'a2' })).toEqual({ kind: 'allowed' });
    // Two voters that answer take a third one that may not.
    expect(judgeChange(makeMembers([true, true]), { kind: 'add', as: 'voter' })).toEqual({ kind: 'allowed' });
  });
});

test('nothing but the removal of a learner is allowed while there is one', () => {
  const change = fc.constantFrom<MembershipChange>(
    { kind: 'add', as: 'voter' },
    { kind: 'remove', member: 'a0' },
    { kind: 'pause', member: 'a0' },
  );
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      fc.boolean(),
      change,
      (voters, learns, asked) => {
        const members = makeMembers(voters, [learns]);
        expect(judgeChange(members, asked)).toMatchObject({ kind: 'refused', why: expect.stringContaining('learner') });
      },
    ),
  );
  expect(judgeChange(makeMembers([true], [false]), { kind: 'remove', member: 'b0' })).toEqual({ kind: 'allowed' });
});

test('a refusal says why and what to do', () => {
  expect(judgeChange(makeMembers([true]), { kind: 'remove', member: 'a0' })).toEqual({
    kind: 'refused',
    why: 'node0 is the last voter, and all data with it',
    fix: 'add another control plane first; the last one is never removed',
  });
  expect(judgeChange(makeMembers([true, false, true]), { kind: 'remove', member: 'a0' })).toEqual({
    kind: 'refused',
    why: 'after it etcd would have 2 voters of which 1 surely answer, and 2 must',
    fix: 'bring the members back that do not answer',
  });
  expect(judgeChange(makeMembers([true, false]), { kind: 'remove', member: 'a1' })).toEqual({
    kind: 'refused',
    why: 'etcd has 2 voters of which 1 answer, and 2 must before it can decide anything',
    fix: 'bring the members back that do not answer',
  });
  expect(judgeChange([], { kind: 'remove', member: 'ff' })).toMatchObject({ why: 'etcd has no member ff' });
});

test('the leadership goes to a healthy voter, the same one each time', () => {
  const members = makeMembers([true, false, true], [true]);
  expect(chooseNextLeader(members, 'a0')?.name).toBe('node2');
  expect(chooseNextLeader(members.toReversed(), 'a0')?.name).toBe('node2');
  expect(chooseNextLeader(makeMembers([true]), 'a0')).toBeUndefined();
});
