// The planner of services: from what is wanted and what was seen to steps that install, upgrade, settle and remove. Pure.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { AreaPlan } from '@labwright/core/plan/plan';
import { type Reliance, type Step, stepId } from '@labwright/core/plan/step';
import { formatValueChange, type ValueChange } from './chart-values.ts';
import type { ReleaseFacts, SecretFacts, ServiceFacts, WantedFacts } from './service-facts.ts';
import type { WantedRelease } from './wanted-release.ts';
import { wantedReleases } from './wanted-releases.ts';

/** What a step of a release carries; the rest is the lab file's. */
export type ReleaseStepInput = {
  readonly name: string;
  readonly namespace: string;
  /** Of the chart that the plan was made with; '' to remove one. */
  readonly version: string;
  readonly digest: string;
};
export type SecretStepInput = { readonly name: string; readonly namespace: string };

type Ready = Extract<WantedFacts, { readonly kind: 'ready' }>;

const installMs = 60_000;
const settleMs = 2_000;
const secretMs = 200;

/**
 * `needs`: steps of this plan after which the cluster serves. `networkNeeds`: those after which its API answers, which is all that the
 * chart of the pod network may wait for: no node is ready before it. What cannot be planned is a problem; the rest is planned.
 */
export function planServices(
  blueprint: Blueprint,
  facts: ServiceFacts,
  needs: readonly string[] = [],
  networkNeeds: readonly string[] = needs,
): AreaPlan {
  const { releases, names } = wantedReleases(blueprint);
  const problems: ErrorJson[] = [...facts.problems];
  const notes: string[] = [];
  const secretSteps = planSecrets(facts, needs, problems);
  const removals = facts.releases
    .filter((each) => each.record !== undefined && !isWanted(each, releases, names))
    .map((each) => planRemoval(each, needs));
  const steps: Step[] = [];
  const missing = new Set<string>();
  for (const release of sortByNeeds(releases)) {
    const seen = facts.releases.find((each) => isOf(each, release));
    const wanted = facts.wanted.get(release.name);
    const lacking = release.after.find((name) => missing.has(name));
    if (wanted === undefined) continue;
    const problem =
      wanted.kind === 'unready'
        ? wanted.error
        : seen?.installed !== undefined && seen.record === undefined
          ? foreignRelease(release)
          : undefined;
    if (problem !== undefined) problems.push(problem);
    else if (lacking !== undefined && seen?.installed === undefined) {
      notes.push(`${release.name} is not installed before ${lacking}, which has a problem`);
    }
    if (seen?.record === undefined && (problem !== undefined || lacking !== undefined)) missing.add(release.name);
    if (wanted.kind === 'unready' || problem !== undefined || missing.has(release.name)) continue;
    const isNetwork = release.name === blueprint.cluster?.podNetwork;
    const first = [
      ...(isNetwork
        ? networkNeeds
        : [...needs, ...secretSteps.filter(({ change }) => change !== 'destroy').map(({ id }) => id)]),
      ...steps.filter(({ target }) => release.after.includes(target)).map(({ id }) => id),
      // From another namespace: what both have outside of namespaces can be of one only.
      ...removals.filter(({ input }) => (input as ReleaseStepInput).name === release.name).map(({ id }) => id),
    ];
    const step = planRelease(release, seen, wanted, first);
    if (step !== undefined) steps.push(step);
  }
  return { steps: [...secretSteps, ...removals, ...steps], problems, notes };
}

const isOf = (one: { name: string; namespace: string }, other: { name: string; namespace: string }): boolean =>
  one.name === other.name && one.namespace === other.namespace;

/** One that moved to another namespace is wanted there, and no longer here. */
function isWanted(
  { name, namespace }: ReleaseFacts,
  releases: readonly WantedRelease[],
  names: ReadonlySet<string>,
): boolean {
  const release = releases.find((each) => each.name === name);
  return release === undefined ? names.has(name) : release.namespace === namespace;
}

function planRelease(
  release: WantedRelease,
  seen: ReleaseFacts | undefined,
  wanted: Ready,
  needs: readonly string[],
): Step | undefined {
  const { name, namespace } = release;
  const { version, digest } = wanted;
  const common = {
    target: name,
    needs,
    risk: { level: 'none' },
    relies: [relyOnRelease(name, namespace, seen)],
    queues: [`release/${name}`],
    input: { name, namespace, version, digest } satisfies ReleaseStepInput,
  } as const;
  const make = (kind: string, rest: Pick<Step, 'title' | 'change' | 'reason' | 'estimateMs'>): Step => ({
    ...common,
    ...rest,
    id: stepId(kind, name),
    kind,
  });
  const installed = seen?.installed;
  if (installed === undefined) {
    return make('service.install', {
      title: `install ${name} ${version}`,
      change: 'add',
      reason: `the lab file has it, and the cluster does not`,
      estimateMs: installMs,
    });
  }
  const reasons = reasonsToUpgrade(installed, seen?.record?.digest ?? '', wanted);
  if (reasons.length > 0) {
    const isNewer = installed.chartVersion !== version;
    return make('service.upgrade', {
      title: isNewer ? `upgrade ${name} from ${installed.chartVersion} to ${version}` : `change ${name} ${version}`,
      change: 'change',
      reason: reasons.join('; '),
      estimateMs: installMs,
    });
  }
  if (wanted.unsettled.length === 0) return undefined;
  return make('service.settle', {
    title: `settle ${wanted.unsettled.join(', ')} of ${name}`,
    change: 'change',
    reason: 'not as the lab file says',
    estimateMs: settleMs,
  });
}

/** More are counted only: a plan is read by a person. */
const mostChangesShown = 12;

function reasonsToUpgrade(
  { status, chartVersion }: NonNullable<ReleaseFacts['installed']>,
  digest: string,
  wanted: Ready,
): readonly string[] {
  const reasons: string[] = [];
  if (status !== 'deployed') reasons.push(`its last change did not end (${status})`);
  if (chartVersion !== wanted.version) reasons.push(`version: ${chartVersion} → ${wanted.version}`);
  else if (digest !== wanted.digest) reasons.push(`another chart of the same version ${wanted.version}`);
  reasons.push(...formatChanges(wanted.changes));
  return reasons;
}

function formatChanges(changes: readonly ValueChange[]): readonly string[] {
  const shown = changes.slice(0, mostChangesShown).map(formatValueChange);
  const more = changes.length - shown.length;
  return more === 0 ? shown : [...shown, `and ${more} more values`];
}

function planRemoval(seen: ReleaseFacts, needs: readonly string[]): Step {
  const { name, namespace } = seen;
  return {
    id: stepId('service.remove', `${namespace}/${name}`),
    kind: 'service.remove',
    target: `${namespace}/${name}`,
    title: `remove ${name}`,
    change: 'destroy',
    reason: 'it is ours and no longer in the file',
    needs,
    risk: { level: 'data-loss', lost: `what ${name} keeps in volumes of its own chart` },
    estimateMs: installMs / 4,
    relies: [relyOnRelease(name, namespace, seen)],
    queues: [`release/${name}`],
    input: { name, namespace, version: '', digest: '' } satisfies ReleaseStepInput,
  };
}

function planSecrets(facts: ServiceFacts, needs: readonly string[], problems: ErrorJson[]): readonly Step[] {
  return facts.secrets.flatMap((secret): Step[] => {
    const { name, namespace, state } = secret;
    const target = `${namespace}/${name}`;
    const make = (kind: string, rest: Pick<Step, 'title' | 'change' | 'reason' | 'risk'>): Step => ({
      ...rest,
      id: stepId(kind, target),
      kind,
      target,
      needs,
      estimateMs: secretMs,
      relies: [relyOnSecret(secret)],
      queues: [`secret/${target}`],
      input: { name, namespace } satisfies SecretStepInput,
    });
    const none = { level: 'none' } as const;
    switch (state.kind) {
      case 'same':
        return [];
      case 'unready':
        problems.push(state.error);
        return [];
      case 'foreign':
        problems.push(foreignSecret(secret));
        return [];
      case 'absent': {
        const reason = 'the lab file has it, and the cluster does not';
        return [make('service.secret', { title: `make Secret ${target}`, change: 'add', reason, risk: none })];
      }
      case 'different': {
        const reason =
          state.keys.length === 0 ? 'its type is another' : state.keys.map((key) => `${key}: ••• → •••`).join('; ');
        return [make('service.secret', { title: `change Secret ${target}`, change: 'change', reason, risk: none })];
      }
      case 'unwanted': {
        const reason = 'it is ours and no longer in the file';
        const risk = { level: 'data-loss', lost: `Secret ${target}` } as const;
        return [make('service.secret-remove', { title: `remove Secret ${target}`, change: 'destroy', reason, risk })];
      }
    }
  });
}

/** What plans rely on, by entry; compared with those of the moment before a plan is applied. */
export function serviceEntries(blueprint: Blueprint, facts: ServiceFacts): ReadonlyMap<string, string> {
  // A wanted release that is not there has no facts of its own.
  const absent = wantedReleases(blueprint).releases.filter((each) => !facts.releases.some((seen) => isOf(seen, each)));
  return new Map([
    ...absent.map(({ name, namespace }) => pairOf(relyOnRelease(name, namespace, undefined))),
    ...facts.releases.map((each) => pairOf(relyOnRelease(each.name, each.namespace, each))),
    ...facts.secrets.map((each) => pairOf(relyOnSecret(each))),
  ]);
}

const pairOf = ({ entry, was }: Reliance): readonly [string, string] => [entry, was];

function relyOnRelease(name: string, namespace: string, seen: ReleaseFacts | undefined): Reliance {
  const installed = seen?.installed;
  const was = installed === undefined ? 'absent' : `revision ${installed.revision}, ${installed.status}`;
  return { entry: `release/${namespace}/${name}`, was };
}

function relyOnSecret({ name, namespace, state }: SecretFacts): Reliance {
  return { entry: `secret/${namespace}/${name}`, was: state.kind };
}

function foreignRelease({ name, namespace }: WantedRelease): ErrorJson {
  return new LabwrightError('LW7004', {
    what: `the cluster has a release ${name} that Labwright did not install, so it is left alone`,
    where: { release: `${namespace}/${name}` },
    fix: [
      `remove it: helm uninstall ${name} --namespace ${namespace}`,
      'or switch ours off, or give it another name, in the lab file',
    ],
  }).toJSON();
}

function foreignSecret({ name, namespace }: SecretFacts): ErrorJson {
  return new LabwrightError('LW7004', {
    what: `the cluster has a Secret ${name} that Labwright did not make, so it is left alone`,
    where: { secret: `${namespace}/${name}` },
    fix: [
      `remove it: kubectl delete secret ${name} --namespace ${namespace}`,
      'or give ours another name in the lab file',
    ],
  }).toJSON();
}

/** Each after what it needs, otherwise in the order of the lab file. A need that is not among them is none. */
function sortByNeeds(releases: readonly WantedRelease[]): readonly WantedRelease[] {
  const sorted: WantedRelease[] = [];
  const add = (release: WantedRelease): void => {
    if (sorted.includes(release)) return;
    for (const name of release.after) {
      const need = releases.find((each) => each.name === name);
      if (need !== undefined) add(need);
    }
    sorted.push(release);
  };
  for (const release of releases) add(release);
  return sorted;
}
