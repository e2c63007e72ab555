// Lab file to blueprint: every machine, address and name that should be. Pure; looks nothing up.
import { cidrRange, ipv4FromNumber, ipv4ToNumber } from '../addresses/ipv4.ts';
import { hostName, labId, rehearsalOf } from '../addresses/names.ts';
import { invariant } from '../errors/error.ts';
import { resolveExposures } from './resolve-exposures.ts';
import { resolveCharts, resolveNas, resolveOutsideServices } from './resolve-services.ts';
import type { Identity } from '../identity/identity.ts';
import { labIdentities, machineNetwork, spareIdentities } from '../lab/lab-identities.ts';
import type { Lab, LabKubernetes } from '../lab/lab-schema.ts';
import type {
  Blueprint,
  ClusterBlueprint,
  HostBlueprint,
  MachineBlueprint,
  NetworkBlueprint,
  ProxmoxBlueprint,
  RouterBlueprint,
  SnapshotsBlueprint,
} from './blueprint.ts';

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
    ...(lab.router === undefined ? {} : { router: resolveRouter(lab.router) }),
    exposures: resolveExposures(lab),
    ...(lab.kubernetes === undefined ? {} : { cluster: resolveCluster(lab, lab.kubernetes, rehearsal) }),
    ...(lab.kubernetes === undefined ? {} : { snapshots: resolveSnapshots(lab.kubernetes) }),
    ...(lab.kubernetes === undefined ? {} : { charts: resolveCharts(lab, lab.kubernetes, rehearsal) }),
    ssh: { user: lab.ssh.user, authorizedKeys: lab.ssh.authorizedKeys },
    nas: resolveNas(lab),
    services: resolveOutsideServices(lab),
    machines: labIdentities(lab).map((identity) => resolveMachine(lab, identity)),
    spares: spareIdentities(lab).map((identity) => resolveMachine(lab, identity)),
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

function resolveRouter({ name, address, port, manage }: NonNullable<Lab['router']>): RouterBlueprint {
  return { name: hostName(name), address, port, manage };
}

function resolveMachine(lab: Lab, identity: Identity): MachineBlueprint {
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
    ...(pool.role === 'none' || lab.kubernetes === undefined ? {} : { role: pool.role }),
    heal: pool.heal,
    hosts: (pool.hosts ?? Object.keys(lab.hosts)).map(hostName),
    spread: pool.spread,
    ...(pool.startOrder === undefined ? {} : { startOrder: pool.startOrder }),
  };
}

const apiPort = 6443;
/** kubeadm gives the cluster's resolver this one of the service network. */
const dnsOffset = 10;

function resolveCluster(lab: Lab, kubernetes: LabKubernetes, rehearsal: boolean): ClusterBlueprint {
  const { version, endpoint, podNetwork, pods, services, mirror } = kubernetes;
  // The router balances it, or a rehearsal's gateway; otherwise the first control plane has it.
  const isBalanced = rehearsal || lab.router?.manage.includes('haproxy') === true;
  const holder = isBalanced
    ? undefined
    : labIdentities(lab).find(({ pool }) => lab.pools[pool]?.role === 'control-plane');
  return {
    version,
    endpoint: {
      name: `${endpoint.name}.${lab.domain}`,
      address: endpoint.address,
      port: apiPort,
      ...(holder === undefined ? {} : { holder: holder.name }),
    },
    podNetwork,
    pods,
    services,
    dnsAddress: ipv4FromNumber(ipv4ToNumber(cidrRange(services).first) + dnsOffset),
    dnsDomain: 'cluster.local',
    ...(mirror === undefined ? {} : { mirror }),
    slow: rehearsal,
  };
}

function resolveSnapshots({ snapshots }: LabKubernetes): SnapshotsBlueprint {
  return { folder: snapshots.to, everyMs: snapshots.every, keep: snapshots.keep };
}
