// What the embedded name server knows, at one moment: names under its domains, and the names of the addresses of services. Never
// changed: a new state is a new zone, which takes the place of the old one in one step.
//
//   web.svc                     A, AAAA
//   svc                         SOA, NS
//   ns.svc                      A: the server itself
//   100.3.1.10.in-addr.arpa     PTR
//   3.1.10.in-addr.arpa         SOA, NS, for each /24 that holds addresses of services
import { nameServerName } from '@labwright/core/blueprint/resolve-exposures';
import { type Ipv4, ipv4FromNumber, type Ipv4Range, ipv4ToNumber, parseIpv4 } from '@labwright/core/addresses/ipv4';
import { parseIpv6 } from '@labwright/wire/dns/ipv6';
import type { DnsRecord, StartOfAuthority } from '@labwright/wire/dns/record';
import type { NameRecord } from '../controller/network-end.ts';

export interface ExposureZoneOptions {
  readonly domains: readonly string[];
  /** Names of addresses in it, and of no others, are answered for. */
  readonly range?: Ipv4Range;
  /** Of the server itself. */
  readonly address: Ipv4;
  readonly names: readonly Pick<NameRecord, 'name' | 'addresses'>[];
  /** Grows with every change. */
  readonly serial: number;
}

export type ZoneAnswer =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[] }
  /** The name exists, without records of that type. */
  | { readonly kind: 'no-data'; readonly authority: DnsRecord }
  | { readonly kind: 'no-name'; readonly authority: DnsRecord }
  /** Not of this server. */
  | { readonly kind: 'foreign' };

export interface ExposureZone {
  /** The name without its last dot, in any case, which the answer keeps; the type as text ("A", "PTR"). */
  lookup(name: string, type: string): ZoneAnswer;
}

/** For how long an answer may be remembered: an address moves seldom, and is asked for in a home. */
const answerSeconds = 5;
/**
 * For how long it may be remembered that there is none (RFC 2308 §5: the smaller of the record's time and its minimum). A name
 * asked for too early answers 5 s after it is there: resolvers count whole seconds, and two may stand one behind the other.
 */
const absenceSeconds = 3;
/** For how long anybody may answer from the zone without having heard of it anew. */
export const expireSeconds = 86_400;

type Data = DnsRecord extends infer Each ? (Each extends DnsRecord ? Omit<Each, 'name' | 'ttlSeconds'> : never) : never;

export function makeExposureZone(options: ExposureZoneOptions): ExposureZone {
  const { domains, range, address, names } = options;
  const [mainDomain = ''] = domains;
  const records = new Map<string, Data[]>();
  const add = (name: string, data: Data): void => {
    const known = records.get(name);
    if (known === undefined) records.set(name, [data]);
    else known.push(data);
  };
  /** The first name alone: what asks for the name of an address can use one. */
  const addPointer = (name: string, target: string): void => {
    if (!records.has(name)) records.set(name, [{ type: 'PTR', data: target }]);
  };
  const authorityOf = (apex: string): DnsRecord => ({
    name: apex,
    ttlSeconds: absenceSeconds,
    type: 'SOA',
    data: startOfAuthority(nameServerName(domains.includes(apex) ? apex : mainDomain), mainDomain, options.serial),
  });
  const addApex = (apex: string, server: string): void => {
    const { type, data } = authorityOf(apex) as Extract<DnsRecord, { readonly type: 'SOA' }>;
    add(apex, { type, data });
    add(apex, { type: 'NS', data: server });
  };

  for (const domain of domains) {
    addApex(domain, nameServerName(domain));
    add(nameServerName(domain), { type: 'A', data: address });
  }
  const longPrefixes = new Set<string>();
  for (const { name, addresses } of names) {
    for (const text of addresses) {
      const four = parseIpv4(text);
      const groups = four === undefined ? parseIpv6(text) : undefined;
      if (four !== undefined) {
        add(name, { type: 'A', data: four });
        addPointer(reverseName(four), name);
      } else if (groups !== undefined) {
        add(name, { type: 'AAAA', data: text });
        const nibbles = reverseNibbles(groups);
        addPointer(`${nibbles.join('.')}.ip6.arpa`, name);
        longPrefixes.add(`${nibbles.slice(16).join('.')}.ip6.arpa`);
      }
    }
  }
  const apexes = new Set([...domains, ...longPrefixes]);
  for (const apex of longPrefixes) addApex(apex, nameServerName(mainDomain));
  const branches = branchesOf(records.keys(), apexes);

  const findApex = (name: string): string | undefined => {
    for (let rest = name; ; rest = rest.slice(rest.indexOf('.') + 1)) {
      if (apexes.has(rest)) return rest;
      if (!rest.includes('.')) break;
    }
    return range === undefined ? undefined : findReverseApex(name, range);
  };
  const find = (name: string, apex: string): readonly Data[] | undefined => {
    const known = records.get(name);
    if (name !== apex || apexes.has(apex)) return known;
    // A /24 in reverse: there are as many as the range is large, so they are made when they are asked for.
    const { type, data } = authorityOf(apex) as Extract<DnsRecord, { readonly type: 'SOA' }>;
    return [
      { type, data },
      { type: 'NS', data: nameServerName(mainDomain) },
    ];
  };

  return {
    lookup(asked, type) {
      const name = asked.toLowerCase();
      const apex = findApex(name);
      if (apex === undefined) return { kind: 'foreign' };
      const known = find(name, apex);
      if (known === undefined && !branches.has(name)) return { kind: 'no-name', authority: authorityOf(apex) };
      const chosen = (known ?? []).filter((data) => type === 'ANY' || data.type === type);
      if (chosen.length === 0) return { kind: 'no-data', authority: authorityOf(apex) };
      const withName = chosen.map((data) => ({ name: asked, ttlSeconds: answerSeconds, ...data }));
      return { kind: 'records', records: withName };
    },
  };
}

function startOfAuthority(primary: string, mainDomain: string, serial: number): StartOfAuthority {
  const times = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds, minimumSeconds: absenceSeconds };
  return { primary, contact: `hostmaster.${mainDomain}`, serial, ...times };
}

/** Names that have no records themselves but names under them: they exist (RFC 8020). */
function branchesOf(names: Iterable<string>, apexes: ReadonlySet<string>): ReadonlySet<string> {
  const branches = new Set<string>();
  for (const name of names) {
    let rest = name;
    while (!apexes.has(rest) && rest.includes('.')) {
      rest = rest.slice(rest.indexOf('.') + 1);
      if (branches.has(rest)) break;
      branches.add(rest);
    }
  }
  return branches;
}

/** "100.3.1.10.in-addr.arpa" */
function reverseName(address: Ipv4): string {
  return `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
}

/** The /24 that the reverse name is in, when it is one that holds addresses of the range. */
function findReverseApex(name: string, { first, last }: Ipv4Range): string | undefined {
  const suffix = '.in-addr.arpa';
  if (!name.endsWith(suffix)) return undefined;
  const labels = name.slice(0, -suffix.length).split('.');
  const network = parseIpv4(`${labels.slice(-3).toReversed().join('.')}.0`);
  if (labels.length < 3 || network === undefined) return undefined;
  const start = ipv4ToNumber(network);
  const touches = start <= ipv4ToNumber(last) && ipv4ToNumber(first) <= start + 255;
  return touches ? reverseName(ipv4FromNumber(start)).slice('0.'.length) : undefined;
}

function reverseNibbles(groups: readonly number[]): readonly string[] {
  return groups.flatMap((group) => group.toString(16).padStart(4, '0').split('')).toReversed();
}
