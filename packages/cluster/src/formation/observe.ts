// Looks at the cluster: what its API says, and where that is silent or a node is not ready, what the machines' own disks say.
import { parseKubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { parseHostName, type HostName } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterRole } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts, DiskFacts, EtcdMemberFacts, NodeFacts } from '@labwright/core/facts/cluster';
import type { Clock } from '@labwright/core/ports/clock';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { configMapKind, type Node } from '@labwright/drivers/kubernetes/kind';
import { isNodeReady, listNodes } from '@labwright/drivers/kubernetes/nodes';
import type { ClusterPki } from '../pki/pki.ts';
import type { PkiVault } from '../pki/pki-vault.ts';
import { settledName } from './cluster-objects.ts';
import type { RunningVersions } from './join-version.ts';
import { fetchDiskState } from './machine-disk.ts';
import { isMarked, roleLabel } from './marks.ts';
import { describeNode } from './node-readiness.ts';
import type { OpenShell } from './shell.ts';

export interface ObserveOptions {
  readonly blueprint: Blueprint;
  readonly vault: PkiVault;
  readonly connect: (pki: ClusterPki) => Promise<ClusterConnection>;
  readonly openShell: OpenShell;
  /** Members that run and have told their host key: the others are not asked. */
  readonly reachable: ReadonlySet<HostName>;
  /**
   * Filled here: control planes whose disk said that they are members since they booted last. While they are ready they are not
   * asked again; the others are, since a run of kubeadm that ended badly at its end leaves a node that is ready.
   */
  readonly settled?: Set<string>;
  /** etcd's members, where somebody can ask for them; undefined when nobody answers. */
  readonly listMembers?: (pki: ClusterPki, signal: AbortSignal) => Promise<readonly EtcdMemberFacts[] | undefined>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A machine that boots answers on none of its ports; one that runs answers at once. */
const answerMs = 4_000;
const diskMs = 15_000;

/** A silent API is a finding, not an error. Throws LW1003 and LW6010 for keys that cannot be used. */
export async function observeCluster(options: ObserveOptions): Promise<ClusterFacts> {
  const { clock, vault, signal } = options;
  const pki = await vault.read(signal);
  const asOf = clock.now();
  if (pki === undefined) {
    const disks = await askDisks(options, undefined, new Set());
    return { kind: 'silent', why: 'this lab never had a cluster', hasKeys: false, disks, asOf };
  }
  const seen = await askApi(options, pki);
  const { settled = new Set() } = options;
  const nodes = 'why' in seen ? [] : seen.nodes;
  const well = nodes.filter((node) => node.ready === 'ready' && (node.role === 'worker' || settled.has(bootOf(node))));
  const [disks, known] = await Promise.all([
    askDisks(options, pki, new Set(well.map(({ name }) => name))),
    options.listMembers?.(pki, signal),
  ]);
  if ('why' in seen) return { kind: 'silent', why: seen.why, hasKeys: true, disks, members: known ?? [], asOf };
  for (const node of nodes)
    if (disks.some(({ name, state }) => name === node.name && state === 'member')) settled.add(bootOf(node));
  return { ...seen, kind: 'answers', disks, ...(known === undefined ? {} : { members: known }), asOf };
}

const bootOf = ({ name, bootId }: NodeFacts): string => `${name} ${bootId}`;

type Seen = Pick<Extract<ClusterFacts, { readonly kind: 'answers' }>, 'version' | 'nodes' | 'settled'>;

async function askApi(
  { blueprint, connect, signal }: ObserveOptions,
  pki: ClusterPki,
): Promise<Seen | { readonly why: string }> {
  const patience = AbortSignal.timeout(answerMs);
  const call = { signal: AbortSignal.any([signal, patience]), tries: 1 };
  try {
    const connection = await connect(pki);
    const unready = await connection.fetchUnreadiness(call);
    if (unready !== undefined) return { why: unready };
    const unhurried = { signal };
    const [version, nodes, settled] = await Promise.all([
      connection.fetchVersion(unhurried),
      listNodes(connection, unhurried),
      connection.get(configMapKind, settledName, unhurried),
    ]);
    const digest = settled?.data?.['settled'];
    return {
      version,
      nodes: nodes.flatMap((node) => describeFacts(blueprint, node)),
      ...(digest === undefined ? {} : { settled: digest }),
    };
  } catch (thrown) {
    signal.throwIfAborted();
    if (patience.aborted) return { why: `nothing came within ${answerMs / 1000} s` };
    const error = asLabwrightError(thrown);
    if (error.code === 'LW6001') return { why: error.why ?? error.message };
    throw error;
  }
}

/** What its control planes and their kubelets are now, of one that answers. */
export async function fetchRunningVersions(
  connection: ClusterConnection,
  blueprint: Pick<Blueprint, 'lab'>,
  signal: AbortSignal,
): Promise<RunningVersions> {
  const [version, nodes] = await Promise.all([connection.fetchVersion({ signal }), listNodes(connection, { signal })]);
  return { version, nodes: nodes.flatMap((node) => describeFacts(blueprint, node)) };
}

/** Nodes whose name is no host name cannot be ours and are left out. */
function describeFacts({ lab }: Pick<Blueprint, 'lab'>, node: Node): readonly NodeFacts[] {
  const name = parseHostName(node.metadata.name);
  const kubelet = parseKubernetesVersion(node.status?.nodeInfo?.kubeletVersion.replace(/[-+].*$/, '') ?? '');
  if (name === undefined || kubelet === undefined) return [];
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return [
    {
      name,
      role: roleOf(node),
      ready: isNodeReady(node) ? 'ready' : ready === 'Unknown' ? 'unknown' : 'not-ready',
      ...(isNodeReady(node) ? {} : { why: describeNode(node) }),
      kubelet,
      schedulable: node.spec.unschedulable !== true,
      ours: isMarked(lab, node.metadata.labels),
      bootId: node.status?.nodeInfo?.bootID ?? '',
    },
  ];
}

/** Our own mark, or else kubeadm's: "master" up to 1.23, both in 1.20 to 1.23, "control-plane" since. */
function roleOf(node: Node): ClusterRole {
  const labels = node.metadata.labels ?? {};
  const own = labels[roleLabel];
  if (own === 'control-plane' || own === 'worker') return own;
  const marks = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
  return marks.some((mark) => Object.hasOwn(labels, mark)) ? 'control-plane' : 'worker';
}

/** Of the members that are not known to be well. One that cannot be asked is left out: its disk is not known. */
async function askDisks(
  { blueprint, openShell, reachable, signal }: ObserveOptions,
  pki: ClusterPki | undefined,
  well: ReadonlySet<HostName>,
): Promise<readonly DiskFacts[]> {
  const asked = blueprint.machines.filter(
    ({ name, role }) => role !== undefined && reachable.has(name) && !well.has(name),
  );
  const answers = await Promise.all(
    asked.map(async ({ name }): Promise<readonly DiskFacts[]> => {
      try {
        const state = await fetchDiskState(openShell(name), pki?.ca.certificate, { timeoutMs: diskMs, signal });
        return [{ name, state }];
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LabwrightError && (error.code === 'LW3003' || error.code === 'LW3004')) return [];
        throw error;
      }
    }),
  );
  return answers.flat();
}
