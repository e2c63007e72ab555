// Which machine asks, when all that is known is the address it asks from.
import { parseIpv4, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { BootDirectory, BootMachine, HolderOf } from '../boot-network.ts';

export type MachineAt =
  | { readonly kind: 'machine'; readonly machine: BootMachine; readonly address: Ipv4 }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * The Ethernet address decides where it is known, so that nobody gets a machine's files by taking its address, and a machine
 * that was leased another address still boots. Without it (the machine is behind another router) the lab file's word for whose
 * address it is suffices.
 */
export async function findMachineAt(
  peer: string,
  { directory, holderOf }: { readonly directory: BootDirectory; readonly holderOf: HolderOf },
): Promise<MachineAt> {
  const address = parseIpv4(peer);
  if (address === undefined) return refused(`${peer} is not an IPv4 address`);
  const owner = directory.findByAddress(address);
  const holder = await holderOf(address);
  if (holder === undefined) {
    return owner === undefined
      ? refused(`${address} is not the address of a machine of the lab file`)
      : { kind: 'machine', machine: owner, address };
  }
  if (owner !== undefined && owner.mac !== holder) {
    return refused(`${address} is the address of ${owner.name} (${owner.mac}), and ${holder} has it`);
  }
  const machine = directory.findByMac(holder);
  if (machine === undefined) return refused(`${holder} is not a machine of the lab file`);
  return { kind: 'machine', machine, address };
}

function refused(reason: string): MachineAt {
  return { kind: 'refused', reason };
}
