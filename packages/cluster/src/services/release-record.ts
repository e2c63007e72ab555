// What Labwright remembers of a release in the cluster itself: a ConfigMap beside it. Without one a release is not ours.
import type { LabId } from '@labwright/core/addresses/names';
import type { AppliedObject, ConfigMap } from '@labwright/drivers/kubernetes/kind';
import { z } from 'zod';
import { labLabel, labLabelValue } from '../formation/marks.ts';

export interface ReleaseRecord {
  readonly name: string;
  readonly namespace: string;
  /** SHA-256 of the chart that is installed; '' while the first installation is under way. */
  readonly digest: string;
  /** Values that were secrets: shown as dots also when they are no longer in the lab file. */
  readonly secretPaths: readonly string[];
  /** Objects of ours beside the release's own; they go with it. */
  readonly objects: readonly ObjectReference[];
}

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export const releaseLabel = 'labwright.dev/release';

export const recordName = (release: string): string => `labwright-release-${release}`;

export function referTo({ apiVersion, kind, metadata }: AppliedObject): ObjectReference {
  const { name, namespace } = metadata;
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

export const isSameObject = (one: ObjectReference, other: ObjectReference): boolean =>
  one.kind === other.kind &&
  one.name === other.name &&
  one.namespace === other.namespace &&
  groupOf(one.apiVersion) === groupOf(other.apiVersion);

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

export function formatRecord(
  lab: LabId,
  { name, namespace, digest, secretPaths, objects }: ReleaseRecord,
): AppliedObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: recordName(name),
      namespace,
      labels: { [labLabel]: labLabelValue(lab), [releaseLabel]: name },
    },
    data: { digest, secretPaths: JSON.stringify(secretPaths), objects: JSON.stringify(objects) },
  };
}

const reference = z
  .strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string(), namespace: z.string().optional() })
  .transform(({ namespace, ...rest }): ObjectReference => ({
    ...rest,
    ...(namespace === undefined ? {} : { namespace }),
  }));

/** Somebody may have edited it: what cannot be read counts as empty, and the next change writes it anew. */
export function parseRecord({ metadata, data = {} }: ConfigMap): ReleaseRecord | undefined {
  const name = metadata.labels?.[releaseLabel];
  if (name === undefined || metadata.namespace === undefined) return undefined;
  return {
    name,
    namespace: metadata.namespace,
    digest: data['digest'] ?? '',
    secretPaths: parseList(z.string(), data['secretPaths']),
    objects: parseList(reference, data['objects']),
  };
}

function parseList<Item>(item: z.ZodType<Item>, text = '[]'): readonly Item[] {
  const parsed = z
    .string()
    .transform((json, context): unknown => {
      try {
        return JSON.parse(json);
      } catch {
        context.issues.push({ code: 'custom', message: 'no JSON', input: json });
        return z.NEVER;
      }
    })
    .pipe(z.array(item))
    .safeParse(text);
  return parsed.success ? parsed.data : [];
}
