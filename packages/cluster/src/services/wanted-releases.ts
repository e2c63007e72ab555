// Every release that the blueprint asks for, base services first; what cannot be is a problem of the plan.
import type { Blueprint, OwnChartBlueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError, type ErrorJson } from '@labwright/core/errors/error';
import type { BaseChartName } from '@labwright/core/lab/service-schema';
import { makeBaseRelease } from './base-chart.ts';
import { mergeValues } from './chart-values.ts';
import type { WantedRelease } from './wanted-release.ts';

/** What charts of people often need: a network, addresses, an ingress and volumes. */
const foundations: readonly BaseChartName[] = ['flannel', 'metallb', 'traefik', 'csi-driver-nfs'];

export interface WantedReleases {
  readonly releases: readonly WantedRelease[];
  readonly problems: readonly ErrorJson[];
  /** Names that the lab file asks for, also of those with a problem: they are not to be removed. */
  readonly names: ReadonlySet<string>;
}

export function wantedReleases(blueprint: Blueprint): WantedReleases {
  const { charts } = blueprint;
  const releases: WantedRelease[] = [];
  const problems: ErrorJson[] = [];
  const baseNames = Object.keys(charts?.base ?? {}) as BaseChartName[];
  for (const name of baseNames) {
    try {
      const release = makeBaseRelease(name, blueprint);
      releases.push({ ...release, values: mergeValues(release.values, charts?.base[name]?.values ?? {}) });
    } catch (error) {
      problems.push(asLabwrightError(error).toJSON());
    }
  }
  const after = foundations.filter((name) => baseNames.includes(name));
  const own = charts?.own ?? [];
  releases.push(...own.map((chart) => makeOwnRelease(chart, after)));
  return { releases, problems, names: new Set([...baseNames, ...own.map(({ name }) => name)]) };
}

function makeOwnRelease(own: OwnChartBlueprint, after: readonly string[]): WantedRelease {
  const { name, namespace, chart, repository, version, values } = own;
  return {
    ...{ name, namespace, values, after },
    namespaceLabels: {},
    chart:
      repository === undefined || version === undefined
        ? { kind: 'file', path: chart }
        : { kind: 'repository', chart, repository, version },
    place: `kubernetes.ownCharts.${name}.values`,
    objects: [],
  };
}
