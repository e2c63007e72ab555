// The product's own connection to an emulated pfSense of the tests, and the product's keeper of it.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId } from '@labwright/core/addresses/names';
import { type Log, silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import { connectPfsense, type PfsenseConnection } from '@labwright/drivers/pfsense/connection';
import { ownerOf } from '@labwright/network/router/entry-names';
import { ManagedRouter, type ManagedRouterOptions } from '@labwright/network/router/managed-router';
import type { RouterPeer } from './router-peer.ts';

/** As `serve` connects; it trusts the certificate that it meets first. */
export function connectRouter({ address, login }: Pick<RouterPeer, 'address' | 'login'>): PfsenseConnection {
  const pins = new Map<string, string>();
  return connectPfsense({
    router: { name: 'fw1', address, port: 443 },
    user: login.user,
    password: new Secret(login.password),
    pins: {
      get: (name) => Promise.resolve(pins.get(name)),
      set: (name, fingerprint) => Promise.resolve(void pins.set(name, fingerprint)),
    },
    expect: 'rehearsal',
    log: silentLog,
  });
}

export const failuresOnly: Log = { ...silentLog, warn: console.log, error: console.log };

export interface KeptRouter {
  readonly managed: ManagedRouter;
  /** As if the process were killed: nothing is said to anybody. */
  readonly stop: () => Promise<void>;
}

/** Keeps names and HAProxy of the router for a lab whose file wants nothing of it. */
export function keepRouter(
  connection: PfsenseConnection,
  { holder = 'test', keeper }: Partial<Pick<ManagedRouterOptions, 'holder' | 'keeper'>> = {},
): KeptRouter {
  const managed = new ManagedRouter({
    connection,
    terms: {
      owner: ownerOf(labId('test+rehearsal')),
      manage: ['dns', 'haproxy'],
      hasNameServer: false,
      machineNetwork: ipv4(connection.router.address),
    },
    holder,
    clock: systemClock,
    log: failuresOnly,
    ...(keeper === undefined ? {} : { keeper }),
  });
  const stop = new AbortController();
  managed.wantLab('none');
  const kept = managed.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) console.log(error);
  });
  return {
    managed,
    stop: async () => {
      stop.abort(new Error('the end'));
      await kept;
    },
  };
}
