// Brings one release to what the lab file says, from any state an interrupted run can have left it in.
//
//   claim (record) ─► clear what was interrupted ─► CRDs ─► helm upgrade --install ─► our objects ─► record
//                                                           fails: helm rolls back, and so does the step
import type { LabId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import type { Helm, HelmCall } from '@labwright/drivers/helm/helm';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { configMapKind, podKind } from '@labwright/drivers/kubernetes/kind';
import { isMarked, labLabel, labLabelValue } from '../formation/marks.ts';
import type { ChartAtHand } from './chart-store.ts';
import { revealValues, type SecretReader } from './chart-values.ts';
import { ensureNamespace, removeObject, settleObject } from './cluster-object.ts';
import { applyDefinitions, parseDefinitions } from './crd.ts';
import { describeWaiting } from './pod-waiting.ts';
import { formatRecord, isSameObject, parseRecord, recordName, referTo, type ReleaseRecord } from './release-record.ts';
import type { WantedRelease } from './wanted-release.ts';

export interface ReleaseChangeContext {
  readonly lab: LabId;
  readonly connection: ClusterConnection;
  readonly helm: Helm;
  readonly read: SecretReader;
  /** For each thing that helm waits for. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly progress: (detail: string) => void;
}

/** Throws LW7003 with helm's words after it rolled back, LW7004 for a release that is not ours. */
export async function changeRelease(
  wanted: WantedRelease,
  chart: ChartAtHand,
  context: ReleaseChangeContext,
): Promise<void> {
  const { lab, connection, helm, signal } = context;
  const revealed = await revealValues(wanted.values, wanted.place, context.read);
  await ensureNamespace(connection, wanted.namespace, { ...labelsOf(lab), ...wanted.namespaceLabels }, { signal });
  const before = await readRecord(wanted, context);
  await assertOurs(wanted, before, context);
  const references = wanted.objects.map(({ object }) => referTo(object));
  const left = (before?.objects ?? []).filter((each) => !references.some((other) => isSameObject(each, other)));
  const record: ReleaseRecord = {
    name: wanted.name,
    namespace: wanted.namespace,
    digest: before?.digest ?? '',
    secretPaths: [...new Set([...(before?.secretPaths ?? []), ...revealed.secretPaths])],
    objects: [...left, ...references],
  };
  // First of all: a release without a record would be taken for somebody else's ever after.
  await connection.apply(formatRecord(lab, record), { signal });
  await clearInterrupted(wanted, context);
  const { name, namespace } = wanted;
  const values = new Secret(JSON.stringify(revealed.values));
  const change = {
    name,
    namespace,
    chart: chart.path,
    values,
    secrets: revealed.secrets,
    timeoutMs: context.timeoutMs,
  };
  const definitions = parseDefinitions(await helm.showCrds(change, { signal }));
  if (definitions.length > 0) await applyDefinitions(connection, definitions, context);
  await upgradeAndWatch(wanted, context, async (call) => await helm.upgrade(change, call));
  await settleObjects(wanted, record, context);
  const secretPaths = revealed.secretPaths;
  await connection.apply(formatRecord(lab, { ...record, digest: chart.digest, secretPaths, objects: references }), {
    signal,
  });
}

const labelsOf = (lab: LabId): Readonly<Record<string, string>> => ({ [labLabel]: labLabelValue(lab) });

/** Our own objects only, for a release that is as it should be. */
export async function settleRelease(wanted: WantedRelease, context: ReleaseChangeContext): Promise<void> {
  const before = await readRecord(wanted, context);
  if (before === undefined) throw foreign(wanted);
  const references = wanted.objects.map(({ object }) => referTo(object));
  await context.connection.apply(
    formatRecord(context.lab, {
      ...before,
      objects: [
        ...before.objects,
        ...references.filter((each) => !before.objects.some((other) => isSameObject(each, other))),
      ],
    }),
    context,
  );
  await settleObjects(wanted, before, context);
  await context.connection.apply(formatRecord(context.lab, { ...before, objects: references }), context);
}

/** The release, our objects and the record, in this order: what is left by an interruption is removed by the next run. */
export async function removeRelease(
  name: { name: string; namespace: string },
  context: ReleaseChangeContext,
): Promise<void> {
  const { connection, helm, signal, timeoutMs } = context;
  const record = await readRecord(name, context);
  if (record === undefined) return;
  for (const object of record.objects) await removeObject(connection, object, { signal });
  await helm.uninstall(name, { signal, timeoutMs });
  await connection.delete(configMapKind, { name: recordName(name.name), namespace: name.namespace }, { signal });
}

async function readRecord(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  { lab, connection, signal }: ReleaseChangeContext,
): Promise<ReleaseRecord | undefined> {
  const found = await connection.get(configMapKind, { name: recordName(name), namespace }, { signal });
  return found !== undefined && isMarked(lab, found.metadata.labels) ? parseRecord(found) : undefined;
}

async function assertOurs(
  wanted: WantedRelease,
  record: ReleaseRecord | undefined,
  context: ReleaseChangeContext,
): Promise<void> {
  if (record !== undefined) return;
  const history = await context.helm.fetchHistory(wanted, context);
  if (history.length > 0) throw foreign(wanted);
}

function foreign({ name, namespace }: WantedRelease): LabwrightError {
  return new LabwrightError('LW7004', {
    what: `the release ${name} is not one that Labwright installed, so it is left alone`,
    where: { release: `${namespace}/${name}` },
    fix: [`remove it: helm uninstall ${name} --namespace ${namespace}`, 'or switch ours off in the lab file'],
  });
}

/**
 * Helm refuses everything while a change is pending, for ever when it was killed, and it does not upgrade a release that never
 * was deployed. Only one run changes a lab at a time, so what is pending now is nobody's.
 */
async function clearInterrupted(wanted: WantedRelease, context: ReleaseChangeContext): Promise<void> {
  const { helm, signal, timeoutMs } = context;
  const history = await helm.fetchHistory(wanted, context);
  const last = history.at(-1);
  if (last === undefined || last.status === 'deployed') return;
  const good = history.findLast(({ status }) => status === 'deployed' || status === 'superseded');
  if (good === undefined || last.status.startsWith('uninstall')) {
    context.progress('takes out what an interrupted run has left');
    await helm.uninstall(wanted, { signal, timeoutMs });
    return;
  }
  if (!last.status.startsWith('pending-')) return;
  context.progress(`goes back to revision ${good.revision}, before a change that was interrupted`);
  await helm.rollback(wanted, good.revision, { signal, timeoutMs });
}

const lookEveryMs = 3_000;

/** Tells what pods wait for as long as helm is at it, and in the error when it gives up: by then they are gone. */
async function upgradeAndWatch(
  wanted: WantedRelease,
  context: ReleaseChangeContext,
  upgrade: (call: HelmCall) => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  let waiting: readonly string[] = [];
  const look = async (): Promise<void> => {
    const labelSelector = `app.kubernetes.io/instance=${wanted.name}`;
    while (!signal.aborted) {
      await context.connection.clock.sleep(lookEveryMs, signal);
      const pods = await context.connection.list(podKind, { namespace: wanted.namespace, labelSelector }, { signal });
      const found = describeWaiting(pods);
      // Kept when a look finds none: between two pods of a crash loop there is nothing to see.
      if (found.length > 0) waiting = found;
      if (found[0] !== undefined) context.progress(found[0]);
    }
  };
  const looking = look().catch((error: unknown) => {
    if (signal.aborted) return;
    // It is only about telling more; what stops the work is told by the work.
    context.connection.log.debug('pods of a release could not be listed', {
      release: wanted.name,
      error: String(error),
    });
  });
  try {
    await upgrade({ signal: context.signal });
  } catch (error) {
    if (!(error instanceof LabwrightError) || error.code !== 'LW7003') throw error;
    throw withWaiting(error, waiting, await describeOutcome(wanted, context));
  } finally {
    ended.abort();
    await looking;
  }
}

/** Whether helm did roll back; it cannot when it loses the cluster itself. */
async function describeOutcome(wanted: WantedRelease, context: ReleaseChangeContext): Promise<string> {
  const history = await context.helm.fetchHistory(wanted, context);
  const last = history.at(-1);
  if (last === undefined) return 'it was taken out again';
  if (last.status === 'deployed') return 'it was rolled back to what it was before';
  return `the rollback did not end either: its status is ${last.status}; labwright up goes on from there`;
}

function withWaiting(error: LabwrightError, waiting: readonly string[], outcome: string): LabwrightError {
  const pods = waiting.length === 0 ? '' : `; pods waited: ${waiting.join('; ')}`;
  const { where, fix, log } = error;
  return new LabwrightError(error.code, {
    what: `${error.message}; ${outcome}`,
    ...{ where, fix, log },
    why: `${error.why ?? 'helm gave no reason'}${pods}`,
    cause: error,
  });
}

async function settleObjects(
  wanted: WantedRelease,
  record: ReleaseRecord,
  context: ReleaseChangeContext,
): Promise<void> {
  const { connection } = context;
  for (const object of wanted.objects) await settleObject(connection, object, context);
  const references = wanted.objects.map(({ object }) => referTo(object));
  const left = record.objects.filter((each) => !references.some((other) => isSameObject(each, other)));
  for (const object of left) await removeObject(connection, object, context);
}
