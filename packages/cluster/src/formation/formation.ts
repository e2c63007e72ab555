// The first control plane: a cluster comes into being, once.
import type { HostName } from '@labwright/core/addresses/names';
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import type { DiskState } from '@labwright/core/facts/cluster';
import { formatBootstrapToken, makeBootstrapToken } from '@labwright/drivers/kubernetes/bootstrap-token';
import type { ClusterPki } from '../pki/pki.ts';
import { waitForAnswer } from './answer.ts';
import { jobWorld, limits, machineOf, type FormationOptions } from './formation-options.ts';
import { makeInitJob } from './kubeadm-jobs.ts';
import { foreignMachine, runJob } from './kubeadm-run.ts';
import { fetchDiskState } from './machine-disk.ts';
import { givePodRange } from './node-pod-range.ts';
import { choosePodRange } from './pod-range.ts';
import type { ClusterFormInput } from './step-input.ts';

export async function formCluster(
  options: FormationOptions,
  input: ClusterFormInput,
  context: StepContext,
): Promise<string> {
  const machine = machineOf(options, input.name);
  const pki = await options.vault.readOrMake(context.signal);
  if (await isFormedElsewhere(options, input, pki, context)) {
    await waitForAnswer(options, pki, context);
    return 'answers';
  }
  if (await answersUnfinished(options, machine, pki, context)) return 'answers; what it lacks comes with its add-ons';
  const startedAt = options.clock.monotonic();
  const token = formatBootstrapToken(makeBootstrapToken(options.random));
  const range = options.cluster.podNetwork === 'routed' ? choosePodRange(options.cluster, []) : undefined;
  const job = await makeInitJob(jobWorld(options, pki), machine, token, range);
  const over = new AbortController();
  const giving =
    range === undefined
      ? Promise.resolve()
      : givePodRange(machine.name, async () => range, {
          connection: await options.connect(pki),
          clock: options.clock,
          againMs: limits.answerAgainMs,
          signal: AbortSignal.any([context.signal, over.signal]),
        });
  // Awaited below, unless the job fails first.
  giving.catch(() => undefined);
  let outcome: 'done' | 'member';
  try {
    outcome = await runJob(options, machine, job, context);
    await waitForAnswer(options, pki, context);
    // kubeadm marks the node at its end, so by now there is one.
    if (outcome === 'done') await Promise.race([giving, options.clock.sleep(limits.rangeMs, over.signal)]);
  } finally {
    over.abort();
  }
  const seconds = Math.round((options.clock.monotonic() - startedAt) / 1000);
  return outcome === 'member' ? 'is formed already' : `formed in ${seconds} s`;
}

/**
 * Of one that was begun and did not come to its end: whether its API comes up all the same. Then it holds what is in the cluster,
 * and is not undone; what is left of kubeadm's work is done with the add-ons (guest/kubeadm.sh).
 */
async function answersUnfinished(
  options: FormationOptions,
  machine: MachineBlueprint,
  pki: ClusterPki,
  context: StepContext,
): Promise<boolean> {
  const { clock, connect, openShell } = options;
  const { signal } = context;
  const call = { timeoutMs: limits.shellMs, signal };
  if ((await fetchDiskState(openShell(machine.name), pki.ca.certificate, call)) !== 'begun') return false;
  const connection = await connect(pki);
  const deadline = clock.monotonic() + limits.unfinishedMs;
  for (;;) {
    const unready = await connection.fetchUnreadiness({ signal, tries: 1 });
    if (unready === undefined) return true;
    if (clock.monotonic() > deadline) return false;
    context.progress(`it was begun before; looks whether its API comes up: ${unready}`);
    await clock.sleep(limits.answerAgainMs, signal);
  }
}

/** Whether one of the disks that were not known when the plan was made has a cluster of ours on it. */
async function isFormedElsewhere(
  { openShell }: FormationOptions,
  { unsure }: ClusterFormInput,
  pki: ClusterPki,
  context: StepContext,
): Promise<boolean> {
  const { signal } = context;
  if (unsure.length === 0) return false;
  context.progress(`asks the ${unsure.length === 1 ? 'disk' : 'disks'} of ${unsure.join(', ')}`);
  const states = await Promise.all(
    unsure.map(
      async (name): Promise<DiskState> =>
        await fetchDiskState(openShell(name as HostName), pki.ca.certificate, { timeoutMs: limits.shellMs, signal }),
    ),
  );
  const foreign = unsure.find((_, at) => states[at] === 'foreign');
  if (foreign !== undefined) throw foreignMachine(foreign);
  return states.includes('member');
}
