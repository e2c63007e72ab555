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
  /** Where it answers; 53 is somebody else's where it is another. */
  readonly nameServerPort: number;
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
  const valueOf = (section: string): ConfigValue | undefined => {
    const element = findElement(document.root, [section]);
    return element === undefined ? undefined : parseValue(element);
  };
  const isOn = (section: string): boolean => {
    const value = valueOf(section);
    return isMap(value) && 'enable' in value;
  };
  const nameServer = !isOn('unbound') && isOn('dnsmasq') ? 'dnsmasq' : 'unbound';
  const backEnd = findElement(document.root, ['dhcpbackend']);
  const interfaces = findElement(document.root, ['interfaces']);
  return {
    line: profile.line,
    nameServer,
    nameServerPort: portOr(textAt(valueOf(nameServer), 'port'), 53),
    dhcpBackEnd: backEnd !== undefined && parseValue(backEnd) === 'kea' ? 'kea' : 'isc',
    balancer: balancerStanding({ document, hasBalancer }),
    interfaces: (interfaces === undefined ? [] : childElements(interfaces)).flatMap((element) => {
      const found = interfaceOf(element.name, parseValue(element));
      return found === undefined ? [] : [found];
    }),
  };
}

/** pfSense takes what is no port for the usual one. */
function portOr(text: string, usual: number): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port < 65_536 ? port : usual;
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
