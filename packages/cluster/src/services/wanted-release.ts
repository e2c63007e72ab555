// A release that should be in the cluster: which chart, with which values, and what of ours goes with it.
import type { ChartValues } from '@labwright/core/lab/service-schema';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';

export interface WantedRelease {
  /** Of the release, and of the service in the lab file. */
  readonly name: string;
  readonly namespace: string;
  /** Given to the namespace when we make it; one that is there is left as it is. */
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly chart: ChartPlace;
  /** May name secrets. */
  readonly values: ChartValues;
  /** Where the values stand in the lab file: "kubernetes.charts.traefik.values". */
  readonly place: string;
  /** Ours, applied once the release is there. */
  readonly objects: readonly WantedObject[];
  /** Names of releases that are there first. */
  readonly after: readonly string[];
}

export type ChartPlace =
  | { readonly kind: 'repository'; readonly chart: string; readonly repository: string; readonly version: string }
  /** A packed chart, or a folder; relative to the lab file. */
  | { readonly kind: 'file'; readonly path: string };

export interface WantedObject {
  readonly object: AppliedObject;
  /** 'replace': made anew when the API server does not let its fields change; nothing depends on it being the same one. */
  readonly fixed: 'replace' | 'keep';
}
