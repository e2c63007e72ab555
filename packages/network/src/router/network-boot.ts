// What a router's own DHCP tells the machines of a lab about booting, and the same for a person to set up by hand. Pure.
//
//   mode     leases of the machines    boot files
//   serve    the same as ours          none: our own DHCP names them
//   proxy    the router's              none: our proxy adds them
//   router   the router's              labwright.pxe, labwright.efi from our address
//
// With ISC they stand in the leases of our machines; pfSense has Kea name those of a whole network only, so there they stand in
// the network's section, and whoever else boots from it gets a file that our TFTP server does not give it.
import type { Blueprint, NetbootBlueprint } from '@labwright/core/blueprint/blueprint';
import { staticBootFiles } from '@labwright/core/blueprint/static-boot-files';
import type { NetworkBoot } from '@labwright/drivers/pfsense/entries/lease-entry';

/** Undefined where the router names nothing to boot. */
export function networkBootOf({ mode, address }: NetbootBlueprint): NetworkBoot | undefined {
  if (mode !== 'router') return undefined;
  return { nextServer: address, bios: staticBootFiles.bios, uefi64: staticBootFiles.uefi };
}

/**
 * For a router that Labwright does not set up: what has to stand in its DHCP, one setting a line; nothing where our own servers
 * do all of it.
 */
export function listHandmadeDhcp(
  blueprint: Pick<Blueprint, 'netboot' | 'network' | 'machines' | 'spares'>,
): readonly string[] {
  const boot = networkBootOf(blueprint.netboot);
  if (boot === undefined) return [];
  const machines = [...blueprint.machines, ...(blueprint.spares ?? [])];
  return [
    `network ${blueprint.network.cidr}: next server (TFTP) ${boot.nextServer}`,
    `boot file for BIOS (architecture 0): ${boot.bios ?? ''}`,
    `boot file for UEFI x64 (architectures 7 and 9): ${boot.uefi64 ?? ''}`,
    'no option 60, or with it option 43 06:01:08:ff',
    ...machines.map(({ mac, address, name }) => `static lease: ${mac} has ${address} and the name ${name}`),
  ];
}
