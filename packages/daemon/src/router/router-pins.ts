// Where the certificate of a router is remembered: beside those of the hosts, one of which may have its name.
import type { Store } from '../store/store.ts';

export function routerPins({ pins }: Pick<Store, 'pins'>): Store['pins'] {
  const keyOf = (router: string): string => `router ${router}`;
  return {
    get: async (router) => await pins.get(keyOf(router)),
    set: async (router, fingerprint) => await pins.set(keyOf(router), fingerprint),
  };
}
