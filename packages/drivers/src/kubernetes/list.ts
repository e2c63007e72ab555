// All objects of a kind, in pages of one and the same moment.
import type { LabwrightError } from '@labwright/core/errors/error';
import { z } from 'zod';
import { type Caller, formatPath } from './call.ts';
import type { CallOptions, ListScope } from './connection.ts';
import { objectPath, type ServedKind } from './discovery.ts';
import { misreadError } from './failure.ts';
import type { ClusterObject, Kind } from './kind.ts';

export interface ListedObjects<T extends ClusterObject> {
  readonly objects: readonly T[];
  /** Of the moment the list is of; a watch goes on from it. */
  readonly resourceVersion: string;
}

const pageSize = 500;

const listSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.looseObject({})).nullable(),
});

export async function listObjects<T extends ClusterObject>(
  caller: Caller,
  served: ServedKind,
  kind: Kind<T>,
  scope: ListScope,
  options: CallOptions,
): Promise<ListedObjects<T>> {
  const objects: T[] = [];
  let next: string | undefined;
  // The moment of a list that takes long may be forgotten (410) between two pages; the whole in one page cannot be cut.
  let limit: number | undefined = pageSize;
  for (;;) {
    const query = { ...scopeQuery(scope), limit, continue: next };
    const request = { method: 'GET', path: formatPath(objectPath(served, scope), query) } as const;
    const outcome = await caller.attempt(request, options);
    if (outcome.kind === 'refused') {
      if (outcome.refusal.status !== 410 || limit === undefined) throw outcome.error;
      objects.length = 0;
      next = undefined;
      limit = undefined;
      continue;
    }
    try {
      const page = listSchema.parse(outcome.value);
      // Items of a list come without the two fields that say what they are.
      const named = { apiVersion: served.apiVersion, kind: served.kind };
      for (const item of page.items ?? []) objects.push(kind.parse({ ...named, ...item }));
      next = page.metadata.continue;
      if (next === undefined || next === '') return { objects, resourceVersion: page.metadata.resourceVersion };
    } catch (error) {
      throw misreadList(error, caller.endpoint, request.path);
    }
  }
}

export function scopeQuery({ labelSelector, fieldSelector }: ListScope): Readonly<Record<string, string | undefined>> {
  return { labelSelector, fieldSelector };
}

function misreadList(error: unknown, endpoint: string, path: string): LabwrightError {
  if (!(error instanceof z.ZodError)) throw error;
  return misreadError(endpoint, { method: 'GET', path }, z.prettifyError(error), error);
}
