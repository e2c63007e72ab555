// Which groups, versions and resources an API server has: told by itself, asked once, and again for what was not there then.
import { LabwrightError } from '@labwright/core/errors/error';
import { z } from 'zod';
import { type Caller, formatPath } from './call.ts';
import type { CallOptions } from './connection.ts';
import { misreadError } from './failure.ts';
import type { ObjectName } from './kind.ts';

/** What an API server serves. */
export interface ClusterApis {
  /** Group ('' is core) to its versions, the server's preferred first. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

/** A kind as this API server has it. */
export interface ServedKind {
  readonly kind: string;
  /** "policy/v1beta1" */
  readonly apiVersion: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
}

export interface Discovery {
  fetchApis(options: CallOptions): Promise<ClusterApis>;
  /** The first of the versions that is served. Throws LW6004 when none is. */
  fetchKind(
    wanted: { readonly kind: string; readonly group: string; readonly versions: readonly string[] },
    options: CallOptions,
  ): Promise<ServedKind>;
}

const groupsSchema = z.looseObject({
  groups: z.array(
    z.looseObject({
      name: z.string(),
      versions: z.array(z.looseObject({ version: z.string() })),
      preferredVersion: z.looseObject({ version: z.string() }).optional(),
    }),
  ),
});

const resourcesSchema = z.looseObject({
  resources: z.array(z.looseObject({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

export function makeDiscovery(caller: Caller): Discovery {
  let apis: ClusterApis | undefined;
  const resources = new Map<string, readonly ServedKind[]>();

  const fetchApis = async (options: CallOptions): Promise<ClusterApis> => {
    apis ??= await fetchGroups(caller, options);
    return apis;
  };
  const fetchResources = async (apiVersion: string, options: CallOptions): Promise<readonly ServedKind[]> => {
    const known = resources.get(apiVersion);
    if (known !== undefined) return known;
    const fetched = await fetchServedKinds(caller, apiVersion, options);
    resources.set(apiVersion, fetched);
    return fetched;
  };

  const find = async (
    { kind, group, versions }: Parameters<Discovery['fetchKind']>[0],
    options: CallOptions,
  ): Promise<ServedKind | undefined> => {
    const served = (await fetchApis(options)).groups.get(group) ?? [];
    for (const version of versions.filter((each) => served.includes(each))) {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      const found = (await fetchResources(apiVersion, options)).find((each) => each.kind === kind);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return {
    fetchApis,
    async fetchKind(wanted, options) {
      const known = await find(wanted, options);
      if (known !== undefined) return known;
      // A chart may have brought it since, or the API server is another version now.
      apis = undefined;
      resources.clear();
      const fresh = await find(wanted, options);
      if (fresh !== undefined) return fresh;
      const names = wanted.versions.map((version) => (wanted.group === '' ? version : `${wanted.group}/${version}`));
      throw new LabwrightError('LW6004', {
        what: `the cluster at ${caller.endpoint} has no ${wanted.kind} of ${names.join(' or ')}`,
        where: { endpoint: caller.endpoint },
        why: 'its API server does not list this kind: it is of another version, or the chart that brings it is not installed',
        fix: [`see what it has: kubectl api-resources | grep -w ${wanted.kind}`],
      });
    },
  };
}

/** The path of one object, or of all of its kind (in a namespace). */
export function objectPath(served: ServedKind, { name, namespace }: Partial<ObjectName>): readonly string[] {
  const group = served.apiVersion.includes('/')
    ? ['apis', ...served.apiVersion.split('/')]
    : ['api', served.apiVersion];
  const place = served.isNamespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  return [...group, ...place, served.plural, ...(name === undefined ? [] : [name])];
}

async function fetchGroups(caller: Caller, options: CallOptions): Promise<ClusterApis> {
  const request = { method: 'GET', path: '/apis' } as const;
  const parsed = groupsSchema.safeParse(await caller.call(request, options));
  if (!parsed.success) throw misreadError(caller.endpoint, request, z.prettifyError(parsed.error), parsed.error);
  const groups = parsed.data.groups.map(({ name, versions, preferredVersion }) => {
    const names = versions.map(({ version }) => version);
    const preferred = preferredVersion?.version;
    return [name, preferred === undefined ? names : [...new Set([preferred, ...names])]] as const;
  });
  return { groups: new Map([['', ['v1']], ...groups]) };
}

async function fetchServedKinds(
  caller: Caller,
  apiVersion: string,
  options: CallOptions,
): Promise<readonly ServedKind[]> {
  const parts = apiVersion.includes('/') ? ['apis', ...apiVersion.split('/')] : ['api', apiVersion];
  const request = { method: 'GET', path: formatPath(parts) } as const;
  const parsed = resourcesSchema.safeParse(await caller.call(request, options));
  if (!parsed.success) throw misreadError(caller.endpoint, request, z.prettifyError(parsed.error), parsed.error);
  return (
    parsed.data.resources
      // "pods/status" and its like are parts of a resource.
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced }) => ({ kind, apiVersion, plural: name, isNamespaced: namespaced }))
  );
}
