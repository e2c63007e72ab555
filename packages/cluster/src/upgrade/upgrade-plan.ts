// The planner of an upgrade: from what runs now to the steps that bring every machine to the lab file's version. Pure.
//
//   prepare ─▶ fetch (every machine) ─▶ snapshot ─▶ control plane ─▶ control plane ─▶ … ─▶ worker ─▶ worker ─▶ …
//
// Refused as a whole, before the first step, or run one machine after the other until one fails.
import { compareVersions, minorOf, type KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts, NodeFacts } from '@labwright/core/facts/cluster';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { stepId, type Step } from '@labwright/core/plan/step';
import { assertAllowed, judgeMember } from '../etcd/etcd-group.ts';
import { membershipQueue } from '../life/departure.ts';

export interface UpgradeFacts {
  readonly cluster: ClusterFacts;
  /** Of each control plane by its static pods: the oldest of API server, controllers and scheduler. Without an entry unknown. */
  readonly controlPlanes: ReadonlyMap<string, KubernetesVersion>;
  /** Of what they share (kubeadm's configuration in the cluster, kube-proxy): undefined when it is not known. */
  readonly shared?: KubernetesVersion;
  /** Nodes that an upgrade before this one cordoned and did not come back to. */
  readonly begun: ReadonlySet<string>;
  /** By node: why it cannot be drained. */
  readonly drainObstacles: ReadonlyMap<string, LabwrightError>;
}

export type UpgradeInput = {
  readonly name: string;
  readonly version: string;
  /** first: `kubeadm upgrade apply`, which also changes what all share; the others: `upgrade node`. */
  readonly role: 'first' | 'control-plane' | 'worker';
};

export type PrepareInput = { readonly version: string };

/** As they were seen in the rehearsal on two cores without KVM. */
const estimates = { prepareMs: 5_000, fetchMs: 30_000, snapshotMs: 5_000, controlPlaneMs: 240_000, workerMs: 90_000 };

export interface UpgradeNeed {
  readonly from: KubernetesVersion;
  readonly to: KubernetesVersion;
  readonly machines: readonly string[];
}

/** What an upgrade would have to do; undefined when every machine has the file's version or the cluster does not answer. */
export function findUpgradeNeed(blueprint: Blueprint, facts: UpgradeFacts): UpgradeNeed | undefined {
  const { cluster } = blueprint;
  if (cluster === undefined || facts.cluster.kind === 'silent') return undefined;
  const nodes = new Map(facts.cluster.nodes.map((node) => [node.name, node]));
  const behind = blueprint.machines.filter((machine) => {
    const node = nodes.get(machine.name);
    return node !== undefined && machine.role !== undefined && !isAt(cluster.version, machine, node, facts);
  });
  if (behind.length === 0) return undefined;
  const versions = behind.flatMap((machine) => versionsOf(machine.name, nodes.get(machine.name), facts));
  const [oldest = facts.cluster.version] = versions.toSorted(compareVersions);
  return { from: oldest, to: cluster.version, machines: behind.map(({ name }) => name) };
}

/** For `up`, which upgrades nothing by itself: the one line that says that an upgrade is due. */
export function formatUpgradeNote({ from, to, machines }: UpgradeNeed): string {
  const which = machines.length === 1 ? (machines[0] ?? '') : `${machines.length} machines`;
  return `the file says Kubernetes ${to} and ${which} ${machines.length === 1 ? 'runs' : 'run'} ${from}: labwright cluster upgrade`;
}

/** Throws LW6001 when the cluster does not answer, LW6033, LW6035 and LW6007 for what stands in the way of any of it. */
export function planUpgrade(blueprint: Blueprint, facts: UpgradeFacts): AreaPlan {
  const { cluster } = blueprint;
  if (cluster === undefined)
    throw refuse('this lab has no cluster', 'there is no kubernetes section in the lab file', [
      'labwright config check',
    ]);
  if (facts.cluster.kind === 'silent') throw silent(facts.cluster.why);
  const need = findUpgradeNeed(blueprint, facts);
  if (need === undefined)
    return { steps: [], problems: [], notes: [`every machine runs Kubernetes ${cluster.version}`] };
  assertSkew(need, facts.cluster, facts);
  const missing = assertReady(blueprint, facts.cluster, facts);
  const behind = blueprint.machines.filter((machine) => need.machines.includes(machine.name));
  for (const { name } of behind) {
    const obstacle = facts.drainObstacles.get(name);
    if (obstacle !== undefined) throw obstacle;
    assertAllowed(name, judgeMember({ members: facts.cluster.members ?? [] }, name, 'pause'));
  }
  const notes = missing.map((name) => `${name} is not in the cluster and joins afterwards: labwright up`);
  return { steps: planSteps(behind, need, facts), problems: [], notes };
}

function planSteps(behind: readonly MachineBlueprint[], { to }: UpgradeNeed, facts: UpgradeFacts): readonly Step[] {
  const prepare = makeStep('upgrade.prepare', 'cluster', {
    title: `have Kubernetes ${to} ready for the machines`,
    estimateMs: estimates.prepareMs,
    input: { version: to },
  });
  const fetches = behind.map((machine) =>
    makeStep('upgrade.fetch', machine.name, {
      title: `fetch Kubernetes ${to} on ${machine.name}`,
      needs: [prepare.id],
      estimateMs: estimates.fetchMs,
      input: { name: machine.name, version: to, role: machine.role === 'worker' ? 'worker' : 'control-plane' },
    }),
  );
  const controlPlanes = behind.filter(({ role }) => role === 'control-plane');
  const workers = behind.filter(({ role }) => role === 'worker');
  // `apply` changes what all share, as the last of its parts; until that is done it is the one to run again.
  const isApplied = facts.shared === to;
  const snapshot =
    controlPlanes.length === 0
      ? []
      : [
          makeStep('cluster.snapshot', 'cluster', {
            title: 'take a snapshot of etcd',
            needs: fetches.map(({ id }) => id),
            estimateMs: estimates.snapshotMs,
            input: { reason: 'before-upgrade' },
          }),
        ];
  let before = (snapshot.length > 0 ? snapshot : fetches).map(({ id }) => id);
  const upgrades = [...controlPlanes, ...workers].map((machine, at) => {
    const role = machine.role === 'worker' ? 'worker' : at === 0 && !isApplied ? 'first' : 'control-plane';
    const input: UpgradeInput = { name: machine.name, version: to, role };
    const step = makeStep('cluster.upgrade', machine.name, {
      title: `upgrade ${machine.name} to ${to}`,
      needs: before,
      risk: { level: 'restart' },
      estimateMs: role === 'worker' ? estimates.workerMs : estimates.controlPlaneMs,
      queues: [`vm/${machine.vmId}`, `node/${machine.name}`, ...(role === 'worker' ? [] : [membershipQueue])],
      input: { ...input },
    });
    before = [step.id];
    return step;
  });
  return [prepare, ...fetches, ...snapshot, ...upgrades];
}

/** How many minor versions a kubelet may be older than its API server: two up to 1.27, three since. */
const oldestKubelet = (apiServer: KubernetesVersion): number => minorOf(apiServer) - (minorOf(apiServer) >= 28 ? 3 : 2);

function assertSkew(
  { to }: UpgradeNeed,
  cluster: Extract<ClusterFacts, { kind: 'answers' }>,
  facts: UpgradeFacts,
): void {
  const controls = [cluster.version, ...facts.controlPlanes.values()].toSorted(compareVersions);
  const [oldest = cluster.version] = controls;
  const newest = controls.at(-1) ?? cluster.version;
  if (compareVersions(to, newest) < 0) {
    throw refuse(
      `the file says Kubernetes ${to}, and the cluster runs ${newest}`,
      'Kubernetes does not go back: what a newer version wrote, an older one may not read',
      [`kubernetes.version: ${newest}`],
    );
  }
  if (minorOf(to) > minorOf(oldest) + 1) {
    const next = minorOf(oldest) + 1;
    throw refuse(
      `from ${oldest} to ${to} skips ${minorOf(to) - next === 1 ? `1.${next}` : `1.${next} to 1.${minorOf(to) - 1}`}`,
      'Kubernetes is upgraded one minor version at a time',
      [`kubernetes.version: 1.${next}.x first, then labwright cluster upgrade`],
    );
  }
  for (const node of cluster.nodes) {
    if (compareVersions(node.kubelet, to) > 0) {
      throw refuse(
        `the kubelet of ${node.name} is ${node.kubelet}, newer than ${to}`,
        'no kubelet may be newer than the API servers',
        [`kubernetes.version: ${node.kubelet} or later`],
      );
    }
    if (minorOf(node.kubelet) < oldestKubelet(to)) {
      const fix = node.ours
        ? `kubernetes.version: ${oldest}, then labwright cluster upgrade`
        : `upgrade ${node.name} first; it is not Labwright’s`;
      throw refuse(
        `the kubelet of ${node.name} is ${node.kubelet}`,
        `with API servers ${to} it may not be older than 1.${oldestKubelet(to)}`,
        [fix],
      );
    }
  }
}

/**
 * An upgrade that is under way goes on without machines that are not in the cluster, and gives their names: they can only join
 * when it is done.
 */
function assertReady(
  blueprint: Blueprint,
  cluster: Extract<ClusterFacts, { kind: 'answers' }>,
  { controlPlanes }: UpgradeFacts,
): readonly string[] {
  const to = blueprint.cluster?.version ?? cluster.version;
  const nodes = new Map<string, NodeFacts>(cluster.nodes.map((node) => [node.name, node]));
  const members = blueprint.machines.filter(({ role }) => role !== undefined);
  const isUnderWay = [cluster.version, ...controlPlanes.values()].includes(to);
  const missing = members.filter(({ name }) => !nodes.has(name));
  const unready = cluster.nodes.filter(({ ready, ours }) => ours && ready !== 'ready');
  if (unready.length === 0 && (isUnderWay || missing.length === 0)) return missing.map(({ name }) => name);
  const why = [
    ...missing.map(({ name }) => `${name} is not in it`),
    ...unready.map(({ name, why: words }) => `${name} is not Ready${words === undefined ? '' : `: ${words}`}`),
  ];
  const lost = unready[0]?.name;
  const fix = isUnderWay
    ? [
        'labwright up   starts what has stopped',
        ...(lost === undefined ? [] : [`labwright destroy ${lost}   if it is lost; the upgrade goes on without it`]),
      ]
    : [
        // With the new version nothing joins before the upgrade, and without what is missing there is none: one edit has to wait.
        `kubernetes.version: ${cluster.version}, then labwright up, which brings in and mends what it can; raise it again after that`,
        ...(missing.length === 0 ? [] : [`or take what is new out of the file again (${formatPools(missing)})`]),
      ];
  throw refuse('not every machine of the cluster is well', why.join('; '), [...fix, 'labwright cluster status']);
}

/** "pools.workers.count" */
function formatPools(machines: readonly MachineBlueprint[]): string {
  return [...new Set(machines.map(({ pool }) => `pools.${pool}.count`))].join(', ');
}

function isAt(wanted: KubernetesVersion, machine: MachineBlueprint, node: NodeFacts, facts: UpgradeFacts): boolean {
  if (facts.begun.has(machine.name)) return false;
  return versionsOf(machine.name, node, facts).every((version) => version === wanted);
}

function versionsOf(
  name: string,
  node: NodeFacts | undefined,
  { controlPlanes }: UpgradeFacts,
): readonly KubernetesVersion[] {
  const control = controlPlanes.get(name);
  return [...(node === undefined ? [] : [node.kubelet]), ...(control === undefined ? [] : [control])];
}

function makeStep(
  kind: string,
  target: string,
  step: Pick<Step, 'title' | 'estimateMs' | 'input'> & Partial<Step>,
): Step {
  return {
    id: stepId(kind, target),
    kind,
    target,
    change: 'change',
    reason: 'the version in the lab file was raised',
    needs: [],
    risk: { level: 'none' },
    relies: [],
    queues: [],
    ...step,
  };
}

const refuse = (what: string, why: string, fix: readonly string[]): LabwrightError =>
  new LabwrightError('LW6035', { what, why, fix });

const silent = (why: string): LabwrightError =>
  new LabwrightError('LW6001', {
    what: 'the cluster does not answer, so it is not upgraded',
    why,
    fix: ['labwright up   brings back what has stopped', 'labwright cluster status'],
  });
