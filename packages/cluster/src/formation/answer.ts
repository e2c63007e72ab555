// The API of a cluster that is on its way: of one whose first control plane starts, or whose etcd takes in another member and
// decides nothing until that one is up.
import type { StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterPki } from '../pki/pki.ts';
import { limits, minuteMs, type FormationOptions } from './formation-options.ts';

/** Throws LW6001 when it does not answer within minutes. */
export async function waitForAnswer(
  { clock, connect, cluster }: FormationOptions,
  pki: ClusterPki,
  context: StepContext,
): Promise<void> {
  const { signal } = context;
  const connection = await connect(pki);
  const deadline = clock.monotonic() + limits.answerMs;
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
    await clock.sleep(limits.answerAgainMs, signal);
  }
}
