// The places of config.xml where entries of ours may lie, how each carries its mark, and what has to hear of a change there.
import { invariant } from '@labwright/core/errors/error';
import { type ConfigValue, textAt } from './config-value.ts';
import { type Mark, parseMark, parseMarkComment } from './mark.ts';

/** What is told to take a change up. 'names' and 'forwarder' are told of hosts, the others of what their name says. */
export type Subsystem =
  | 'names'
  | 'forwarder'
  | 'resolver-domains'
  | 'forwarder-domains'
  | 'dhcp'
  | 'haproxy'
  | 'virtual-ip';

/** A list of entries: elements of one tag in one container. */
export interface Place {
  readonly path: readonly string[];
  readonly tag: string;
  readonly markIn: 'descr' | 'advanced_backend';
  /** How many elements of the path may be made when they are missing; what is above must be there already. */
  readonly mayMake: number;
  readonly subsystem?: Subsystem;
}

const place = (path: string, tag: string, subsystem?: Subsystem, more: Partial<Place> = {}): Place => ({
  path: path.split('/'),
  tag,
  markIn: 'descr',
  mayMake: 0,
  ...(subsystem === undefined ? {} : { subsystem }),
  ...more,
});

export const places = {
  resolverHosts: place('unbound', 'hosts', 'names'),
  resolverDomains: place('unbound', 'domainoverrides', 'resolver-domains'),
  forwarderHosts: place('dnsmasq', 'hosts', 'forwarder'),
  forwarderDomains: place('dnsmasq', 'domainoverrides', 'forwarder-domains'),
  frontEnds: place('installedpackages/haproxy/ha_backends', 'item', 'haproxy', { mayMake: 1 }),
  // The page of a back end has no description, but it keeps and shows the text of advanced_backend.
  backEnds: place('installedpackages/haproxy/ha_pools', 'item', 'haproxy', {
    mayMake: 1,
    markIn: 'advanced_backend',
  }),
  virtualIps: place('virtualip', 'vip', 'virtual-ip', { mayMake: 1 }),
  /** Our own notes, as a package's settings: pfSense keeps sections of packages that it does not know. */
  notes: place('installedpackages/labwright', 'config', undefined, { mayMake: 2 }),
} as const;

/** pfSense's own name of an interface: wan, lan, opt2. */
export type InterfaceName = string;

export function leasesOf(interfaceName: InterfaceName): Place {
  invariant(/^[a-z][a-z0-9_]{0,31}$/.test(interfaceName), `"${interfaceName}" is an interface of pfSense`);
  return place(`dhcpd/${interfaceName}`, 'staticmap', 'dhcp');
}

export function poolsOf(interfaceName: InterfaceName): Place {
  return { ...leasesOf(interfaceName), tag: 'pool' };
}

/** "unbound/hosts": tells places apart, and is what messages say. */
export function formatPlace({ path, tag }: Place): string {
  return [...path, tag].join('/');
}

/** Whose entry this is; undefined for a person's. */
export function markOf(place: Place, entry: ConfigValue): Mark | undefined {
  const text = textAt(entry, place.markIn);
  return place.markIn === 'descr' ? parseMark(text) : parseMarkComment(text);
}
