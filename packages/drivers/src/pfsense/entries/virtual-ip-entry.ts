// A further address of the router on one of its interfaces, for services of the cluster.
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { type Mark, formatMark } from '../config/mark.ts';
import { type InterfaceName, places } from '../config/place.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';

/** An alias address with a host's prefix length: the network itself is the interface's. */
export function virtualIpEntry(mark: Mark, interfaceName: InterfaceName, address: string): OwnedEntry {
  const descr = formatMark(mark);
  return {
    place: places.virtualIps,
    mark,
    value: {
      mode: 'ipalias',
      interface: interfaceName,
      // pfSense makes 13 hexadecimal digits of the time; ours follow from the mark, so that a plan made twice is the same.
      uniqid: createHash('sha256').update(descr).digest('hex').slice(0, 13),
      descr,
      type: 'single',
      subnet_bits: isIPv6(address) ? '128' : '32',
      subnet: address,
    },
  };
}
