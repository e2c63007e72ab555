// The range of addresses that the router of a rehearsal leases to whatever is not in the lab file.
import {
  cidrRange,
  ipv4FromNumber,
  ipv4ToNumber,
  rangeContains,
  type Ipv4,
  type Ipv4Range,
} from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { devicesOf } from '@labwright/core/lab/checks/check-addresses';
import type { Lab } from '@labwright/core/lab/lab-schema';

/** As many as a house may need; a longer stretch is cut to its last. */
const mostLeases = 256;

/**
 * The longest stretch that nobody else has: of the addresses which the file reserves for others, or where there is none left, of the
 * whole network. Undefined when that is full.
 */
export function findLeaseRange(lab: Lab, blueprint: Blueprint, taken: readonly Ipv4[]): Ipv4Range | undefined {
  const { network, netboot, cluster } = blueprint;
  const whole = cidrRange(network.cidr);
  const single = [
    whole.first,
    whole.last,
    network.gateway,
    netboot.address,
    ...(cluster === undefined ? [] : [cluster.endpoint.address]),
    ...devicesOf(lab).map(({ address }) => address),
    ...taken,
  ];
  const others = [
    ...single.map((address) => ({ first: address, last: address })),
    cidrRange(network.machines),
    ...(network.services === undefined ? [] : [network.services]),
    ...(netboot.dynamic === undefined ? [] : [netboot.dynamic]),
  ];
  const reserved = (lab.networks[network.name]?.reserved ?? []).filter(({ first }) => rangeContains(whole, first));
  return findLongest(reserved, others) ?? findLongest([whole], others);
}

function findLongest(ranges: readonly Ipv4Range[], others: readonly Ipv4Range[]): Ipv4Range | undefined {
  let longest: { readonly first: number; readonly last: number } | undefined;
  const blocks = others
    .map(({ first, last }) => ({ first: ipv4ToNumber(first), last: ipv4ToNumber(last) }))
    .sort((one, other) => one.first - other.first);
  for (const range of ranges) {
    const end = ipv4ToNumber(range.last);
    let first = ipv4ToNumber(range.first);
    for (const block of [...blocks, { first: end + 1, last: end + 1 }]) {
      const last = Math.min(block.first - 1, end);
      if (last >= first && (longest === undefined || last - first > longest.last - longest.first))
        longest = { first, last };
      first = Math.max(first, block.last + 1);
    }
  }
  if (longest === undefined) return undefined;
  const first = Math.max(longest.first, longest.last - mostLeases + 1);
  return { first: ipv4FromNumber(first), last: ipv4FromNumber(longest.last) };
}
