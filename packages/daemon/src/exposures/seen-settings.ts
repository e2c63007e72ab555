// The settings of exposures, by the router as it is seen. Before it was seen once nothing is decided: an address in one of its
// pools, or a port of its own, would be given and taken away again. One that stays away holds up only what needs a new address.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import { exposureSettings } from '@labwright/network/exposures/exposure-settings';
import type { ExposureSettings, RouterView } from '@labwright/network/exposures/exposure';
import type { ManagedRouter } from '@labwright/network/router/managed-router';
import { viewRouter } from '@labwright/network/router/router-view';

export interface SeenSettings {
  /** Undefined while the router is waited for. */
  current(): ExposureSettings | undefined;
  /** For somebody who asks now: looks at a router that was not seen yet, for a few seconds. */
  fetch(signal: AbortSignal): Promise<ExposureSettings>;
  /** Begins to wait for the router. `changed` is called whenever `current` is other than before, until the signal. */
  follow(changed: () => void, signal: AbortSignal): void;
}

/** A router that is there says so within a second or two. */
const patienceMs = 30_000;
const lookMs = 5_000;

export function makeSeenSettings(
  blueprint: Pick<Blueprint, 'exposures' | 'router'>,
  /** Absent where nothing is balanced on one. */
  router: Pick<ManagedRouter, 'state' | 'terms' | 'listen' | 'look'> | undefined,
  clock: Clock,
): SeenSettings {
  let isAwaited = true;
  let last: { readonly state: unknown; readonly view: RouterView } | undefined;

  const view = (): RouterView | undefined => {
    const state = router?.state;
    if (router === undefined || state === undefined) return undefined;
    if (last?.state !== state) last = { state, view: viewRouter(state, router.terms.owner) };
    return last.view;
  };
  const best = (): ExposureSettings =>
    exposureSettings(blueprint, router === undefined ? undefined : (view() ?? 'unseen'));

  return {
    current: () => (router !== undefined && isAwaited && view() === undefined ? undefined : best()),
    fetch: async (signal) => {
      if (router !== undefined && view() === undefined) {
        await router.look(AbortSignal.any([signal, AbortSignal.timeout(lookMs)])).catch(() => signal.throwIfAborted());
      }
      return best();
    },
    follow: (changed, signal) => {
      let told = JSON.stringify(view());
      router?.listen(() => {
        const text = JSON.stringify(view());
        if (text === told) return;
        told = text;
        changed();
      }, signal);
      const giveUp = async (): Promise<void> => {
        await clock.sleep(patienceMs, signal);
        isAwaited = false;
        changed();
      };
      giveUp().catch(() => undefined);
    },
  };
}
