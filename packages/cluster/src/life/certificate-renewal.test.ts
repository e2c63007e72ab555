import { describe, expect, test } from 'vitest';
import { systemClock } from '@labwright/core/ports/system';
import { makeRenewalExecutor, planRenewals, type RenewalFacts } from './certificate-renewal.ts';
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

  test('of several that have ended are renewed first, and only the last waits for all: alone none is well', () => {
    const steps = planRenewals(blueprint, makeFacts({ node101: 10, node102: -3, node103: -4 }, { members: [] }));
    expect(steps.map(({ target, needs, input }) => [target, needs, input])).toEqual([
      ['node102', [], expect.objectContaining({ hasEnded: true, wellAfter: [] })],
      ['node103', ['certs.renew node102'], expect.objectContaining({ wellAfter: ['node102', 'node103'] })],
      ['node101', ['certs.renew node103'], expect.objectContaining({ hasEnded: false, wellAfter: ['node101'] })],
    ]);
  });

  test('that have ended elsewhere hold up nobody: their member is well before the next one’s turn', () => {
    const members = blueprint.machines.slice(0, 3).map((machine, at) => makeEtcdMember(machine, { healthy: at !== 2 }));
    const steps = planRenewals(blueprint, makeFacts({ node101: 5, node103: -1 }, { members }));
    expect(steps.map(({ target }) => target)).toEqual(['node103', 'node101']);
  });

  test('that have ended are renewed over SSH alone, whatever etcd and the API say', async () => {
    const [step] = planRenewals(blueprint, makeFacts({ node101: -1, node102: -1 }, { members: [] }));
    let sent = '';
    const executor = makeRenewalExecutor({
      openShell:
        () =>
        async (_command, { stdin = '', onStdout }) => {
          sent = Buffer.from(stdin).toString('utf8');
          onStdout?.(Buffer.from('labwright: started\nlabwright: ended 0\n'));
          return { exitCode: 0, stdout: '', stderr: '' };
        },
      // No address: nobody answers.
      openEtcd: async () => ({ addresses: [] }),
      clock: systemClock,
    });
    const { signal } = new AbortController();
    expect(await executor.run(step?.input ?? {}, { signal, progress: () => undefined })).toBe(
      'has certificates for another year',
    );
    expect(sent).toContain("answers='later'");
  });
});
