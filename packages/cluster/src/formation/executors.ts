// What each kind of cluster step does. Each looks before it acts, so doing it a second time is harmless.
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { invariant, LabwrightError } from '@labwright/core/errors/error';
import type { Json } from '@labwright/core/plan/step';
import { formatBootstrapToken, makeBootstrapToken } from '@labwright/drivers/kubernetes/bootstrap-token';
import { whileAnswering } from './answer.ts';
import { makeOwnObjects } from './cluster-objects.ts';
import { formCluster } from './formation.ts';
import { jobWorld, limits, machineOf, minuteMs, type FormationOptions } from './formation-options.ts';
import { joinCluster } from './joining.ts';
import { makeAddonsJob } from './kubeadm-jobs.ts';
import { readKubeletLog, runJob } from './kubeadm-run.ts';
import type { ChosenRanges } from './node-pod-range.ts';
import { waitForNode } from './node-readiness.ts';
import type { ClusterFormInput, ClusterJoinInput, ClusterReadyInput, ClusterSettleInput } from './step-input.ts';

export function makeFormationExecutors(options: FormationOptions): ReadonlyMap<string, Executor> {
  const chosen: ChosenRanges = new Map();
  return new Map<string, Executor>([
    [
      'cluster.form',
      {
        // An interrupt may leave at any moment: kubeadm goes on under the machine's own systemd, and whoever comes next follows it.
        nature: 'wait',
        run: async (input, context) => await formCluster(options, input as ClusterFormInput, context),
      },
    ],
    ['cluster.join', work<ClusterJoinInput>((input, context) => joinCluster(options, chosen, input, context))],
    ['cluster.settle', work<ClusterSettleInput>((input, context) => settle(options, input, context))],
    [
      'cluster.ready',
      {
        nature: 'wait',
        run: async (input, context) => await seeReady(options, input as ClusterReadyInput, context),
      },
    ],
  ]);
}

// A plan is made and checked by this program; its inputs are of the types that stand in step-input.ts.
const work = <Input>(run: (input: Input, context: StepContext) => Promise<string>): Executor => ({
  nature: 'work',
  run: async (input: Json, context) => await run(input as Input, context),
});

async function settle(options: FormationOptions, input: ClusterSettleInput, context: StepContext): Promise<string> {
  const { signal } = context;
  const machine = machineOf(options, input.name);
  const pki = await options.vault.readOrMake(signal);
  const connection = await options.connect(pki);
  const dns = await options.dns(signal);
  const own = makeOwnObjects(options.blueprint.lab);
  const settled = own.objects.at(-1);
  invariant(settled !== undefined, 'the mark is the last of our objects');
  context.progress('applies rights');
  const resolver = await options.ensureResolver(dns, pki);
  await whileAnswering(options, pki, context, async () => {
    for (const object of [...own.objects.slice(0, -1), ...resolver]) await connection.apply(object, { signal });
  });
  const token = formatBootstrapToken(makeBootstrapToken(options.random));
  await runJob(options, machine, makeAddonsJob(jobWorld(options, pki), machine, dns, token), context);
  await whileAnswering(options, pki, context, async () => await connection.apply(settled, { signal }));
  return 'rights and add-ons are in place';
}

async function seeReady(options: FormationOptions, { name }: ClusterReadyInput, context: StepContext): Promise<string> {
  const { clock } = options;
  const pki = await options.vault.readOrMake(context.signal);
  const startedAt = clock.monotonic();
  const outcome = await waitForNode(await options.connect(pki), name, {
    clock,
    signal: context.signal,
    progress: (words) => context.progress(words),
    timeoutMs: limits.readyMs,
  });
  if (outcome.kind === 'ready') return `ready after ${Math.round((clock.monotonic() - startedAt) / 1000)} s`;
  throw new LabwrightError('LW6013', {
    what: `node ${name} did not become ready within ${limits.readyMs / minuteMs} minutes`,
    where: { node: name },
    why: outcome.lastSeen,
    fix: [`ssh ${name} sudo journalctl --unit kubelet --lines 50`, 'labwright up   goes on from there'],
    log: await readKubeletLog(options, name, context.signal),
  });
}
