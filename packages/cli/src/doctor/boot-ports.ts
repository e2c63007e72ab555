// Whether this computer can boot machines over the network: it has the address, and nobody has the ports.
import { networkInterfaces } from 'node:os';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { asLabwrightError } from '@labwright/core/errors/error';
import { assertPortFree, type ListenPlace } from '@labwright/netboot/sockets/listen-error';
import { findingOf, type Finding } from './doctor-report.ts';

const blocked = 'labwright up and labwright serve, when machines have to boot';

/** DHCP listens on all addresses: broadcasts come to none of ours. Where the router starts machines, another may have that port. */
export function listBootPlaces({ netboot }: Pick<Blueprint, 'netboot'>): readonly ListenPlace[] {
  const { address, httpPort, mode } = netboot;
  return [
    ...(mode === 'router' ? [] : [{ protocol: 'udp', address: '0.0.0.0', port: 67, purpose: 'DHCP' } as const]),
    { protocol: 'udp', address, port: 69, purpose: 'TFTP' },
    { protocol: 'udp', address, port: 4011, purpose: 'the boot server' },
    { protocol: 'tcp', address, port: httpPort, purpose: 'HTTP boot' },
  ];
}

export async function checkBootPorts(
  blueprint: Blueprint,
  servedAt: string | undefined,
  isServed: boolean,
): Promise<readonly Finding[]> {
  const { address } = blueprint.netboot;
  if (isServed) return [{ verdict: 'fine', what: `network boot: labwright serve of this lab answers from ${address}` }];
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  if (!addresses.some((each) => each.address === address)) return [missingAddress(address, servedAt)];
  return await checkPlaces(listBootPlaces(blueprint));
}

export function missingAddress(address: string, servedAt: string | undefined): Finding {
  if (servedAt !== undefined) {
    return { verdict: 'note', what: `network boot is served by ${servedAt}, which is not this computer` };
  }
  return {
    verdict: 'blocks',
    what: `this computer does not have the address ${address} that network boot answers from`,
    blocks: blocked,
    advice: [
      'ip -br address   shows the addresses it has; set netboot.address to one of them',
      'or run Labwright on the computer that has it',
    ],
  };
}

/** Exported for its test, which has no right to the real ports. */
export async function checkPlaces(places: readonly ListenPlace[]): Promise<readonly Finding[]> {
  const taken: Finding[] = [];
  for (const place of places) {
    try {
      await assertPortFree(place);
    } catch (error) {
      taken.push(findingOf(asLabwrightError(error), blocked));
    }
  }
  if (taken.length > 0) return taken;
  const list = places.map(({ protocol, port }) => `${protocol.toUpperCase()} ${port}`).join(', ');
  return [{ verdict: 'fine', what: `network boot: ${list} are free` }];
}
