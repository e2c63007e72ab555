// Who has an address on the router: its interfaces, whom it leases to, its virtual addresses. What lies in another place than an entry
// of ours is seen here; two entries of one place are told apart by their claims.
import {
  type Ipv4,
  type Ipv4Range,
  cidrRange,
  parseCidr,
  parseIpv4,
  rangeContains,
  rangesOverlap,
} from '@labwright/core/addresses/ipv4';
import { type ConfigValue, isMap, listAt, parseValue, textAt } from '../config/config-value.ts';
import { type Mark, type Owner, isOwnedBy, parseMark } from '../config/mark.ts';
import { type XmlDocument, type XmlElement, childElements, findElement } from '../config/xml-tree.ts';

export interface AddressUse {
  readonly kind: 'interface' | 'leased' | 'lease' | 'virtual address';
  readonly range: Ipv4Range;
  /** What goes on after "the address is": "the router's interface lan". */
  readonly what: string;
  /** Absent for the router's and a person's. */
  readonly mark?: Mark;
}

/** Everybody's, ours too; IPv4 only. */
export function addressUses(document: XmlDocument): readonly AddressUse[] {
  return [
    ...sections(document, ['interfaces']).flatMap(interfaceUse),
    ...sections(document, ['dhcpd']).flatMap(leaseUses),
    ...sections(document, ['virtualip'], 'vip').flatMap(virtualAddressUse),
  ];
}

/** All but the entries of one owner. */
export function usesOfOthers(uses: readonly AddressUse[], owner: Owner): readonly AddressUse[] {
  return uses.filter(({ mark }) => mark === undefined || !isOwnedBy(mark, owner));
}

export function findUse(uses: readonly AddressUse[], address: Ipv4): AddressUse | undefined {
  return uses.find(({ range }) => rangeContains(range, address));
}

/** What others have of a range, one phrase each; empty when it can be given to services. */
export function findRangeUse(uses: readonly AddressUse[], range: Ipv4Range): readonly string[] {
  return uses
    .filter((use) => rangesOverlap(use.range, range))
    .map(({ range: { first, last }, what }) =>
      first === last ? `${first} is ${what}` : `${first} to ${last} is ${what}`,
    );
}

function interfaceUse({ name, value }: Section): readonly AddressUse[] {
  // "dhcp" and the like stand there as well.
  const address = parseIpv4(textAt(value, 'ipaddr'));
  return address === undefined
    ? []
    : [{ kind: 'interface', range: only(address), what: `the router's interface ${name}` }];
}

function leaseUses({ name, value }: Section): readonly AddressUse[] {
  const isOn = isMap(value) && 'enable' in value;
  const leased = [value, ...listAt(value, 'pool')].flatMap((holder): AddressUse[] => {
    const range = isOn ? rangeOf(holder) : undefined;
    return range === undefined ? [] : [{ kind: 'leased', range, what: `leased out by the router's DHCP on ${name}` }];
  });
  const fixed = listAt(value, 'staticmap').flatMap((lease): AddressUse[] => {
    const address = parseIpv4(textAt(lease, 'ipaddr'));
    if (address === undefined) return [];
    const host = [textAt(lease, 'hostname'), textAt(lease, 'mac')].find((text) => text !== '') ?? 'a machine';
    const what = `kept for ${host} by the router's DHCP on ${name}`;
    return [{ kind: 'lease', range: only(address), what, ...markAt(lease) }];
  });
  return [...leased, ...fixed];
}

function virtualAddressUse({ value }: Section): readonly AddressUse[] {
  const address = parseIpv4(textAt(value, 'subnet'));
  if (address === undefined) return [];
  // Proxy ARP and "other" may stand for a whole network.
  const isNetwork = textAt(value, 'type') === 'network';
  const parsed = isNetwork ? parseCidr(`${address}/${textAt(value, 'subnet_bits')}`) : undefined;
  const network = typeof parsed === 'string' ? parsed : parsed?.nearest;
  const range = network === undefined ? only(address) : cidrRange(network);
  const mark = markAt(value);
  const words = mark.mark === undefined ? textAt(value, 'descr').slice(0, 60) : `lab ${mark.mark.lab}`;
  const what = `a virtual address of the router${words === '' ? '' : ` (${words})`}`;
  return [{ kind: 'virtual address', range, what, ...mark }];
}

function markAt(entry: ConfigValue): { readonly mark?: Mark } {
  const mark = parseMark(textAt(entry, 'descr'));
  return mark === undefined ? {} : { mark };
}

function rangeOf(holder: ConfigValue): Ipv4Range | undefined {
  const range = isMap(holder) ? holder['range'] : undefined;
  const [first, last] = [parseIpv4(textAt(range, 'from')), parseIpv4(textAt(range, 'to'))];
  return first === undefined || last === undefined ? undefined : { first, last };
}

const only = (address: Ipv4): Ipv4Range => ({ first: address, last: address });

interface Section {
  readonly name: string;
  readonly value: ConfigValue;
}

function sections(document: XmlDocument, path: readonly string[], tag?: string): readonly Section[] {
  const container = findElement(document.root, path);
  const elements: readonly XmlElement[] = container === undefined ? [] : childElements(container, tag);
  return elements.map((element) => ({ name: element.name, value: parseValue(element) }));
}
