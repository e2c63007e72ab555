// The addresses a load balancer may send to, by pool: known from the lab file before a machine exists.
import type { Ipv4 } from '../addresses/ipv4.ts';
import type { HostName } from '../addresses/names.ts';
import type { Identity } from './identity.ts';

export interface BackEnd {
  readonly name: HostName;
  readonly address: Ipv4;
  readonly pool: string;
}

/** In the table's order; of the named pools only, or of all. */
export function listBackEnds(identities: readonly Identity[], pools?: readonly string[]): readonly BackEnd[] {
  return identities
    .filter(({ pool }) => pools === undefined || pools.includes(pool))
    .map(({ name, address, pool }) => ({ name, address, pool }));
}
