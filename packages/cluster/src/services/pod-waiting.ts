// Why the pods of a release are not ready, in the kubelet's and the scheduler's words: helm itself says only that time ran out.
import type { Pod } from '@labwright/drivers/kubernetes/kind';
import { z } from 'zod';

const containerState = z.looseObject({
  name: z.string(),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
      terminated: z.looseObject({ reason: z.string().optional(), exitCode: z.number().optional() }).optional(),
    })
    .optional(),
});
const podState = z.looseObject({
  initContainerStatuses: z.array(containerState).optional(),
  containerStatuses: z.array(containerState).optional(),
});

/** What every start goes through; nothing to tell anybody. */
const usual = new Set(['ContainerCreating', 'PodInitializing']);

/** "traefik-7d9f: ImagePullBackOff: Back-off pulling image …", a line a pod that has something to say. */
export function describeWaiting(pods: readonly Pod[]): readonly string[] {
  return pods.flatMap(({ metadata, status }) => {
    const why = waitingReason(status) ?? unscheduledReason(status);
    return why === undefined ? [] : [`${metadata.name}: ${why}`];
  });
}

function waitingReason(status: Pod['status']): string | undefined {
  const parsed = podState.safeParse(status);
  if (!parsed.success) return undefined;
  for (const { name, state } of [
    ...(parsed.data.initContainerStatuses ?? []),
    ...(parsed.data.containerStatuses ?? []),
  ]) {
    const { waiting, terminated } = state ?? {};
    if (waiting?.reason !== undefined && !usual.has(waiting.reason)) {
      return waiting.message === undefined ? waiting.reason : `${waiting.reason}: ${waiting.message}`;
    }
    if (terminated?.exitCode !== undefined && terminated.exitCode !== 0) {
      return `${name} ended with exit code ${terminated.exitCode}`;
    }
  }
  return undefined;
}

function unscheduledReason(status: Pod['status']): string | undefined {
  const condition = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return condition?.message ?? condition?.reason;
}
