// What the router needs for itself (names, addresses, ports): entries of ours keep off it.
import { type ConfigValue, isMap, parseValue, textAt } from '../config/config-value.ts';
import type { Place } from '../config/place.ts';
import { type XmlDocument, childElements, findElement } from '../config/xml-tree.ts';
import type { Claim } from './claim.ts';

export interface RouterUse {
  readonly claim: Claim;
  readonly holder: string;
}

/** What entries of a place may not claim because the router has it itself. */
export function routerUse(document: XmlDocument, place: Place): readonly RouterUse[] {
  switch (place.tag) {
    case 'hosts':
      return ownNames(document);
    case 'vip':
    case 'staticmap':
      return ownAddresses(document);
    case 'item':
      return place.path.at(-1) === 'ha_backends' ? ownPortClaims(document) : [];
    default:
      return [];
  }
}

function ownNames(document: XmlDocument): readonly RouterUse[] {
  const system = valueAt(document, 'system');
  const [host, domain] = [textAt(system, 'hostname'), textAt(system, 'domain')];
  if (host === '') return [];
  return [{ claim: { kind: 'name', value: `${host}.${domain}`.toLowerCase() }, holder: 'the router itself' }];
}

function ownAddresses(document: XmlDocument): readonly RouterUse[] {
  const interfaces = findElement(document.root, ['interfaces']);
  return (interfaces === undefined ? [] : childElements(interfaces)).flatMap((element) => {
    const value = parseValue(element);
    const holder = `the router's interface ${element.name}`;
    return [textAt(value, 'ipaddr'), textAt(value, 'ipaddrv6')].flatMap((address) =>
      // "dhcp" and the like stand there as well.
      /[.:]/.test(address) ? [{ claim: { kind: 'address' as const, value: address.toLowerCase() }, holder }] : [],
    );
  });
}

/** A port that the router itself answers on, on every address of it. */
export interface OwnPort {
  readonly port: string;
  readonly holder: string;
  /** HAProxy may take it on one address, and then answers there for the holder. */
  readonly isShared: boolean;
}

/** On every address HAProxy could not start where the router answers itself. */
function ownPortClaims(document: XmlDocument): readonly RouterUse[] {
  return ownPorts(document).flatMap(({ port, holder }) =>
    ['any_ipv4', 'any_ipv6'].map((address) => ({
      claim: { kind: 'bind' as const, value: `${address} ${port}`, isExact: true },
      holder,
    })),
  );
}

export function ownPorts(document: XmlDocument): readonly OwnPort[] {
  const system = valueAt(document, 'system');
  const page = isMap(system) ? system['webgui'] : undefined;
  const ssh = isMap(system) ? system['ssh'] : undefined;
  const isPlain = textAt(page, 'protocol') === 'http';
  const redirect = !isPlain && !(isMap(page) && 'disablehttpredirect' in page);
  const shared = [
    ['the page of the router', textAt(page, 'port') || (isPlain ? '80' : '443')],
    ...(redirect ? [['the page of the router, which sends on from there', '80']] : []),
    ...(isMap(ssh) && 'enable' in ssh ? [['SSH of the router', textAt(ssh, 'port') || '22']] : []),
    ['the statistics of HAProxy', textAt(valueAt(document, 'installedpackages', 'haproxy'), 'localstatsport')],
  ];
  const uses = [
    ...shared.map(([holder = '', port = '']) => ({ holder, port, isShared: true })),
    ...nameServers(document).map(([holder, port]) => ({ holder, port, isShared: false })),
  ];
  return uses.filter(({ port }) => port !== '');
}

function nameServers(document: XmlDocument): readonly (readonly [string, string])[] {
  return (['unbound', 'dnsmasq'] as const).flatMap((name) => {
    const section = valueAt(document, name);
    if (!isMap(section) || !('enable' in section)) return [];
    return [['the DNS of the router', textAt(section, 'port') || '53'] as const];
  });
}

/** Why an interface can have no further address; undefined when it can. pfSense passes over one that is off, and says nothing. */
export function findInterfaceProblem(document: XmlDocument, name: string): string | undefined {
  const found = valueAt(document, 'interfaces', name);
  if (found === undefined) return `the router has no interface ${name}`;
  return isMap(found) && 'enable' in found ? undefined : `the router's interface ${name} is switched off`;
}

function valueAt(document: XmlDocument, ...path: readonly string[]): ConfigValue | undefined {
  const element = findElement(document.root, path);
  return element === undefined ? undefined : parseValue(element);
}
