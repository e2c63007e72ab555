// The kernel's table of who has which address on our own network. Whoever sends us something has asked for our Ethernet
// address before, and is in it.
import { readFile } from 'node:fs/promises';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { parseMac, type Mac } from '@labwright/core/addresses/mac';

/** Undefined for an address of another network, and where the system has no such table. */
export async function readNeighbour(address: Ipv4): Promise<Mac | undefined> {
  try {
    return parseNeighbour(await readFile('/proc/net/arp', 'latin1'), address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A finished entry has flag 2: "10.1.1.1 0x1 0x2 02:00:00:00:01:01 * eth0". */
export function parseNeighbour(table: string, address: Ipv4): Mac | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [entry, , flags, hardware = ''] = line.split(/\s+/);
    if (entry === address && (Number(flags) & 2) !== 0) return parseMac(hardware);
  }
  return undefined;
}
