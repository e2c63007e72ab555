// What of a router's own setup decides how entries of ours look there: who answers names and leases, and on which networks. Pure.
import { type Cidr, type Ipv4, cidrRange, parseCidr, parseIpv4, rangeContains } from '@labwright/core/addresses/ipv4';
import { type BalancerStanding, balancerStanding } from './balancer-standing.ts';
import { type ConfigValue, isMap, parseValue, textAt } from './config/config-value.ts';
import type { InterfaceName } from './config/place.ts';
import { childElements, findElement } from './config/xml-tree.ts';
import type { DhcpBackEnd } from './entries/lease-entry.ts';
import type { NameServer } from './entries/name-entry.ts';
import type { RouterState } from './router-state.ts';
import type { VersionProfile } from './version-profile.ts';

export interface RouterSetup {
  readonly line: VersionProfile['line'];
  /** Unbound also when neither is switched on: entries say so then. */
  readonly nameServer: NameServer;
  readonly dhcpBackEnd: DhcpBackEnd;
  readonly balancer: BalancerStanding;
  /** Those with an IPv4 address of their own. */
  readonly interfaces: readonly RouterInterface[];
}

export interface RouterInterface {
  readonly name: InterfaceName;
  readonly address: Ipv4;
  readonly cidr: Cidr;
}

export function routerSetup({
  profile,
  document,
  hasBalancer,
}: Pick<RouterState, 'profile' | 'document' | 'hasBalancer'>): RouterSetup {
  const isOn = (section: string): boolean => {
    const element = findElement(document.root, [section]);
    const value = element === undefined ? undefined : parseValue(element);
    return isMap(value) && 'enable' in value;
  };
  const backEnd = findElement(document.root, ['dhcpbackend']);
  const interfaces = findElement(document.root, ['interfaces']);
  return {
    line: profile.line,
    nameServer: !isOn('unbound') && isOn('dnsmasq') ? 'dnsmasq' : 'unbound',
    dhcpBackEnd: backEnd !== undefined && parseValue(backEnd) === 'kea' ? 'kea' : 'isc',
    balancer: balancerStanding({ document, hasBalancer }),
    interfaces: (interfaces === undefined ? [] : childElements(interfaces)).flatMap((element) => {
      const found = interfaceOf(element.name, parseValue(element));
      return found === undefined ? [] : [found];
    }),
  };
}

function interfaceOf(name: InterfaceName, value: ConfigValue): RouterInterface | undefined {
  const address = parseIpv4(textAt(value, 'ipaddr'));
  if (address === undefined) return undefined;
  const network = parseCidr(`${address}/${textAt(value, 'subnet')}`);
  const cidr = typeof network === 'string' ? network : network.nearest;
  return cidr === undefined ? undefined : { name, address, cidr };
}

/** The interface whose network an address is in. */
export function interfaceFor(setup: Pick<RouterSetup, 'interfaces'>, address: Ipv4): RouterInterface | undefined {
  return setup.interfaces.find(({ cidr }) => rangeContains(cidrRange(cidr), address));
}
