// What netboot asks about machines and who answers: the blueprint, the generation each machine should have, and the
// Ignition config of one machine.
import type { Mac } from '@labwright/core/addresses/mac';
import { prefixLength } from '@labwright/core/addresses/ipv4';
import type { HostName } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import { parseMark } from '@labwright/drivers/proxmox/mark';
import type { BootDirectory, BootMachine, IgnitionAnswer } from '@labwright/netboot/boot-network';
import { renderIgnition } from '@labwright/netboot/ignition/ignition-config';
import { negotiateIgnitionVersion } from '@labwright/netboot/ignition/ignition-version';

export interface BootKnowledge extends BootDirectory {
  /** Takes the generations from the marks on the hypervisors. */
  observed(facts: HypervisorFacts): void;
  /** A rebuild raised it, and the machine boots before anyone looks again. */
  wiped(machine: HostName, generation: number): void;
}

export function makeBootKnowledge(blueprint: Blueprint): BootKnowledge {
  const machines = new Map(blueprint.machines.map((machine) => [machine.mac, machine]));
  const generations = new Map<HostName, number>();
  return {
    findByMac: (mac: Mac): BootMachine | undefined => {
      const machine = machines.get(mac);
      if (machine === undefined) return undefined;
      const { name, address, firmware, image } = machine;
      return { name, mac, address, firmware, image, generation: generations.get(name) ?? 1, lab: blueprint.lab };
    },
    wiped: (machine, generation) => void generations.set(machine, generation),
    observed: (facts) => {
      for (const vm of facts.vms) {
        const mark = parseMark(vm.config?.description ?? '');
        if (mark?.lab === blueprint.lab && mark.vmId === vm.vmId) generations.set(mark.machine, mark.generation);
      }
    },
  };
}

/** `publicKey` is Labwright's own; the people's keys come from the lab file. */
export function renderMachineIgnition(
  blueprint: Blueprint,
  publicKey: string,
  machine: BootMachine,
  accept: string | undefined,
): IgnitionAnswer {
  const negotiated = negotiateIgnitionVersion(accept);
  if (negotiated.kind === 'unsupported') {
    const body = `this Ignition takes up to ${negotiated.announced}; Labwright writes 3.3.0 and 3.4.0\n`;
    return { status: 406, contentType: 'text/plain', body };
  }
  const { network, ssh, domain } = blueprint;
  const body = renderIgnition(
    {
      hostname: machine.name,
      domain,
      user: { name: ssh.user, authorizedKeys: [publicKey, ...ssh.authorizedKeys] },
      network: {
        mac: machine.mac,
        address: machine.address,
        prefixLength: prefixLength(network.cidr),
        gateway: network.gateway,
        resolvers: network.resolvers,
      },
      files: [],
      units: [],
    },
    negotiated.version,
  );
  return { status: 200, contentType: 'application/vnd.coreos.ignition+json', body };
}
