// Addresses from the services range: what has one keeps it, and nothing that comes or goes moves another.
//
// A new one starts looking at a place that follows from its name, so that what is deleted and made again usually gets the address it
// had, and hardly ever one that clients still remember for something else.
import {
  type Ipv4,
  ipv4FromNumber,
  type Ipv4Range,
  ipv4ToNumber,
  parseIpv4,
  rangeContains,
  rangeSize,
  rangesOverlap,
} from '@labwright/core/addresses/ipv4';
import type { ExposureKey, RouterView, UsedRange } from './exposure.ts';

export interface AddressWish {
  readonly key: ExposureKey;
  /** Asked for by its owner: this one or none. */
  readonly wanted?: string;
  /** What it has, likeliest first. */
  readonly current: readonly string[];
}

export type GivenAddress =
  | { readonly kind: 'given'; readonly address: Ipv4 }
  | { readonly kind: 'no-range' }
  /** `used`: what of the range somebody has on the router. */
  | { readonly kind: 'full'; readonly range: Ipv4Range; readonly used: readonly UsedRange[] }
  | { readonly kind: 'no-address'; readonly wanted: string }
  | { readonly kind: 'outside'; readonly wanted: Ipv4; readonly range: Ipv4Range }
  /** The control-plane endpoint, an appliance, or the Service that has it already. */
  | { readonly kind: 'taken'; readonly wanted: Ipv4; readonly owner: string }
  /** On the router, by somebody else. */
  | { readonly kind: 'used'; readonly wanted: Ipv4; readonly what: string }
  /** It is not known yet which are free. */
  | { readonly kind: 'unseen'; readonly why: string };

export interface AddressPlanOptions {
  readonly range: Ipv4Range | undefined;
  readonly taken: ReadonlyMap<Ipv4, string>;
  readonly usedAddresses?: Pick<RouterView, 'used' | 'placed'> | undefined;
  readonly unseen?: string | undefined;
}

/** The wishes oldest first. One answer a wish. */
export function planAddresses(
  wishes: readonly AddressWish[],
  { range, taken, usedAddresses = { used: [], placed: [] }, unseen }: AddressPlanOptions,
): ReadonlyMap<ExposureKey, GivenAddress> {
  const given = new Map<ExposureKey, GivenAddress>();
  if (range === undefined) return new Map(wishes.map(({ key }) => [key, { kind: 'no-range' }]));
  const owners = new Map<Ipv4, string>(taken);
  const used = usedAddresses.used.filter((each) => rangesOverlap(each.range, range));
  const placed = new Set(usedAddresses.placed);
  const findUse = (address: Ipv4): UsedRange | undefined => used.find((each) => rangeContains(each.range, address));
  const isNobodys = (address: Ipv4): boolean => rangeContains(range, address) && !owners.has(address);
  const isFree = (address: Ipv4): boolean => isNobodys(address) && findUse(address) === undefined;
  // One that is on the router already stays, whatever a person puts there later: both are told of it.
  const canStay = (address: Ipv4): boolean =>
    isNobodys(address) && (placed.has(address) || findUse(address) === undefined);
  const give = (key: ExposureKey, address: Ipv4): void => {
    owners.set(address, key);
    given.set(key, { kind: 'given', address });
  };

  const refuseWanted = (wanted: Ipv4): GivenAddress => {
    const owner = owners.get(wanted);
    if (owner !== undefined) return { kind: 'taken', wanted, owner };
    const use = findUse(wanted);
    return use === undefined || !rangeContains(range, wanted)
      ? { kind: 'outside', wanted, range }
      : { kind: 'used', wanted, what: use.what };
  };

  // What has an address keeps it, also against an older one that would like to have it; and against its own wish for another
  // while it is not known which are free.
  for (const { key, wanted, current } of wishes) {
    const kept = current.flatMap((text) => parseIpv4(text) ?? []).find(canStay);
    const canMove = wanted !== undefined && wanted !== kept && unseen === undefined;
    if (kept !== undefined && !canMove) give(key, kept);
  }
  if (unseen !== undefined) {
    for (const { key } of wishes) if (!given.has(key)) given.set(key, { kind: 'unseen', why: unseen });
    return given;
  }
  for (const { key, wanted: text } of wishes) {
    if (text === undefined || given.has(key)) continue;
    const wanted = parseIpv4(text);
    if (wanted === undefined) given.set(key, { kind: 'no-address', wanted: text });
    else if (isFree(wanted)) give(key, wanted);
    else given.set(key, refuseWanted(wanted));
  }
  for (const { key } of wishes) {
    if (given.has(key)) continue;
    const address = findFree(key, range, isFree);
    if (address === undefined) given.set(key, { kind: 'full', range, used });
    else give(key, address);
  }
  return given;
}

function findFree(key: ExposureKey, range: Ipv4Range, isFree: (address: Ipv4) => boolean): Ipv4 | undefined {
  const size = rangeSize(range);
  const start = hashText(key) % size;
  const first = ipv4ToNumber(range.first);
  for (let step = 0; step < size; step += 1) {
    const address = ipv4FromNumber(first + ((start + step) % size));
    if (isFree(address)) return address;
  }
  return undefined;
}

/** FNV-1a, 32 bits: spreads names over the range; nothing depends on it being hard to guess. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193) >>> 0;
  }
  return hash;
}
