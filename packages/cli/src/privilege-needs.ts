// What a lab asks of its Proxmox login: for `doctor`, and for the login a rehearsal gives to itself.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { privilegesFor, type PrivilegeNeeds } from '@labwright/drivers/proxmox/privileges';

/** As far as privileges depend on the lab. */
export function privilegeNeeds({ machines, network, proxmox }: Blueprint): PrivilegeNeeds {
  const { bridge, vlan } = network;
  return {
    vmIds: machines.map((machine) => machine.vmId),
    storages: [proxmox.storage, ...machines.map((machine) => machine.storage)],
    networks: [{ bridge, ...(vlan === undefined ? {} : { vlan }) }],
    startOrder: machines.some((machine) => machine.startOrder !== undefined),
    // Machines say themselves when they are ready; no guest agent is asked.
    guestAgent: false,
  };
}

/** The names of all of them, wherever in Proxmox's tree they are needed. */
export function privilegeNames(blueprint: Blueprint): readonly string[] {
  const needed = privilegesFor(privilegeNeeds(blueprint), 9);
  return [...new Set(needed.flatMap(({ privileges }) => privileges))];
}
