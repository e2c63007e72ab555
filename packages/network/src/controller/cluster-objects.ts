// All that the cluster says about exposures, kept as its API server tells it. Losing the API server loses nothing: what was there
// stays until it is told to be gone.
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { type ClusterObject, type Kind, nodeKind } from '@labwright/drivers/kubernetes/kind';
import { exposedServiceKind, exposedSliceKind, ingressKind } from '../cluster/exposed-kinds.ts';
import type { ExposureFacts } from '../exposures/exposure.ts';

export interface ClusterObjects {
  /** Undefined until everything that was there at the start is known: before that, what is missing would seem to be gone. */
  current(): Pick<ExposureFacts, 'services' | 'ingresses' | 'slices' | 'nodes'> | undefined;
  /** Ends with the signal, or with the mistake of a handler. */
  readonly done: Promise<void>;
}

/** `changed` is called after every change, from the first complete state on. */
export function followCluster(
  connection: Pick<ClusterConnection, 'watch'>,
  changed: () => void,
  signal: AbortSignal,
): ClusterObjects {
  let missing = 4;
  const follow = <T extends ClusterObject>(kind: Kind<T>) => {
    const objects = new Map<string, T>();
    const put = (object: T): void => void objects.set(object.metadata.uid, object);
    const tell = (): void => {
      if (missing === 0) changed();
    };
    const handlers = {
      added: (object: T) => {
        put(object);
        tell();
      },
      changed: (object: T, before: T) => {
        // One with the name of another that went unseen.
        if (before.metadata.uid !== object.metadata.uid) objects.delete(before.metadata.uid);
        put(object);
        tell();
      },
      gone: (object: T) => {
        objects.delete(object.metadata.uid);
        tell();
      },
      synced: () => {
        missing -= 1;
        tell();
      },
    };
    return { objects, done: connection.watch(kind, {}, handlers, signal) };
  };
  const services = follow(exposedServiceKind);
  const ingresses = follow(ingressKind);
  const slices = follow(exposedSliceKind);
  const nodes = follow(nodeKind);
  return {
    current() {
      if (missing > 0) return undefined;
      return {
        services: [...services.objects.values()],
        ingresses: [...ingresses.objects.values()],
        slices: [...slices.objects.values()],
        nodes: [...nodes.objects.values()],
      };
    },
    done: Promise.all([services.done, ingresses.done, slices.done, nodes.done]).then(() => undefined),
  };
}
