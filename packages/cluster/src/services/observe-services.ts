// Looks at the releases and Secrets of the cluster, and at the charts that are wanted. Changes nothing but the cache of charts.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Helm, Release } from '@labwright/drivers/helm/helm';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { configMapKind } from '@labwright/drivers/kubernetes/kind';
import { labLabel, labLabelValue } from '../formation/marks.ts';
import { type ChartStore, ensureChart } from './chart-store.ts';
import { diffValues, revealValues, type SecretReader } from './chart-values.ts';
import { formatReference, isSettled } from './cluster-object.ts';
import { isSameObject, parseRecord, referTo, releaseLabel, type ReleaseRecord } from './release-record.ts';
import { observeSecrets } from './service-secret.ts';
import type { ReleaseFacts, SecretFacts, ServiceFacts, WantedFacts } from './service-facts.ts';
import type { WantedRelease } from './wanted-release.ts';
import { wantedReleases } from './wanted-releases.ts';

export interface ObserveServicesOptions {
  /** Undefined while the cluster does not answer. */
  readonly connection?: ClusterConnection;
  /** Asked for only when there is or should be a release; may throw LW7001. */
  readonly helm: () => Promise<Helm>;
  readonly charts: ChartStore;
  readonly read: SecretReader;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Problems of single releases are among the facts. Throws only what stops everything: LW6xxx of a cluster that breaks off. */
export async function observeServices(blueprint: Blueprint, options: ObserveServicesOptions): Promise<ServiceFacts> {
  const { connection, clock } = options;
  const asOf = clock.now();
  const wanted = wantedReleases(blueprint);
  const records = connection === undefined ? [] : await listRecords(blueprint, connection, options);
  const secrets = await observeLabSecrets(blueprint, options);
  const base = { asOf, cluster: connection === undefined ? 'silent' : 'answers', secrets } as const;
  if (wanted.releases.length === 0 && records.length === 0) {
    return { ...base, releases: [], wanted: new Map(), problems: wanted.problems };
  }
  let helm: Helm;
  let installed: readonly Release[];
  try {
    helm = await options.helm();
    installed = connection === undefined ? [] : await helm.listReleases(options);
  } catch (error) {
    options.signal.throwIfAborted();
    const problems = [...wanted.problems, asLabwrightError(error).toJSON()];
    return { ...base, releases: [], wanted: new Map(), problems };
  }
  const releases = joinReleases(wanted.releases, records, installed);
  const facts = new Map<string, WantedFacts>();
  for (const release of wanted.releases) {
    const there = releases.find((each) => each.name === release.name && each.namespace === release.namespace);
    facts.set(release.name, await observeWanted(release, there, helm, options));
  }
  return { ...base, releases, wanted: facts, problems: wanted.problems };
}

async function listRecords(
  { lab }: Blueprint,
  connection: ClusterConnection,
  { signal }: ObserveServicesOptions,
): Promise<readonly ReleaseRecord[]> {
  const labelSelector = `${labLabel}=${labLabelValue(lab)},${releaseLabel}`;
  const found = await connection.list(configMapKind, { labelSelector }, { signal });
  return found.flatMap((configMap) => parseRecord(configMap) ?? []);
}

async function observeLabSecrets(
  { lab, charts }: Blueprint,
  { connection, read, signal }: ObserveServicesOptions,
): Promise<readonly SecretFacts[]> {
  const wanted = charts?.secrets ?? [];
  if (connection !== undefined) return await observeSecrets(lab, wanted, connection, { read, signal });
  return wanted.map(({ name, namespace }) => ({ name, namespace, state: { kind: 'absent' } }));
}

/** Those with a record, and those in the way of a wanted one. Other people's releases are nobody's business here. */
function joinReleases(
  wanted: readonly WantedRelease[],
  records: readonly ReleaseRecord[],
  installed: readonly Release[],
): readonly ReleaseFacts[] {
  const isSame = (one: { name: string; namespace: string }, other: { name: string; namespace: string }): boolean =>
    one.name === other.name && one.namespace === other.namespace;
  const withRecord = records.map((record): ReleaseFacts => {
    const { name, namespace } = record;
    return { name, namespace, record, ...installedFacts(installed.find((each) => isSame(each, record))) };
  });
  const inTheWay = installed
    .filter(
      (each) => wanted.some((release) => isSame(release, each)) && !records.some((record) => isSame(record, each)),
    )
    .map((each): ReleaseFacts => ({ name: each.name, namespace: each.namespace, ...installedFacts(each) }));
  return [...withRecord, ...inTheWay];
}

function installedFacts(release: Release | undefined): Pick<ReleaseFacts, 'installed'> {
  if (release === undefined) return {};
  const { revision, status, chartVersion } = release;
  return { installed: { revision, status, chartVersion } };
}

async function observeWanted(
  release: WantedRelease,
  there: ReleaseFacts | undefined,
  helm: Helm,
  options: ObserveServicesOptions,
): Promise<WantedFacts> {
  try {
    const chart = await ensureChart(release.chart, options.charts, helm, options);
    const revealed = await revealValues(release.values, release.place, options.read);
    const isOurs = there?.installed !== undefined && there.record !== undefined;
    const before = isOurs ? await helm.fetchValues(release, options) : {};
    const paths = [...revealed.secretPaths, ...(there?.record?.secretPaths ?? [])];
    const changes = diffValues(before, revealed.values, { paths, secrets: revealed.secrets });
    const unsettled = isOurs ? await findUnsettled(release, there.record, options) : [];
    return { kind: 'ready', version: chart.version, digest: chart.digest, changes, unsettled };
  } catch (error) {
    options.signal.throwIfAborted();
    const known: ErrorJson = asLabwrightError(error).toJSON();
    // A cluster that breaks off is no fault of this release.
    if (known.code.startsWith('LW6') || known.code === 'LW0001') throw error;
    return { kind: 'unready', error: known };
  }
}

async function findUnsettled(
  { objects }: WantedRelease,
  record: ReleaseRecord | undefined,
  { connection, signal }: ObserveServicesOptions,
): Promise<readonly string[]> {
  if (connection === undefined) return [];
  const unsettled: string[] = [];
  for (const { object } of objects) {
    if (!(await isSettled(connection, object, { signal }))) unsettled.push(formatReference(referTo(object)));
  }
  const left = (record?.objects ?? []).filter(
    (each) => !objects.some(({ object }) => isSameObject(referTo(object), each)),
  );
  return [...unsettled, ...left.map(formatReference)];
}
