// The life of the cluster as one area of the running lab: who may leave it, what heals, upgrades, snapshots and restores.
import { isAbsolute, join } from 'node:path';
import { isRehearsal } from '@labwright/core/addresses/names';
import type { Blueprint, ClusterBlueprint, SnapshotsBlueprint } from '@labwright/core/blueprint/blueprint';
import { clusterNotFormed } from '@labwright/core/blueprint/missing-section';
import type { Executor } from '@labwright/core/engine/engine';
import { asLabwrightError, type ErrorJson, type LabwrightError } from '@labwright/core/errors/error';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { decryptAge, encryptAgeBytes } from '@labwright/core/lab/age';
import { readOrMakeAgeIdentity } from '@labwright/core/lab/age-identity';
import type { AreaPlan } from '@labwright/core/plan/plan';
import type { Clock } from '@labwright/core/ports/clock';
import type { EtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { fetchCertificates, type CertificateExpiry } from '@labwright/cluster/formation/certificates';
import { findJoinObstacles } from '@labwright/cluster/formation/join-version';
import { makeRenewalExecutor, planRenewals } from '@labwright/cluster/life/certificate-renewal';
import { planDepartures, type Departures } from '@labwright/cluster/life/departure';
import { hasPatches } from '@labwright/cluster/kubeadm/static-pod-patches';
import { makeNodeExecutors } from '@labwright/cluster/life/node-executors';
import type { ClusterPki } from '@labwright/cluster/pki/pki';
import type { PkiPlace } from '@labwright/cluster/pki/pki-vault';
import { makeRestoreExecutor, planRestore } from '@labwright/cluster/snapshot/restore-step';
import { assertFolderMounted, type SnapshotExport } from '@labwright/cluster/snapshot/folder-mount';
import { listSnapshots, readSnapshot, type SnapshotFolder } from '@labwright/cluster/snapshot/snapshot-folder';
import { makeSnapshotExecutor, removeWorkFolders } from '@labwright/cluster/snapshot/take-snapshot';
import { fetchControlPlaneVersions, fetchSharedVersion } from '@labwright/cluster/upgrade/component-versions';
import { fetchBegunNodes } from '@labwright/cluster/upgrade/cordon';
import { makeUpgradeExecutors, type ServedRelease } from '@labwright/cluster/upgrade/upgrade-executors';
import {
  findUpgradeNeed,
  formatUpgradeNote,
  planUpgrade,
  type UpgradeFacts,
} from '@labwright/cluster/upgrade/upgrade-plan';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { drainBlockedError, preflightDrain } from '@labwright/drivers/kubernetes/drain';
import { allMachines } from '@labwright/machines/replacements';
import type { ClusterReach } from './cluster-area.ts';
import { openEtcd } from './etcd-access.ts';

export interface LifeAreaOptions {
  /** As the lab file has it. */
  readonly blueprint: Blueprint;
  /** As it held with replacements when the hypervisors were last looked at. */
  readonly currentBlueprint: () => Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly reach: ClusterReach;
  readonly keys: Omit<PkiPlace, 'lab'>;
  /** Folder of the lab file: what it names is relative to it. */
  readonly labFolder: string;
  /** Private (0700). */
  readonly stateDirectory: string;
  readonly prepareRelease: (
    version: ClusterBlueprint['version'],
    call: { readonly signal: AbortSignal; readonly progress: (words: string) => void },
  ) => Promise<ServedRelease>;
  readonly clock: Clock;
}

export interface LifeArea {
  readonly executors: ReadonlyMap<string, Executor>;
  /** For one plan in which these machines may have to leave the cluster. */
  openDepartures(facts: ClusterFacts, leaving: readonly string[], signal: AbortSignal): Promise<Departures>;
  /** Throws what stands in the way, before anything changes. */
  planUpgrade(blueprint: Blueprint, facts: ClusterFacts, signal: AbortSignal): Promise<AreaPlan>;
  /** "the file says Kubernetes 1.20.3 …"; undefined when there is nothing to say. */
  findUpgradeNote(blueprint: Blueprint, facts: ClusterFacts, signal: AbortSignal): Promise<string | undefined>;
  /** Throws LW6033 when etcd would not decide while one of them starts again. */
  planRenewals(blueprint: Blueprint, facts: ClusterFacts, signal: AbortSignal): Promise<AreaPlan>;
  /** Reads and verifies the file; for the machines of the blueprint as it holds with replacements. Throws LW6034 and the like. */
  planRestore(blueprint: Blueprint, file: string, signal: AbortSignal): Promise<AreaPlan>;
  /** When the newest snapshot was taken, milliseconds since 1970 UTC. Throws LW0005, also for a folder that does not answer. */
  fetchLastSnapshotAt(signal: AbortSignal): Promise<number | undefined>;
  /** Removes what a process that was killed has left of a snapshot. Only while nobody takes one. */
  clearLeftovers(): Promise<void>;
}

const defaultSnapshots: SnapshotsBlueprint = { folder: 'snapshots', everyMs: 6 * 3_600_000, keep: 28 };

export function makeLifeArea(options: LifeAreaOptions): LifeArea {
  const { blueprint, cluster, reach, clock, stateDirectory } = options;
  const snapshots = blueprint.snapshots ?? defaultSnapshots;
  const folder = openFolder(options, snapshots);
  const pkiOf = async (signal: AbortSignal): Promise<ClusterPki> => {
    const pki = await reach.vault.read(signal);
    if (pki === undefined) throw clusterNotFormed();
    return pki;
  };
  const connect = async (signal: AbortSignal): Promise<ClusterConnection> => await reach.connect(await pkiOf(signal));
  const etcd = async (signal: AbortSignal): Promise<EtcdGroup> =>
    await openEtcd(options.currentBlueprint(), await pkiOf(signal), clock);
  const shared = { lab: blueprint.lab, connect, openEtcd: etcd, openShell: reach.openShell, clock } as const;

  const upgradeFacts = async (
    facts: ClusterFacts,
    signal: AbortSignal,
  ): Promise<Omit<UpgradeFacts, 'drainObstacles'>> => {
    if (facts.kind === 'silent') return { cluster: facts, controlPlanes: new Map(), begun: new Set() };
    const connection = await connect(signal);
    const [controlPlanes, sharedVersion, begun] = await Promise.all([
      fetchControlPlaneVersions(connection, { signal }),
      fetchSharedVersion(connection, { signal }),
      fetchBegunNodes(connection, { signal }),
    ]);
    return { cluster: facts, controlPlanes, begun, ...(sharedVersion === undefined ? {} : { shared: sharedVersion }) };
  };

  return {
    executors: new Map<string, Executor>([
      ...makeNodeExecutors(shared),
      ...makeUpgradeExecutors({ ...shared, prepareRelease: options.prepareRelease, hasPatches: hasPatches(cluster) }),
      [
        'cluster.snapshot',
        makeSnapshotExecutor({
          openEtcd: etcd,
          folder,
          keep: snapshots.keep,
          assertMounted: async (signal) =>
            await assertFolderMounted({
              signal,
              folder: folder.path,
              exports: listSnapshotExports(blueprint),
              memory: join(stateDirectory, 'snapshot-mount.json'),
            }),
          workFolder: stateDirectory,
          clock,
        }),
      ],
      ['certs.renew', makeRenewalExecutor(shared)],
      ['cluster.restore', makeRestoreExecutor({ ...shared, cipher: folder.cipher })],
    ]),
    openDepartures: async (facts, leaving, signal) => {
      const drainObstacles = await findDrainObstacles(connect, facts, leaving, signal);
      const joinObstacles = findJoinObstacles(cluster.version, allMachines(blueprint), facts);
      return planDepartures({ cluster: facts, drainObstacles, joinObstacles, blueprint });
    },
    planUpgrade: async (effective, facts, signal) => {
      const known = await upgradeFacts(facts, signal);
      const need = findUpgradeNeed(effective, { ...known, drainObstacles: new Map() });
      const drainObstacles = await findDrainObstacles(connect, facts, need?.machines ?? [], signal);
      return planUpgrade(effective, { ...known, drainObstacles });
    },
    findUpgradeNote: async (effective, facts, signal) => {
      const need = findUpgradeNeed(effective, { ...(await upgradeFacts(facts, signal)), drainObstacles: new Map() });
      return need === undefined ? undefined : formatUpgradeNote(need);
    },
    planRenewals: async (effective, facts, signal) => {
      // Before a cluster is formed its machines have none.
      if ((await reach.vault.read(signal)) === undefined) return { steps: [], problems: [], notes: [] };
      const { certificates, ...left } = await fetchControlPlaneCertificates(reach, effective, signal);
      const members = facts.kind === 'answers' ? (facts.members ?? []) : [];
      return { steps: planRenewals(effective, { certificates, members, now: clock.now() }), ...left };
    },
    planRestore: async (effective, file, signal) => {
      const { summary } = await readSnapshot(file, folder.cipher, signal);
      return { steps: [planRestore(effective, file, summary)], problems: [], notes: [] };
    },
    fetchLastSnapshotAt: async (signal) => (await listSnapshots(folder, signal))[0]?.takenAt,
    clearLeftovers: async () => await removeWorkFolders(stateDirectory),
  };
}

const shellMs = 20_000;

interface ControlPlaneCertificates extends Omit<AreaPlan, 'steps'> {
  readonly certificates: ReadonlyMap<string, readonly CertificateExpiry[]>;
}

/** Of those that could be asked; of the others it says why: theirs may end as well. */
async function fetchControlPlaneCertificates(
  { openShell }: ClusterReach,
  { machines }: Blueprint,
  signal: AbortSignal,
): Promise<ControlPlaneCertificates> {
  const certificates = new Map<string, readonly CertificateExpiry[]>();
  const problems: ErrorJson[] = [];
  const notes: string[] = [];
  for (const { name } of machines.filter(({ role }) => role === 'control-plane')) {
    try {
      certificates.set(name, await fetchCertificates(openShell, name, { timeoutMs: shellMs, signal }));
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asLabwrightError(thrown);
      const { code, why, message } = error;
      // One that is off is told of elsewhere.
      if (code === 'LW3003' || code === 'LW3004')
        notes.push(`${name} could not be asked for its certificates: ${why ?? message}`);
      else if (code === 'LW6036') problems.push(error.toJSON());
      else throw thrown;
    }
  }
  return { certificates, problems, notes };
}

/** Of nodes that are ready: the others are not drained. */
async function findDrainObstacles(
  connect: (signal: AbortSignal) => Promise<ClusterConnection>,
  facts: ClusterFacts,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LabwrightError>> {
  const obstacles = new Map<string, LabwrightError>();
  if (facts.kind === 'silent') return obstacles;
  const ready = facts.nodes.filter((node) => node.ready === 'ready' && names.includes(node.name));
  for (const { name } of ready) {
    const { blockers } = await preflightDrain(await connect(signal), name, { signal });
    if (blockers.length > 0) obstacles.set(name, drainBlockedError(name, blockers));
  }
  return obstacles;
}

/** None in a rehearsal: its NAS is in a network of its own, and this computer mounts nothing of it. */
function listSnapshotExports({ lab, nas }: Pick<Blueprint, 'lab' | 'nas'>): readonly SnapshotExport[] {
  if (isRehearsal(lab)) return [];
  return nas.flatMap(({ name, address, exports }) =>
    exports.flatMap(({ path, use }) => (use === 'snapshots' ? [{ nas: name, address, path }] : [])),
  );
}

/** Encrypted with the identity that also opens the cluster's keys: a snapshot holds every Secret there is. */
function openFolder(
  { blueprint, keys, labFolder, clock }: LifeAreaOptions,
  { folder }: SnapshotsBlueprint,
): SnapshotFolder {
  const identities = async (signal: AbortSignal) =>
    await readOrMakeAgeIdentity(keys.identity, [keys.file, ...keys.alsoOpened], { clock, signal });
  return {
    path: isAbsolute(folder) ? folder : join(labFolder, folder),
    lab: blueprint.lab,
    cipher: {
      seal: async (plain, signal) => await encryptAgeBytes(plain, await identities(signal)),
      open: async (sealed, signal) => await decryptAge(sealed, await identities(signal)),
    },
  };
}
