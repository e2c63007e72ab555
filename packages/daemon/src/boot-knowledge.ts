// What netboot asks about machines and who answers: the blueprint, the generation each machine should have, and the
// Ignition config of one machine.
import type { Mac } from '@labwright/core/addresses/mac';
import { prefixLength, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { HostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import { makeNodeProvision } from '@labwright/cluster/formation/node-provision';
import { parseMark } from '@labwright/drivers/proxmox/mark';
import { registryMirrorFile } from '@labwright/images/kubernetes/registry-mirror';
import type { BootDirectory, BootMachine, IgnitionAnswer } from '@labwright/netboot/boot-network';
import { renderIgnition, type IgnitionFile } from '@labwright/netboot/ignition/ignition-config';
import { negotiateIgnitionVersion } from '@labwright/netboot/ignition/ignition-version';
import { allMachines } from '@labwright/machines/replacements';
import { bootImageName, bootKernelArguments } from './boot-images.ts';

export interface BootKnowledge extends BootDirectory {
  /** Takes the generations from the marks on the hypervisors. */
  observed(facts: HypervisorFacts): void;
  /** A rebuild raised it, and the machine boots before anyone looks again. */
  wiped(machine: HostName, generation: number): void;
}

export function makeBootKnowledge(blueprint: Blueprint): BootKnowledge {
  const machines = new Map(allMachines(blueprint).map((machine) => [machine.mac, machine]));
  const byAddress = new Map(allMachines(blueprint).map((machine) => [machine.address, machine]));
  const generations = new Map<HostName, number>();
  const bootMachine = (machine: MachineBlueprint | undefined): BootMachine | undefined => {
    if (machine === undefined) return undefined;
    const { name, mac, address, firmware } = machine;
    const image = bootImageName(machine);
    const kernelArguments = bootKernelArguments(machine, blueprint);
    const generation = generations.get(name) ?? 1;
    return { name, mac, address, firmware, image, kernelArguments, generation, lab: blueprint.lab };
  };
  return {
    findByMac: (mac: Mac) => bootMachine(machines.get(mac)),
    findByAddress: (address: Ipv4) => bootMachine(byAddress.get(address)),
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
  const { network, ssh, domain, cluster } = blueprint;
  const provision = makeNodeProvision(
    cluster,
    allMachines(blueprint).find(({ name }) => name === machine.name) ?? { name: machine.name },
  );
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
        furtherAddresses: provision.furtherAddresses,
      },
      files: [...provision.files, ...registryFiles(blueprint, machine)],
      units: provision.units,
    },
    negotiated.version,
  );
  return { status: 200, contentType: 'application/vnd.coreos.ignition+json', body };
}

/** A cluster machine pulls through the boot server: what ten of them need comes into the lab once. */
function registryFiles({ machines, netboot }: Blueprint, { name }: BootMachine): readonly IgnitionFile[] {
  const isMember = machines.some((machine) => machine.name === name && machine.role !== undefined);
  return isMember ? [registryMirrorFile(`http://${netboot.address}:${netboot.httpPort}`)] : [];
}
