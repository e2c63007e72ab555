// What was seen of releases and Secrets, beside what is wanted. Observers fill it in, the planner only reads it.
import type { ErrorJson } from '@labwright/core/errors/error';
import type { ReleaseStatus } from '@labwright/drivers/helm/helm';
import type { ValueChange } from './chart-values.ts';
import type { ReleaseRecord } from './release-record.ts';

export interface ServiceFacts {
  /** Milliseconds since 1970 UTC. */
  readonly asOf: number;
  /** 'silent': the API does not answer, so what is there is not known; it may not be formed yet. */
  readonly cluster: 'answers' | 'silent';
  /** Those we have a record of, and those that have the name of a wanted one. */
  readonly releases: readonly ReleaseFacts[];
  /** By name of the release. */
  readonly wanted: ReadonlyMap<string, WantedFacts>;
  readonly secrets: readonly SecretFacts[];
  /** What could not be looked at, and stands in the way of all of it. */
  readonly problems: readonly ErrorJson[];
}

export interface ReleaseFacts {
  readonly name: string;
  readonly namespace: string;
  /** Absent when the cluster has no such release. */
  readonly installed?: { readonly revision: number; readonly status: ReleaseStatus; readonly chartVersion: string };
  /** Absent when it is not ours. */
  readonly record?: ReleaseRecord;
}

/** What a wanted release would be made of. */
export type WantedFacts =
  | {
      readonly kind: 'ready';
      /** Of the chart that is at hand. */
      readonly version: string;
      /** SHA-256 of the chart's content, in hexadecimal. */
      readonly digest: string;
      /** Against the values of the release that is installed; secrets as dots. */
      readonly changes: readonly ValueChange[];
      /** Our own objects that are not as they should be, or should no longer be: "StorageClass nfs". */
      readonly unsettled: readonly string[];
    }
  | { readonly kind: 'unready'; readonly error: ErrorJson };

export interface SecretFacts {
  readonly name: string;
  readonly namespace: string;
  readonly state:
    | { readonly kind: 'absent' }
    | { readonly kind: 'same' }
    /** `keys` differ, by the hash of their values. */
    | { readonly kind: 'different'; readonly keys: readonly string[] }
    /** Somebody else made it. */
    | { readonly kind: 'foreign' }
    /** Ours, and no longer in the lab file. */
    | { readonly kind: 'unwanted' }
    /** A value of it cannot be read here. */
    | { readonly kind: 'unready'; readonly error: ErrorJson };
}
