// What each kind of service step does. Thin: the plan has decided, helm and the API server do the work.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { invariant, LabwrightError } from '@labwright/core/errors/error';
import type { Json } from '@labwright/core/plan/step';
import type { Helm } from '@labwright/drivers/helm/helm';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { secretKind } from '@labwright/drivers/kubernetes/kind';
import { isMarked, labLabel, labLabelValue } from '../formation/marks.ts';
import { type ChartAtHand, type ChartStore, ensureChart } from './chart-store.ts';
import type { SecretReader } from './chart-values.ts';
import { ensureNamespace } from './cluster-object.ts';
import { changeRelease, type ReleaseChangeContext, removeRelease, settleRelease } from './release-change.ts';
import type { ReleaseStepInput, SecretStepInput } from './service-plan.ts';
import { makeSecretObject } from './service-secret.ts';
import type { WantedRelease } from './wanted-release.ts';
import { wantedReleases } from './wanted-releases.ts';

export interface ServiceExecutorOptions {
  readonly blueprint: Blueprint;
  /** Asked at each step: the cluster may be formed in the same run. */
  readonly connection: () => Promise<ClusterConnection>;
  readonly helm: () => Promise<Helm>;
  readonly charts: ChartStore;
  readonly read: SecretReader;
  /** For each thing that helm waits for; default ten minutes, twice that where machines are emulated. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 10 * 60_000;

export function makeServiceExecutors(options: ServiceExecutorOptions): ReadonlyMap<string, Executor> {
  const { blueprint, read } = options;
  const { lab, cluster } = blueprint;
  const timeoutMs = options.timeoutMs ?? (cluster?.slow === true ? 2 * defaultTimeoutMs : defaultTimeoutMs);
  const contextOf = async (step: StepContext): Promise<ReleaseChangeContext> => ({
    lab,
    connection: await options.connection(),
    helm: await options.helm(),
    read,
    timeoutMs,
    signal: step.signal,
    progress: (detail) => step.progress(detail),
  });
  const work = <Input>(run: (input: Input, context: StepContext) => Promise<string>): Executor => ({
    nature: 'work',
    // A plan is made and checked by this program; its inputs are of the types that stand in service-plan.ts.
    run: async (input: Json, context: StepContext) => await run(input as Input, context),
  });
  const release = (
    run: (wanted: WantedRelease, chart: ChartAtHand, context: ReleaseChangeContext) => Promise<string>,
  ) =>
    work<ReleaseStepInput>(async (input, step) => {
      const wanted = wantedReleases(blueprint).releases.find((each) => each.name === input.name);
      invariant(wanted !== undefined, `${input.name} is in the blueprint`);
      const context = await contextOf(step);
      const chart = await ensureChart(wanted.chart, options.charts, context.helm, step);
      if (chart.digest !== input.digest) throw moved(input, chart);
      return await run(wanted, chart, context);
    });
  const change = release(async (wanted, chart, context) => {
    await changeRelease(wanted, chart, context);
    return `${chart.version} serves`;
  });

  return new Map<string, Executor>([
    ['service.install', change],
    ['service.upgrade', change],
    [
      'service.settle',
      release(async (wanted, _chart, context) => {
        await settleRelease(wanted, context);
        return 'as the lab file says';
      }),
    ],
    [
      'service.remove',
      work<ReleaseStepInput>(async ({ name, namespace }, step) => {
        await removeRelease({ name, namespace }, await contextOf(step));
        return 'removed';
      }),
    ],
    [
      'service.secret',
      work<SecretStepInput>(async ({ name, namespace }, { signal }) => {
        const secret = blueprint.charts?.secrets.find((each) => each.name === name && each.namespace === namespace);
        invariant(secret !== undefined, `the Secret ${namespace}/${name} is in the blueprint`);
        const connection = await options.connection();
        await assertOurSecret(options, connection, { name, namespace }, signal);
        await ensureNamespace(connection, namespace, { [labLabel]: labLabelValue(lab) }, { signal });
        await connection.apply(await makeSecretObject(lab, secret, read), { signal });
        return 'as the lab file says';
      }),
    ],
    [
      'service.secret-remove',
      work<SecretStepInput>(async (name, { signal }) => {
        const connection = await options.connection();
        await assertOurSecret(options, connection, name, signal);
        await connection.delete(secretKind, name, { signal });
        return 'removed';
      }),
    ],
  ]);
}

async function assertOurSecret(
  { blueprint: { lab } }: ServiceExecutorOptions,
  connection: ClusterConnection,
  name: SecretStepInput,
  signal: AbortSignal,
): Promise<void> {
  const found = await connection.get(secretKind, name, { signal });
  if (found === undefined || isMarked(lab, found.metadata.labels)) return;
  throw new LabwrightError('LW7004', {
    what: `the Secret ${name.name} is not one that Labwright made, so it is left alone`,
    where: { secret: `${name.namespace}/${name.name}` },
    fix: [`remove it: kubectl delete secret ${name.name} --namespace ${name.namespace}`, 'or give ours another name'],
  });
}

function moved({ name, digest }: ReleaseStepInput, chart: ChartAtHand): LabwrightError {
  return new LabwrightError('LW5001', {
    what: `the chart of ${name} is another one than when the plan was made`,
    where: { chart: chart.path },
    why: `its content was sha256:${digest.slice(0, 12)}… and is sha256:${chart.digest.slice(0, 12)}… (version ${chart.version})`,
    fix: ['labwright plan'],
  });
}
