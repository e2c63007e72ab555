// Lab file to blueprint: every machine, address and name that should be. Pure; looks nothing up.
import { hostName, labId, rehearsalOf } from '../addresses/names.ts';
import { invariant } from '../errors/error.ts';
import { labIdentities, machineNetwork } from '../lab/lab-identities.ts';
import type { Lab } from '../lab/lab-schema.ts';
import type { Blueprint, HostBlueprint, MachineBlueprint, NetworkBlueprint, ProxmoxBlueprint } from './blueprint.ts';

export interface ResolveOptions {
  /** Marks everything as a rehearsal's: it and hardware can then not be mistaken for each other. */
  readonly rehearsal: boolean;
}

/** For a lab that passed its check (`parseLab`); anything else is a mistake of the caller. */
export function resolveBlueprint(lab: Lab, { rehearsal }: ResolveOptions): Blueprint {
  const id = labId(lab.lab);
  return {
    lab: rehearsal ? rehearsalOf(id) : id,
    domain: lab.domain,
    network: resolveNetwork(lab),
    hosts: resolveHosts(lab),
    proxmox: resolveProxmox(lab),
    netboot: {
      mode: lab.netboot.mode,
      address: lab.netboot.address,
      httpPort: lab.netboot.httpPort,
      ...(lab.netboot.dynamic === undefined ? {} : { dynamic: lab.netboot.dynamic }),
    },
    ssh: { user: lab.ssh.user, authorizedKeys: lab.ssh.authorizedKeys },
    machines: resolveMachines(lab),
  };
}

function resolveNetwork(lab: Lab): NetworkBlueprint {
  const place = machineNetwork(lab);
  invariant(place !== undefined, 'a checked lab has one network with machines');
  const { cidr, gateway, resolvers, machines, services, bridge, vlan } = place.network;
  return {
    name: place.name,
    cidr,
    gateway,
    resolvers: resolvers ?? [gateway],
    machines,
    bridge,
    ...(services === undefined ? {} : { services }),
    ...(vlan === undefined ? {} : { vlan }),
  };
}

function resolveHosts(lab: Lab): readonly HostBlueprint[] {
  return Object.entries(lab.hosts).map(([name, { address, cores, memory, maintenance }]) => ({
    name: hostName(name),
    address,
    cores,
    memoryMiB: memory,
    maintenance,
  }));
}

function resolveProxmox({ proxmox }: Lab): ProxmoxBlueprint {
  const { port, storage, tls } = proxmox;
  return { port, storage, tls: tls === 'pinned' ? { mode: 'pinned' } : { mode: 'ca', file: tls.ca } };
}

function resolveMachines(lab: Lab): readonly MachineBlueprint[] {
  const allHosts = Object.keys(lab.hosts);
  return labIdentities(lab).map((identity) => {
    const pool = lab.pools[identity.pool];
    invariant(pool !== undefined, `machine ${identity.name} is of a pool of the lab`);
    return {
      ...identity,
      cores: pool.cores,
      memoryMiB: pool.memory,
      diskGiB: pool.disk.size,
      storage: pool.disk.storage ?? lab.proxmox.storage,
      firmware: pool.firmware,
      image: pool.image,
      hosts: (pool.hosts ?? allHosts).map(hostName),
      spread: pool.spread,
      ...(pool.startOrder === undefined ? {} : { startOrder: pool.startOrder }),
    };
  });
}
