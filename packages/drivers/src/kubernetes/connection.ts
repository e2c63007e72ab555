// A connection to the API of one cluster: the calls that Labwright makes, with time limits, retries where that is safe, and
// errors in the user's words. Nothing is sent before the first call.
//
// Beside this file: kind.ts (objects and their fields), nodes.ts, bootstrap-token.ts, drain.ts.
import { type KubernetesVersion, parseKubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import { type Caller, formatPath, makeCaller, type Outcome } from './call.ts';
import { type ClusterApis, makeDiscovery, objectPath } from './discovery.ts';
import { misreadError } from './failure.ts';
import {
  type AppliedObject,
  type ClusterObject,
  clusterObjectSchema,
  fieldManager,
  type Kind,
  type ObjectName,
} from './kind.ts';
import { listObjects, type ListedObjects } from './list.ts';
import { openRenewedTransport } from './renewed-transport.ts';
import { type ApiRequest, openTransport } from './transport.ts';
import { watchObjects, type WatchHandlers } from './watch.ts';

export interface ClusterLogin {
  readonly endpoint: {
    /** Dialled: an address or a name. */
    readonly address: string;
    readonly port: number;
    /** The name the certificate must have, whatever was dialled: a kubeconfig's tls-server-name. */
    readonly serverName: string;
  };
  /** PEM of the cluster's own authority; no other is trusted. */
  readonly ca: string;
  /** PEM of the client certificate. */
  readonly certificate: string;
  readonly privateKey: Secret;
  /** Of one that a connection may outlive: from this time on (milliseconds since 1970 UTC) its successor is asked for and used. */
  readonly renewal?: { readonly at: number; readonly next: () => Promise<ClusterLogin> };
}

export interface ConnectOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly connectTimeoutMs?: number;
  /** Above the 34 s after which an API server gives up on etcd. */
  readonly answerTimeoutMs?: number;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** 1 asks once; otherwise what passes by itself (a restarting API server, an etcd leader that changes) is asked again. */
  readonly tries?: number;
}

export interface ListScope {
  /** All namespaces when absent. */
  readonly namespace?: string;
  /** "app=web,tier!=test" */
  readonly labelSelector?: string;
  /** "spec.nodeName=node101" */
  readonly fieldSelector?: string;
}

export type Eviction =
  /** Gone or on its way (with `dryRun`: it would be). */
  | { readonly kind: 'accepted' }
  /** There is no such pod any more, or another one has its name now. */
  | { readonly kind: 'absent' }
  /** A disruption budget does not allow it now. */
  | { readonly kind: 'blocked'; readonly words: string };

/** Every call throws LW6001 (no answer), LW6002 (login), LW6003 (certificate), LW6004 (refused), LW6006 (not understood). */
export interface ClusterConnection {
  readonly clock: Clock;
  readonly log: Log;
  /** "10.1.0.10:6443", for messages. */
  readonly endpoint: string;
  fetchVersion(options: CallOptions): Promise<KubernetesVersion>;
  /** Which groups and versions are served; asked once a connection. */
  fetchApis(options: CallOptions): Promise<ClusterApis>;
  /**
   * GET /readyz: undefined when ready, otherwise the checks that fail, or that it does not answer and what is to be done then.
   * Never throws LW6001.
   */
  fetchUnreadiness(options: CallOptions): Promise<string | undefined>;
  /** undefined when there is none. */
  get<T extends ClusterObject>(kind: Kind<T>, name: ObjectName, options: CallOptions): Promise<T | undefined>;
  /** All of them, in pages. */
  list<T extends ClusterObject>(kind: Kind<T>, scope: ListScope, options: CallOptions): Promise<readonly T[]>;
  /** Throws LW6005 when it exists. Prefer `apply`. */
  create(object: AppliedObject, options: CallOptions): Promise<ClusterObject>;
  /**
   * Server-side apply as field manager "labwright": creates it, or makes the given fields so. Takes over fields that another
   * manager set, unless `force` is false: then it throws LW6005, which names that manager. Ports need their `protocol` given:
   * 1.20 answers 500 ("omits key field") to those that leave it to the default.
   */
  apply(
    object: AppliedObject,
    options: CallOptions & { readonly force?: boolean; readonly dryRun?: boolean; readonly subresource?: 'status' },
  ): Promise<ClusterObject>;
  /** JSON merge patch (RFC 7386). With `resourceVersion` only if it is still that one, else LW6005. */
  patch<T extends ClusterObject>(
    kind: Kind<T>,
    name: ObjectName,
    patch: Readonly<Record<string, unknown>>,
    options: CallOptions & { readonly subresource?: 'status'; readonly resourceVersion?: string },
  ): Promise<T>;
  /** 'absent' when there was none. With `uid` only that very object, else LW6005. Finalizers may keep it for a while. */
  delete(
    kind: Kind,
    name: ObjectName,
    options: CallOptions & { readonly uid?: string; readonly gracePeriodSeconds?: number },
  ): Promise<'deleted' | 'absent'>;
  /** Asks for a pod to go, as its disruption budgets allow. */
  evict(
    pod: Pick<ClusterObject, 'metadata'>,
    options: CallOptions & { readonly dryRun?: boolean; readonly gracePeriodSeconds?: number },
  ): Promise<Eviction>;
  /**
   * Follows all objects of a kind until the signal is aborted, through restarts and lost connections; returns then. Each
   * object is told once as added, then as changed, then as gone. A handler that throws ends it with its error.
   */
  watch<T extends ClusterObject>(
    kind: Kind<T>,
    scope: ListScope,
    handlers: WatchHandlers<NoInfer<T>>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Breaks off what is still under way, watches included. */
  close(): Promise<void>;
}

const versionSchema = z.looseObject({ gitVersion: z.string() });

/** Opens nothing yet: the first call connects. */
export function connectCluster(login: ClusterLogin, options: ConnectOptions): ClusterConnection {
  const { clock, log, connectTimeoutMs = 5_000, answerTimeoutMs = 40_000 } = options;
  const endpoint = `${login.endpoint.address}:${login.endpoint.port}`;
  const timeouts = { connectMs: connectTimeoutMs, answerMs: answerTimeoutMs };
  const transport = openRenewedTransport(login, (each) => openTransport(each, timeouts), clock);
  const caller = makeCaller(transport, endpoint, clock, log);
  const discovery = makeDiscovery(caller);
  const closing = new AbortController();

  const pathOf = async (kind: Kind, name: Partial<ObjectName>, call: CallOptions): Promise<readonly string[]> =>
    objectPath(await discovery.fetchKind(kind, call), name);
  const pathOfObject = async (object: AppliedObject, name: Partial<ObjectName>, call: CallOptions) => {
    const [version = '', group = ''] = object.apiVersion.split('/').toReversed();
    return objectPath(await discovery.fetchKind({ kind: object.kind, group, versions: [version] }, call), name);
  };

  const connection: ClusterConnection = {
    clock,
    log,
    endpoint,
    async fetchVersion(call) {
      const request = get(['version']);
      const parsed = versionSchema.safeParse(await caller.call(request, call));
      // "v1.30.2+k3s1", "v1.31.0-eks-…": the part that the skew policy is about.
      const version = parseKubernetesVersion(parsed.data?.gitVersion.split(/[-+]/)[0] ?? '');
      if (version === undefined) throw misreadError(endpoint, request, 'no version of Kubernetes');
      return version;
    },
    fetchApis: async (call) => await discovery.fetchApis(call),
    async fetchUnreadiness(call) {
      const exchange = await caller.ask('/readyz?verbose', call);
      if (exchange.kind === 'silence') {
        const { reason, fix } = exchange;
        return fix === undefined ? reason : `${reason}; ${fix}`;
      }
      if (exchange.status === 200) return undefined;
      const failing = exchange.body.split('\n').filter((line) => line.startsWith('[-]'));
      return failing.length === 0
        ? exchange.body.trim().slice(0, 200)
        : failing.map((line) => line.slice(3)).join('; ');
    },
    async get(kind, name, call) {
      const request = get(await pathOf(kind, name, call));
      const outcome = await caller.attempt(request, call);
      return isAbsent(outcome) ? undefined : parseObject(caller, request, kind, valueOf(outcome));
    },
    async list(kind, scope, call) {
      return (await listAll(kind, scope, call)).objects;
    },
    async create(object, call) {
      const path = formatPath(await pathOfObject(object, namespaceOf(object), call), { fieldManager });
      const request = { method: 'POST', path, body: json('application/json', object) } as const;
      return parseObject(caller, request, anyObject, await caller.call(request, call));
    },
    async apply(object, { force = true, dryRun = false, subresource, ...call }) {
      const parts = await pathOfObject(object, object.metadata, call);
      const path = formatPath(subresource === undefined ? parts : [...parts, subresource], {
        fieldManager,
        force: force || undefined,
        dryRun: dryRun ? 'All' : undefined,
      });
      // JSON is YAML, too.
      const request = { method: 'PATCH', path, body: json('application/apply-patch+yaml', object) } as const;
      return parseObject(caller, request, anyObject, await caller.call(request, call));
    },
    async patch(kind, name, patch, { subresource, resourceVersion, ...call }) {
      const parts = await pathOf(kind, name, call);
      const path = formatPath(subresource === undefined ? parts : [...parts, subresource], { fieldManager });
      const body =
        resourceVersion === undefined
          ? patch
          : { ...patch, metadata: { ...(patch['metadata'] as object | undefined), resourceVersion } };
      const request = { method: 'PATCH', path, body: json('application/merge-patch+json', body) } as const;
      return parseObject(caller, request, kind, await caller.call(request, call));
    },
    async delete(kind, name, { uid, gracePeriodSeconds, ...call }) {
      const request = {
        method: 'DELETE',
        path: formatPath(await pathOf(kind, name, call)),
        body: json('application/json', {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          ...(uid === undefined ? {} : { preconditions: { uid } }),
          ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        }),
      } as const;
      const outcome = await caller.attempt(request, call);
      if (isAbsent(outcome)) return 'absent';
      valueOf(outcome);
      return 'deleted';
    },
    async evict({ metadata }, { dryRun = false, gracePeriodSeconds, ...call }) {
      const { name, namespace = 'default', uid } = metadata;
      const request = {
        method: 'POST',
        path: formatPath(['api', 'v1', 'namespaces', namespace, 'pods', name, 'eviction']),
        // Without apiVersion and kind the server takes the one that it has: policy/v1beta1 up to 1.21, policy/v1 since 1.22.
        body: json('application/json', {
          metadata: { name, namespace },
          deleteOptions: {
            preconditions: { uid },
            ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
            ...(dryRun ? { dryRun: ['All'] } : {}),
          },
        }),
      } as const;
      const outcome = await caller.attempt(request, call);
      if (outcome.kind === 'done') return { kind: 'accepted' };
      const { refusal, error } = outcome;
      if (refusal.status === 404 || refusal.status === 409) return { kind: 'absent' };
      // A pod that two budgets match cannot be evicted at all, which the server says with a 500.
      if (refusal.status === 429 || /more than one PodDisruptionBudget/.test(refusal.words)) {
        return { kind: 'blocked', words: refusal.words };
      }
      throw error;
    },
    async watch(kind, scope, handlers, signal) {
      const until = AbortSignal.any([signal, closing.signal]);
      await watchObjects({ kind, scope, handlers, signal: until, transport, caller, clock, log, listAll, pathOf });
    },
    async close() {
      closing.abort(new Error('the connection to the cluster was closed'));
      await transport.close();
    },
  };

  async function listAll<T extends ClusterObject>(
    kind: Kind<T>,
    scope: ListScope,
    call: CallOptions,
  ): Promise<ListedObjects<T>> {
    const served = await discovery.fetchKind(kind, call);
    return await listObjects(caller, served, kind, scope, call);
  }

  return connection;
}

const anyObject: Kind = { kind: '', group: '', versions: [], parse: (value) => clusterObjectSchema.parse(value) };

const get = (path: readonly string[]): ApiRequest => ({ method: 'GET', path: formatPath(path) });
const json = (type: string, value: unknown): { type: string; text: string } => ({ type, text: JSON.stringify(value) });
const isAbsent = (outcome: Outcome): boolean => outcome.kind === 'refused' && outcome.refusal.status === 404;

function namespaceOf({ metadata: { namespace } }: AppliedObject): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function valueOf(outcome: Outcome): unknown {
  if (outcome.kind === 'refused') throw outcome.error;
  return outcome.value;
}

function parseObject<T extends ClusterObject>(caller: Caller, request: ApiRequest, kind: Kind<T>, value: unknown): T {
  try {
    return kind.parse(value);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw misreadError(caller.endpoint, request, z.prettifyError(error), error);
  }
}
