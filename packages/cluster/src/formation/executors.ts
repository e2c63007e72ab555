// What each kind of cluster step does. Each looks before it acts, so doing it a second time is harmless.
import type { HostName } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { invariant, LabwrightError } from '@labwright/core/errors/error';
import type { DiskState } from '@labwright/core/facts/cluster';
import type { Json } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import {
  applyBootstrapToken,
  deleteBootstrapToken,
  formatBootstrapToken,
  makeBootstrapToken,
} from '@labwright/drivers/kubernetes/bootstrap-token';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';
import { deleteNode, getNode, listNodes, patchNode } from '@labwright/drivers/kubernetes/nodes';
import type { ClusterPki } from '../pki/pki.ts';
import type { PkiVault } from '../pki/pki-vault.ts';
import { makeOwnObjects } from './cluster-objects.ts';
import { runKubeadmJob, type JobOutcome, type KubeadmJob } from './kubeadm-job.ts';
import { makeAddonsJob, makeInitJob, makeJoinJob, type ClusterDns, type JobWorld } from './kubeadm-jobs.ts';
import { fetchDiskState } from './machine-disk.ts';
import { isMarked, labLabel, labLabelValue, nodeLabels } from './marks.ts';
import { waitForNode } from './node-readiness.ts';
import { choosePodRange } from './pod-range.ts';
import type { OpenShell } from './shell.ts';
import type { ClusterFormInput, ClusterJoinInput, ClusterReadyInput, ClusterSettleInput } from './step-input.ts';

export interface FormationOptions {
  readonly blueprint: Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly vault: PkiVault;
  readonly openShell: OpenShell;
  /** With Labwright's own login; kept for as long as the login is good. */
  readonly connect: (pki: ClusterPki) => Promise<ClusterConnection>;
  readonly dns: (signal: AbortSignal) => Promise<ClusterDns>;
  /** Makes the resolver of pods answer, where it is not in the cluster, and gives the objects that lead to it. */
  readonly ensureResolver: (dns: ClusterDns, pki: ClusterPki) => Promise<readonly AppliedObject[]>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const minuteMs = 60_000;
const limits = {
  jobMs: 15 * minuteMs,
  /** A machine's network may be gone for this long in the middle. */
  silenceMs: 3 * minuteMs,
  shellMs: 30_000,
  answerMs: 5 * minuteMs,
  answerAgainMs: 500,
  tokenMs: 15 * minuteMs,
  readyMs: 10 * minuteMs,
} as const;

export function makeFormationExecutors(options: FormationOptions): ReadonlyMap<string, Executor> {
  const reserve = oneAfterTheOther();
  return new Map<string, Executor>([
    [
      'cluster.form',
      {
        // An interrupt may leave at any moment: kubeadm goes on under the machine's own systemd, and whoever comes next follows it.
        nature: 'wait',
        run: async (input, context) => await form(options, input as ClusterFormInput, context),
      },
    ],
    ['cluster.join', work<ClusterJoinInput>((input, context) => join(options, reserve, input, context))],
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

async function form(options: FormationOptions, input: ClusterFormInput, context: StepContext): Promise<string> {
  const machine = machineOf(options, input.name);
  const pki = await options.vault.readOrMake(context.signal);
  if (await isFormedElsewhere(options, input, pki, context)) {
    await waitForAnswer(options, pki, context);
    return 'answers';
  }
  const startedAt = options.clock.monotonic();
  const token = formatBootstrapToken(makeBootstrapToken(options.random));
  const range = options.cluster.podNetwork === 'routed' ? choosePodRange(options.cluster, []) : undefined;
  const job = await makeInitJob(jobWorld(options, pki), machine, token, range);
  const over = new AbortController();
  const giving = givePodRange(options, pki, { machine, range }, AbortSignal.any([context.signal, over.signal]));
  // Awaited below, unless the job fails first.
  giving.catch(() => undefined);
  let outcome: 'done' | 'member';
  try {
    outcome = await runJob(options, machine, job, context);
    await waitForAnswer(options, pki, context);
    // kubeadm marks the node at its end, so by now there is one.
    if (outcome === 'done') await giving;
  } finally {
    over.abort();
  }
  const seconds = Math.round((options.clock.monotonic() - startedAt) / 1000);
  return outcome === 'member' ? 'is formed already' : `formed in ${seconds} s`;
}

/** The first node's range, as soon as there is a node: kube-controller-manager would give it another ten seconds later. */
async function givePodRange(
  { connect, clock }: FormationOptions,
  pki: ClusterPki,
  { machine, range }: { readonly machine: MachineBlueprint; readonly range: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  if (range === undefined) return;
  const connection = await connect(pki);
  for (;;) {
    try {
      const node = await getNode(connection, machine.name, { signal, tries: 1 });
      if (node?.spec.podCIDR !== undefined) return;
      if (node !== undefined) {
        await patchNode(
          connection,
          machine.name,
          { spec: { podCIDR: range, podCIDRs: [range] } },
          { signal, tries: 1 },
        );
        return;
      }
    } catch (error) {
      signal.throwIfAborted();
      // Not there yet, or not quite: kubeadm's own wait is the one that ends in an error.
      if (!(error instanceof LabwrightError)) throw error;
    }
    await clock.sleep(limits.answerAgainMs, signal);
  }
}

/**
 * The node is made before its machine comes, with its range: so no two can get the same, and the machine's network is there
 * when its kubelet starts. Undefined where ranges are not ours to give.
 */
async function reservePodRange(
  { blueprint, cluster }: FormationOptions,
  connection: ClusterConnection,
  { name, role }: MachineBlueprint,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (cluster.podNetwork !== 'routed' || role === undefined) return undefined;
  const nodes = await listNodes(connection, { signal });
  const there = nodes.find(({ metadata }) => metadata.name === name);
  if (there !== undefined) return there.spec.podCIDR;
  const taken = nodes.flatMap(({ spec }) => (spec.podCIDR === undefined ? [] : [spec.podCIDR]));
  const range = choosePodRange(cluster, taken);
  if (range === undefined) return undefined;
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: nodeLabels(blueprint.lab, role) },
    spec: { podCIDR: range, podCIDRs: [range] },
  };
  await connection.create(node, { signal });
  return range;
}

type Reserve = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Machines join side by side; looking and taking must not. */
function oneAfterTheOther(): Reserve {
  let turn: Promise<unknown> = Promise.resolve();
  return async (next) => {
    const mine = turn.then(next);
    turn = mine.catch(() => undefined);
    return await mine;
  };
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

async function join(
  options: FormationOptions,
  reserve: Reserve,
  input: ClusterJoinInput,
  context: StepContext,
): Promise<string> {
  const { clock, random, log, blueprint } = options;
  const { signal } = context;
  const machine = machineOf(options, input.name);
  const pki = await options.vault.readOrMake(signal);
  const connection = await options.connect(pki);
  await forgetFormerNode(options, machine, connection, pki, context);
  const startedAt = clock.monotonic();
  const token = makeBootstrapToken(random);
  const range = await reserve(() => reservePodRange(options, connection, machine, signal));
  context.progress('makes its token');
  await applyBootstrapToken(
    connection,
    token,
    {
      expiresAt: clock.now() + limits.tokenMs,
      description: `joins ${machine.name}`,
      labels: { [labLabel]: labLabelValue(blueprint.lab) },
    },
    { signal },
  );
  try {
    const job = await makeJoinJob(jobWorld(options, pki), machine, formatBootstrapToken(token), range);
    const outcome = await runJob(options, machine, job, context);
    const seconds = Math.round((clock.monotonic() - startedAt) / 1000);
    return outcome === 'member' ? 'had joined before' : `joined in ${seconds} s`;
  } finally {
    try {
      await deleteBootstrapToken(connection, token.id, { signal });
    } catch (error) {
      // It ends by itself in minutes; what the join itself met is what matters.
      log.warn('a used token was not deleted', { machine: machine.name, error: String(error) });
    }
  }
}

/** A node of ours whose machine has a new disk: the name comes back with other keys. */
async function forgetFormerNode(
  { blueprint, openShell }: FormationOptions,
  machine: MachineBlueprint,
  connection: ClusterConnection,
  pki: ClusterPki,
  context: StepContext,
): Promise<void> {
  const { signal } = context;
  const node = await getNode(connection, machine.name, { signal });
  if (node === undefined || !isMarked(blueprint.lab, node.metadata.labels)) return;
  const shell = openShell(machine.name);
  const state = await fetchDiskState(shell, pki.ca.certificate, { timeoutMs: limits.shellMs, signal });
  if (state === 'member') return;
  context.progress('removes the node of its former disk');
  await deleteNode(connection, machine.name, { signal, uid: node.metadata.uid });
}

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
  for (const object of [...own.objects.slice(0, -1), ...(await options.ensureResolver(dns, pki))]) {
    await connection.apply(object, { signal });
  }
  const token = formatBootstrapToken(makeBootstrapToken(options.random));
  await runJob(options, machine, makeAddonsJob(jobWorld(options, pki), machine, dns, token), context);
  await connection.apply(settled, { signal });
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

/** Throws for everything but success, in the words of people and with the machine's own last ones. */
async function runJob(
  options: FormationOptions,
  machine: MachineBlueprint,
  job: KubeadmJob,
  context: StepContext,
): Promise<'done' | 'member'> {
  const { signal } = context;
  let step = 'its beginning';
  const outcome = await runKubeadmJob(options.openShell(machine.name), job, {
    clock: options.clock,
    signal,
    progress: (words) => {
      step = words;
      context.progress(words);
    },
    patienceMs: limits.silenceMs,
    timeoutMs: limits.jobMs,
  });
  if (outcome.kind === 'done' || outcome.kind === 'member') return outcome.kind;
  if (outcome.kind === 'refused')
    throw outcome.state === 'foreign' ? foreignMachine(machine.name) : notMember(machine.name);
  const kubelet = await readKubeletLog(options, machine.name, signal);
  throw jobFailed(machine.name, job, outcome, step, kubelet);
}

function jobFailed(
  name: string,
  job: KubeadmJob,
  outcome: Extract<JobOutcome, { readonly kind: 'failed' | 'killed' }>,
  step: string,
  kubelet: readonly string[],
): LabwrightError {
  const ended = outcome.kind === 'failed' ? `it ended with exit code ${outcome.exitCode}` : 'it was killed';
  return new LabwrightError('LW6012', {
    what: `kubeadm ${job.command.join(' ')} failed on ${name}`,
    where: { machine: name, 'stopped at': step },
    why: outcome.log.findLast((line) => /^error/i.test(line)) ?? ended,
    fix: ['labwright up   undoes what is half done and tries again', `ssh ${name} sudo journalctl --unit kubelet`],
    log: [...outcome.log, ...(kubelet.length === 0 ? [] : ['its kubelet:', ...kubelet])],
  });
}

function notMember(name: string): LabwrightError {
  return new LabwrightError('LW6012', {
    what: `add-ons cannot be put into the cluster from ${name}`,
    where: { machine: name },
    why: 'it is not in the cluster',
    fix: ['labwright up'],
  });
}

function foreignMachine(name: string): LabwrightError {
  return new LabwrightError('LW6011', {
    what: `${name} belongs to another cluster`,
    where: { machine: name },
    why: 'the authority on its disk is not the one whose keys lie beside the lab file',
    fix: ['put the keys of its cluster back from your copy', `or give it up: labwright machine rebuild ${name}`],
  });
}

/** The last lines, or what stood in the way of reading them: an error is being told already. */
async function readKubeletLog(
  { openShell }: FormationOptions,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const command = ['sudo', 'journalctl', '--unit=kubelet', '--lines=15', '--no-pager', '--output=cat'];
  try {
    const { stdout } = await openShell(name as HostName)(command, { timeoutMs: limits.shellMs, signal });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (error) {
    signal.throwIfAborted();
    return [`(its log could not be read: ${error instanceof Error ? error.message : String(error)})`];
  }
}

async function waitForAnswer(
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

function jobWorld({ blueprint, cluster, clock }: FormationOptions, pki: ClusterPki): JobWorld {
  return { blueprint, cluster, pki, now: clock.now() };
}

function machineOf({ blueprint }: FormationOptions, name: string): MachineBlueprint {
  const machine = [...blueprint.machines, ...(blueprint.spares ?? [])].find((each) => each.name === name);
  invariant(machine !== undefined, `${name} is in the blueprint`);
  return machine;
}
