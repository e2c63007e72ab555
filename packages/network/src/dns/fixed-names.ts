// Names of the lab itself under the domains of our name server: whoever leads a whole domain to it must not lose them. Pure.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';

export interface FixedName {
  readonly name: string;
  readonly address: Ipv4;
}

export function fixedNames(blueprint: Blueprint): readonly FixedName[] {
  const { domain, machines, hosts, nas, services, router, cluster, network, netboot, exposures } = blueprint;
  const inDomain = ({ name, address }: { readonly name: string; readonly address: Ipv4 }): FixedName => ({
    name: `${name}.${domain}`,
    address,
  });
  const all = [
    ...[...machines, ...hosts, ...nas].map(inDomain),
    ...services.map(({ dnsName, address }) => ({ name: dnsName, address })),
    ...(router === undefined ? [] : [inDomain(router)]),
    ...(cluster === undefined ? [] : [{ name: cluster.endpoint.name, address: cluster.endpoint.address }]),
    inDomain({ name: 'gateway', address: network.gateway }),
    inDomain({ name: 'labwright', address: netboot.address }),
  ];
  return all.filter(({ name }) => exposures.domains.some((each) => name.endsWith(`.${each}`)));
}
