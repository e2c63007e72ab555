// The API of a cluster that is on its way: of one whose first control plane starts, or whose etcd takes in another member and
// decides nothing until that one is up.
import type { StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterPki } from '../pki/pki.ts';
import { limits, minuteMs, type FormationOptions } from './formation-options.ts';
import { takePendingVoterOut } from './lent-voter.ts';

/** Throws LW6001 when it does not answer within minutes. A member of etcd that never started is taken out meanwhile. */
export async function waitForAnswer(options: FormationOptions, pki: ClusterPki, context: StepContext): Promise<void> {
  const { clock, connect, cluster } = options;
  const { signal } = context;
  const connection = await connect(pki);
  const deadline = clock.monotonic() + limits.answerMs;
  let askEtcdAt = clock.monotonic() + limits.etcdAgainMs;
  for (;;) {
    const unready = await connection.fetchUnreadiness({ signal, tries: 1 });
    if (unready === undefined) return;
    context.progress(`waits for the API at ${connection.endpoint}: ${unready}`);
    if (clock.monotonic() > deadline) {
      throw new LabwrightError('LW6001', {
        what: `the API of the cluster does not answer at ${connection.endpoint}`,
        where: { endpoint: connection.endpoint, name: cluster.endpoint.name },
        why: `waited ${limits.answerMs / minuteMs} minutes; last: ${unready}`,
        fix: ['labwright up   goes on from there'],
      });
    }
    if (clock.monotonic() >= askEtcdAt) {
      await takePendingVoterOut(options, pki, context);
      askEtcdAt = clock.monotonic() + limits.etcdAgainMs;
    }
    await clock.sleep(limits.answerAgainMs, signal);
  }
}

/**
 * Does what asks the API, and again when the API went silent meanwhile, as it does for a while when a control plane joins. The
 * work is harmless when it was done before.
 */
export async function whileAnswering(
  options: FormationOptions,
  pki: ClusterPki,
  context: StepContext,
  work: () => Promise<unknown>,
): Promise<void> {
  const deadline = options.clock.monotonic() + limits.answerMs;
  for (;;) {
    await waitForAnswer(options, pki, context);
    try {
      await work();
      return;
    } catch (error) {
      const isSilent = error instanceof LabwrightError && error.code === 'LW6001';
      if (!isSilent || options.clock.monotonic() > deadline) throw error;
    }
    await options.clock.sleep(limits.answerAgainMs, context.signal);
  }
}
