// A hop on the way from a name to a pod, and the places connections go to.
import { cidrRange, type Ipv4, rangeContains } from '@labwright/core/addresses/ipv4';
import type { Backend, Exposure } from '../exposures/exposure.ts';

export type HopName = 'record' | 'resolver' | 'balancer' | 'node port' | 'endpoint' | 'pod';

export interface Hop {
  readonly hop: HopName;
  /** 'unknown': nobody looked, or somebody else's to say. */
  readonly state: 'ok' | 'fails' | 'unknown';
  /** One sentence. */
  readonly words: string;
  readonly fix?: string;
}

/** Of its ports and routes, each once. */
export function backendsOf({ ports, routes }: Exposure): readonly Backend[] {
  const all = [...ports, ...routes].flatMap(({ backends }) => backends);
  return [...new Map(all.map((backend) => [formatPlace(backend.address, backend.port), backend])).values()];
}

export interface ConnectionPlace {
  readonly address: string;
  readonly port: number;
}

/** Where clients connect, as far as it can be tried: whether somebody hears a datagram is not told. */
export function placesOf({ addresses, ports }: Pick<Exposure, 'addresses' | 'ports'>): readonly ConnectionPlace[] {
  const open = ports.filter(({ protocol }) => protocol === 'TCP');
  return addresses.flatMap((address) => open.map(({ port }) => ({ address, port })));
}

/** Which address this computer connects from, by the one that it connects to. */
export type OwnAddresses = ReadonlyMap<string, Ipv4>;

/** Why a connection from this computer would say nothing about others; undefined where it may connect, or nobody knows. */
export function explainBarred(
  { addresses, sourceRanges }: Pick<Exposure, 'addresses' | 'sourceRanges'>,
  from: OwnAddresses,
): string | undefined {
  if (sourceRanges === undefined) return undefined;
  const own = [...new Set(addresses.flatMap((address) => from.get(address) ?? []))];
  const mayConnect = own.some((each) => sourceRanges.some((range) => rangeContains(cidrRange(range), each)));
  if (own.length === 0 || mayConnect) return undefined;
  const who = sourceRanges.length === 0 ? 'no IPv4 client' : `only clients in ${sourceRanges.join(', ')}`;
  return `${who} may connect, and this computer is ${own.join(', ')}`;
}

export function formatPlace(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
