// The certificates that a check of hardware goes by: the recorded ones and no other. A check records none, so one that is seen for
// the first time is refused, before the login is sent to it.
import { LabwrightError } from '@labwright/core/errors/error';
import { routerPins } from '@labwright/daemon/router/router-pins';
import type { Store } from '@labwright/daemon/store/store';

type Pins = Store['pins'];

export interface KnownCertificates {
  /** Of the Proxmox hosts; `set` throws LW2007. */
  readonly hosts: Pins;
  /** Of the router; `set` throws LW8003. */
  readonly router: Pins;
}

/** Reads at once, so that the store may be closed; without a store nothing is known. */
export async function readKnownCertificates(
  store: Pick<Store, 'pins'> | undefined,
  names: { readonly hosts: readonly string[]; readonly router?: string },
): Promise<KnownCertificates> {
  const pins = store === undefined ? undefined : { hosts: store.pins, router: routerPins(store) };
  const routers = names.router === undefined ? [] : [names.router];
  return {
    hosts: await readPins(pins?.hosts, names.hosts, 'LW2007'),
    router: await readPins(pins?.router, routers, 'LW8003'),
  };
}

async function readPins(pins: Pins | undefined, names: readonly string[], code: 'LW2007' | 'LW8003'): Promise<Pins> {
  const known = new Map(await Promise.all(names.map(async (name) => [name, await pins?.get(name)] as const)));
  return {
    get: async (name) => known.get(name),
    set: async (name, seen) => {
      throw new LabwrightError(code, {
        what: `no certificate of ${name} is known yet, so nothing was sent to it`,
        where: { seen },
        why: 'the checks send a login, and only where the certificate is one that was recorded before',
        fix: [
          `labwright plan   asks ${name} and records the certificate it shows`,
          `labwright doctor --trust ${name}   later, when it shows another one`,
        ],
      });
    },
  };
}
