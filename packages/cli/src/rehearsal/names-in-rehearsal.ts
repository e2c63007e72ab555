// Names in a rehearsal and who made them: appliances have theirs from the owner of the lab; machines, the cluster and services outside
// it from Labwright, unless it manages no names.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Lab } from '@labwright/core/lab/lab-schema';

export interface ShortName {
  /** Without the lab's domain. */
  readonly name: string;
  readonly address: Ipv4;
}

export function listApplianceNames({ network, netboot, hosts, nas }: Blueprint): readonly ShortName[] {
  return [
    { name: 'gateway', address: network.gateway },
    { name: 'labwright', address: netboot.address },
    ...[hosts, nas].flatMap((things) => things.map(({ name, address }) => ({ name, address }))),
  ];
}

export function listManagedNames({ domain, machines, services, cluster }: Blueprint): readonly ShortName[] {
  // The blueprint has the domain in some names.
  const short = (name: string): string => (name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name);
  return [
    ...[machines, services].flatMap((things) => things.map(({ name, address }) => ({ name, address }))),
    ...(cluster === undefined ? [] : [{ name: short(cluster.endpoint.name), address: cluster.endpoint.address }]),
  ];
}

/** Whom every device asks: the first resolver of the lab file that is there in a rehearsal, where only the router is one. */
export function resolverOf({ router }: Lab, { network }: Blueprint): Ipv4 {
  const own = [network.gateway, ...(router === undefined || router.manage.length === 0 ? [] : [router.address])];
  return network.resolvers.find((address) => own.includes(address)) ?? network.gateway;
}
