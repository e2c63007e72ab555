import { describe, expect, test } from 'vitest';
import { planRenewals, type RenewalFacts } from './certificate-renewal.ts';
import { makeClusterBlueprint, makeClusterFacts, makeEtcdMember } from './sample-cluster.test-data.ts';

const blueprint = makeClusterBlueprint(3, 1);
const dayMs = 86_400_000;
const now = 1000 * dayMs;
const inDays = (days: number, name = 'apiserver') => [{ name, expiresAt: now + days * dayMs + 1 }];

function makeFacts(days: Readonly<Record<string, number>>, overrides: Partial<RenewalFacts> = {}): RenewalFacts {
  const certificates = new Map(Object.entries(days).map(([name, left]) => [name, inDays(left)]));
  return { certificates, members: makeClusterFacts(blueprint).members ?? [], now, ...overrides };
}

describe('certificates', () => {
  test('are renewed in their last month, one control plane after the other', () => {
    const steps = planRenewals(blueprint, makeFacts({ node101: 29, node102: 31, node103: 1 }));
    expect(steps.map(({ id, needs, reason }) => [id, needs, reason])).toEqual([
      ['certs.renew node101', [], 'apiserver ends in 29 days'],
      ['certs.renew node103', ['certs.renew node101'], 'apiserver ends in 1 day'],
    ]);
  });

  test('the kubelet’s own are left to it, and machines that could not be asked as well', () => {
    const certificates = new Map([['node101', inDays(1, 'kubelet')]]);
    expect(planRenewals(blueprint, makeFacts({}, { certificates }))).toEqual([]);
  });

  test('not while another member is down, unless they have ended: then nothing is left to protect', () => {
    const members = blueprint.machines.slice(0, 3).map((machine, at) => makeEtcdMember(machine, { healthy: at !== 2 }));
    expect(() => planRenewals(blueprint, makeFacts({ node101: 5 }, { members }))).toThrow(
      expect.objectContaining({ code: 'LW6033' }),
    );
    expect(planRenewals(blueprint, makeFacts({ node101: -3 }, { members }))[0]?.reason).toBe('apiserver has ended');
  });
});
