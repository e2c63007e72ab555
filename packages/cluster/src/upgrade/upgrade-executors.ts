// What an upgrade does to each machine. Every part looks before it acts: an upgrade that was killed goes on where it was.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubernetesVersion, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { hostName, type HostName } from '@labwright/core/addresses/names';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Json } from '@labwright/core/plan/step';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { drainNode } from '@labwright/drivers/kubernetes/drain';
import { getNode, isNodeReady } from '@labwright/drivers/kubernetes/nodes';
import { assertAllowed, fetchEtcdGroup, judgeMember, moveLeadershipFrom, type EtcdGroup } from '../etcd/etcd-group.ts';
import type { OpenShell } from '../formation/shell.ts';
import { patchesOption } from '../kubeadm/api-version.ts';
import { patchesFolder } from '../kubeadm/kubeadm-config.ts';
import { runMachineJob, type MachineJob } from '../machine-job/machine-job.ts';
import { fetchControlPlaneVersions, fetchSharedVersion } from './component-versions.ts';
import { cordonForUpgrade, uncordonAfterUpgrade } from './cordon.ts';
import { fetchProxy, findProxyLag } from './proxy-rollout.ts';
import type { PrepareInput, UpgradeInput } from './upgrade-plan.ts';

/** Where machines get a version from. */
export interface ServedRelease {
  /** "http://10.1.0.9:8080": the binaries are at /kubernetes/vX.Y.Z/NAME below it. */
  readonly server: string;
  /** SHA-256 by name, hexadecimal. */
  readonly binaries: Readonly<Record<'kubeadm' | 'kubelet' | 'kubectl', string>>;
}

export interface UpgradeExecutorOptions {
  readonly connect: (signal: AbortSignal) => Promise<ClusterConnection>;
  readonly openShell: OpenShell;
  readonly openEtcd: (signal: AbortSignal) => Promise<EtcdGroup>;
  /** Has the boot server offer the version, images included. Throws what says that no source has it. */
  readonly prepareRelease: (
    version: KubernetesVersion,
    call: { readonly signal: AbortSignal; readonly progress: (words: string) => void },
  ) => Promise<ServedRelease>;
  /** Patches of the static pods lie on the machines (slow hosts). */
  readonly hasPatches: boolean;
  readonly clock: Clock;
}

const minuteMs = 60_000;
const limits = {
  fetchMs: 15 * minuteMs,
  upgradeMs: 30 * minuteMs,
  drainMs: 15 * minuteMs,
  healthMs: 10 * minuteMs,
  silenceMs: 3 * minuteMs,
  shellMs: 30_000,
  etcdMs: 10_000,
  lookAgainMs: 500,
} as const;

/** At most one on a machine, and it goes on without us. */
const upgradeUnit = 'labwright-upgrade';

export function makeUpgradeExecutors(options: UpgradeExecutorOptions): ReadonlyMap<string, Executor> {
  // A plan is made and checked by this program; its inputs are of the types that stand in upgrade-plan.ts.
  const work = <Input>(run: (input: Input, context: StepContext) => Promise<string>): Executor => ({
    nature: 'work',
    run: async (input: Json, context) => await run(input as Input, context),
  });
  return new Map<string, Executor>([
    [
      'upgrade.prepare',
      work<PrepareInput>(async (input, context) => {
        await options.prepareRelease(kubernetesVersion(input.version), context);
        return `Kubernetes ${input.version} is here`;
      }),
    ],
    ['upgrade.fetch', work<UpgradeInput>(async (input, context) => await fetchRelease(options, input, context))],
    ['cluster.upgrade', work<UpgradeInput>(async (input, context) => await upgrade(options, input, context))],
  ]);
}

async function fetchRelease(
  options: UpgradeExecutorOptions,
  input: UpgradeInput,
  context: StepContext,
): Promise<string> {
  const release = await options.prepareRelease(kubernetesVersion(input.version), context);
  await runJob(options, input, context, {
    unit: 'labwright-fetch',
    description: `Labwright: fetch Kubernetes ${input.version}`,
    script: guestFile('fetch.sh'),
    settings: {
      version: input.version,
      role: input.role,
      server: release.server,
      binaries: Object.entries(release.binaries)
        .map(([name, sum]) => `${name} ${sum}`)
        .join('\n'),
    },
  });
  return 'binaries and images are on it';
}

async function upgrade(options: UpgradeExecutorOptions, input: UpgradeInput, context: StepContext): Promise<string> {
  const { clock } = options;
  const { signal, progress } = context;
  const name = hostName(input.name);
  const version = kubernetesVersion(input.version);
  const startedAt = clock.monotonic();
  const connection = await options.connect(signal);
  const job: MachineJob = {
    unit: upgradeUnit,
    description: `Labwright: upgrade to Kubernetes ${version}`,
    script: guestFile('upgrade.sh'),
    settings: {
      version,
      role: input.role,
      options: options.hasPatches && input.role !== 'worker' ? `${patchesOption(version)} ${patchesFolder}` : '',
    },
  };
  // Of a run that was killed: the machine is drained, and its API server may be the only one and away.
  const begun = await findUnderWay(options, name, signal);
  if (begun !== undefined) await runJob(options, input, context, job);
  if (begun !== job.description) {
    await untilClusterFollows(options, connection, context);
    if (!(await isDone(connection, input, signal))) {
      if (input.role !== 'worker') await stepAside(options, name, signal);
      await cordonForUpgrade(connection, name, { signal });
      progress('drains it');
      await drainNode(connection, name, { signal, timeLimitMs: limits.drainMs, onProgress: progress });
      await runJob(options, input, context, job);
    }
  }
  await waitUntilWell(options, connection, input, context);
  await uncordonAfterUpgrade(connection, name, { signal });
  return `runs ${version} after ${Math.round((clock.monotonic() - startedAt) / 1000)} s`;
}

/** The description of the upgrade that runs on the machine. */
async function findUnderWay(
  { openShell }: UpgradeExecutorOptions,
  name: HostName,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const command = ['systemctl', 'show', '--property=ActiveState,Description', `${upgradeUnit}.service`];
    const { stdout } = await openShell(name)(command, { timeoutMs: limits.shellMs, signal });
    return /^ActiveState=(active|activating)$/m.test(stdout) ? /^Description=(.*)$/m.exec(stdout)?.[1] : undefined;
  } catch (error) {
    signal.throwIfAborted();
    // It does not answer now: what comes next says so, if it needs it.
    if (error instanceof LabwrightError && error.code === 'LW3003') return undefined;
    throw error;
  }
}

/** The upgrade of a machine before this one, or what was left of a run that was killed, may have an API server or kube-proxy restarting. */
async function untilClusterFollows(
  { clock }: UpgradeExecutorOptions,
  connection: ClusterConnection,
  { signal, progress }: StepContext,
): Promise<void> {
  const deadline = clock.monotonic() + limits.healthMs;
  let said = '';
  for (;;) {
    const why = await findClusterLag(connection, signal);
    // After that long the next call says what it meets.
    if (why === undefined || clock.monotonic() > deadline) return;
    if (why !== said) progress(`waits: ${why}`);
    said = why;
    await clock.sleep(limits.lookAgainMs, signal);
  }
}

async function findClusterLag(connection: ClusterConnection, signal: AbortSignal): Promise<string | undefined> {
  const unready = await connection.fetchUnreadiness({ signal, tries: 1 });
  if (unready !== undefined) return `the API is not ready: ${unready}`;
  const proxy = await fetchProxy(connection, { signal });
  return proxy === undefined ? undefined : findProxyLag(proxy);
}

/** A control plane may stop for a while only when etcd decides without it; if it leads, another one does first. */
async function stepAside(options: UpgradeExecutorOptions, name: HostName, signal: AbortSignal): Promise<void> {
  const limitsOfEtcd = { signal, timeoutMs: limits.etcdMs };
  const facts = await fetchEtcdGroup(await options.openEtcd(signal), limitsOfEtcd);
  assertAllowed(name, judgeMember(facts, name, 'pause'));
  const member = facts.members.find((each) => each.name === name);
  if (member !== undefined) await moveLeadershipFrom(facts, member.id, limitsOfEtcd);
}

async function isDone(connection: ClusterConnection, input: UpgradeInput, signal: AbortSignal): Promise<boolean> {
  return (await findUnwellness(connection, input, signal)) === undefined;
}

/**
 * Until the machine runs the version and is Ready, for a control plane etcd is whole again, and kube-proxy is what it should be
 * everywhere: only then the next one's turn comes.
 */
async function waitUntilWell(
  options: UpgradeExecutorOptions,
  connection: ClusterConnection,
  input: UpgradeInput,
  { signal, progress }: StepContext,
): Promise<void> {
  const { clock } = options;
  const deadline = clock.monotonic() + limits.healthMs;
  let said = '';
  for (;;) {
    const why = await whyNotWell(options, connection, input, signal);
    if (why === undefined) return;
    if (why !== said) progress(`waits: ${why}`);
    said = why;
    if (clock.monotonic() > deadline) throw neverWell(input, why);
    await clock.sleep(limits.lookAgainMs, signal);
  }
}

async function whyNotWell(
  options: UpgradeExecutorOptions,
  connection: ClusterConnection,
  input: UpgradeInput,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const lag = await findClusterLag(connection, signal);
    if (lag !== undefined) return lag;
    const unwell = await findUnwellness(connection, input, signal);
    if (unwell !== undefined || input.role === 'worker') return unwell;
    const facts = await fetchEtcdGroup(await options.openEtcd(signal), { signal, timeoutMs: limits.etcdMs });
    const sick = facts.members.find(({ healthy, learner }) => !healthy || learner);
    return sick === undefined ? undefined : `the etcd member ${sick.name} is not well`;
  } catch (error) {
    signal.throwIfAborted();
    // An API server restarts, or etcd elects: that is what is waited for.
    if (error instanceof LabwrightError && ['LW6001', 'LW6004', 'LW6031', 'LW6032'].includes(error.code))
      return error.message;
    throw error;
  }
}

async function findUnwellness(
  connection: ClusterConnection,
  { name, role, version }: UpgradeInput,
  signal: AbortSignal,
): Promise<string | undefined> {
  const node = await getNode(connection, name, { signal });
  if (node === undefined) return `the cluster has no node ${name}`;
  const kubelet = node.status?.nodeInfo?.kubeletVersion ?? '';
  if (kubelet.replace(/[-+].*$/, '') !== `v${version}`) return `its kubelet says it is ${kubelet}`;
  if (!isNodeReady(node)) return 'its node is not Ready';
  if (role === 'worker') return undefined;
  const running = (await fetchControlPlaneVersions(connection, { signal })).get(name);
  if (running !== version) return `its control plane runs ${running ?? 'nothing'}`;
  const shared = role === 'first' ? await fetchSharedVersion(connection, { signal }) : version;
  return shared === version ? undefined : `what the machines share is of ${shared ?? 'no version'}`;
}

async function runJob(
  { openShell, clock }: UpgradeExecutorOptions,
  { name }: UpgradeInput,
  { signal, progress }: StepContext,
  job: MachineJob,
): Promise<void> {
  const timeoutMs = job.unit === 'labwright-fetch' ? limits.fetchMs : limits.upgradeMs;
  await runMachineJob(openShell(hostName(name)), name, job, {
    clock,
    signal,
    progress,
    patienceMs: limits.silenceMs,
    timeoutMs,
  });
}

function neverWell({ name, version }: UpgradeInput, why: string): LabwrightError {
  return new LabwrightError('LW6036', {
    what: `${name} was upgraded to ${version} and is not well since`,
    where: { machine: name },
    why,
    fix: [
      `look at it: ssh ${name} sudo journalctl -u kubelet`,
      'labwright cluster upgrade   goes on from where it is; the other machines were left as they are',
    ],
  });
}

const guestFile = (name: string): string => readFileSync(join(import.meta.dirname, 'guest', name), 'utf8');
