// Follows all objects of a kind: a list, then the changes since, then a new list only when those changes are forgotten.
//
//   list ──► told, synced ──► watch ──► event: told ─┐
//     ▲                        ▲ ▲──────────────────┘
//     │ 410: too old           │ ended, silent, broken: again from the last event (after a pause when it fails)
//     └────────────────────────┘
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { z } from 'zod';
import { type Caller, formatPath } from './call.ts';
import type { CallOptions, ListScope } from './connection.ts';
import { misreadError, parseJson, parseRefusal, refusalError, silenceError } from './failure.ts';
import type { ClusterObject, Kind, ObjectName } from './kind.ts';
import { type ListedObjects, scopeQuery } from './list.ts';
import type { ApiTransport } from './transport.ts';

export interface WatchHandlers<T extends ClusterObject> {
  added(object: T): void;
  changed(object: T, previous: T): void;
  /** With the object as it was last known. */
  gone(object: T): void;
  /** Once, when everything that was there at the start has been told. */
  synced?(): void;
  /** The connection is lost or refused; it is tried again by itself, and objects may be out of date until `recovered`. */
  troubled?(error: LabwrightError): void;
  recovered?(): void;
}

export interface Watching<T extends ClusterObject> {
  readonly kind: Kind<T>;
  readonly scope: ListScope;
  readonly handlers: WatchHandlers<T>;
  readonly signal: AbortSignal;
  readonly transport: ApiTransport;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly log: Log;
  listAll(kind: Kind<T>, scope: ListScope, options: CallOptions): Promise<ListedObjects<T>>;
  pathOf(kind: Kind, name: Partial<ObjectName>, options: CallOptions): Promise<readonly string[]>;
}

/** The API server ends a watch after this time; a bookmark tells how far it came, so the next one misses nothing. */
const watchSeconds = 240;
/** Bookmarks come about every minute: after a longer silence the connection is taken for dead. */
const silenceMs = 90_000;
const shortestWatchMs = 1_000;
const forgottenPauseMs = 100;
const pausesMs: readonly number[] = [200, 500, 1_000, 2_000, 5_000, 10_000];

const eventSchema = z.looseObject({ type: z.string(), object: z.unknown() });
const bookmarkSchema = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) });

/** The resource version that was asked for is no longer kept: list again. */
class Forgotten extends Error {}
/** A mistake of the handlers, which ends the watch; everything else is tried again. */
class HandlerFailure extends Error {}

/** See ClusterConnection.watch. */
export async function watchObjects<T extends ClusterObject>(watching: Watching<T>): Promise<void> {
  const { handlers, signal, clock, log, caller } = watching;
  const known = trackObjects(handlers);
  let resourceVersion: string | undefined;
  let failures = 0;
  let isTroubled = false;
  let isSynced = false;
  const tell = (told: () => void): void => {
    try {
      told();
    } catch (error) {
      throw new HandlerFailure('a handler of a watch failed', { cause: error });
    }
  };
  const wentWell = (): void => {
    failures = 0;
    if (isTroubled) tell(() => handlers.recovered?.());
    isTroubled = false;
  };

  const pause = async (ms: number): Promise<void> => {
    await clock.sleep(ms, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  };

  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const listed = await watching.listAll(watching.kind, watching.scope, { signal, tries: 1 });
        wentWell();
        tell(() => known.replace(listed.objects));
        if (!isSynced) tell(() => handlers.synced?.());
        isSynced = true;
        resourceVersion = listed.resourceVersion;
      }
      const since = clock.monotonic();
      for await (const event of readEvents(watching, resourceVersion, wentWell)) {
        if (signal.aborted) return;
        if (event.kind !== 'bookmark') tell(() => known.take(event));
        resourceVersion = event.resourceVersion;
      }
      // The usual end comes after minutes; something in between that ends each one at once must not be asked in a loop.
      if (clock.monotonic() - since < shortestWatchMs) await pause(shortestWatchMs);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HandlerFailure) throw error.cause;
      if (error instanceof Forgotten) {
        resourceVersion = undefined;
        await pause(forgottenPauseMs);
        continue;
      }
      failures += 1;
      // A first break is how every restart and balancer ends a watch; it is trouble when going on fails as well.
      const problem = asLabwrightError(error);
      log.debug('a watch of the cluster broke off', { kind: watching.kind.kind, why: problem.why ?? problem.message });
      if (failures > 1 && !isTroubled) {
        isTroubled = true;
        tell(() => handlers.troubled?.(problem));
        log.warn('a watch of the cluster is interrupted', { kind: watching.kind.kind, endpoint: caller.endpoint });
      }
      await pause(pausesMs[failures - 1] ?? 10_000);
    }
  }
}

type WatchEvent<T> =
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'there' | 'gone'; readonly object: T; readonly resourceVersion: string };

async function* readEvents<T extends ClusterObject>(
  watching: Watching<T>,
  resourceVersion: string,
  onOpen: () => void,
): AsyncGenerator<WatchEvent<T>> {
  const { caller, transport, signal } = watching;
  const parts = await watching.pathOf(watching.kind, { ...watching.scope }, { signal, tries: 1 });
  const path = formatPath(parts, {
    ...scopeQuery(watching.scope),
    watch: true,
    allowWatchBookmarks: true,
    resourceVersion,
    timeoutSeconds: watchSeconds,
  });
  const request = { method: 'GET', path } as const;
  const opened = await transport.stream(path, silenceMs, signal);
  if ('kind' in opened) {
    if (opened.kind === 'silence') throw silenceError(caller.endpoint, request, opened);
    if (opened.status === 410) throw new Forgotten();
    throw refusalError(caller.endpoint, request, parseRefusal(opened.status, opened.body));
  }
  onOpen();
  for await (const line of opened) {
    const event = eventSchema.safeParse(parseJson(line));
    if (!event.success) throw misreadError(caller.endpoint, request, `not a watch event: ${line.slice(0, 120)}`);
    const { type, object } = event.data;
    switch (type) {
      case 'BOOKMARK': {
        yield { kind: 'bookmark', resourceVersion: bookmarkSchema.parse(object).metadata.resourceVersion };
        break;
      }
      case 'ERROR': {
        const refusal = parseRefusal(0, JSON.stringify(object));
        if (refusal.reason === 'Expired' || refusal.reason === 'Gone') throw new Forgotten();
        throw refusalError(caller.endpoint, request, refusal);
      }
      default: {
        const parsed = watching.kind.parse(object);
        yield {
          kind: type === 'DELETED' ? 'gone' : 'there',
          object: parsed,
          resourceVersion: parsed.metadata.resourceVersion,
        };
      }
    }
  }
}

interface KnownObjects<T extends ClusterObject> {
  take(event: Exclude<WatchEvent<T>, { readonly kind: 'bookmark' }>): void;
  /** Tells only what is different from what is known. */
  replace(objects: readonly T[]): void;
}

function trackObjects<T extends ClusterObject>(handlers: WatchHandlers<T>): KnownObjects<T> {
  const known = new Map<string, T>();
  const keyOf = ({ metadata }: T): string => `${metadata.namespace ?? ''}/${metadata.name}`;
  const there = (object: T): void => {
    const key = keyOf(object);
    const previous = known.get(key);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    known.set(key, object);
    if (previous === undefined) {
      handlers.added(object);
    } else if (previous.metadata.uid === object.metadata.uid) {
      handlers.changed(object, previous);
    } else {
      handlers.gone(previous);
      handlers.added(object);
    }
  };
  const gone = (key: string): void => {
    const previous = known.get(key);
    known.delete(key);
    if (previous !== undefined) handlers.gone(previous);
  };
  return {
    take(event) {
      if (event.kind === 'there') there(event.object);
      else gone(keyOf(event.object));
    },
    replace(objects) {
      const present = new Set(objects.map(keyOf));
      for (const key of [...known.keys()]) if (!present.has(key)) gone(key);
      for (const object of objects) there(object);
    },
  };
}
