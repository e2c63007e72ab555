// IPv4 addresses, networks and ranges as validated strings with integer arithmetic beneath.
import { invariant } from '../errors/error.ts';
import type { Brand } from './brand.ts';

/** Dotted quad without leading zeros: "10.1.1.1". */
export type Ipv4 = Brand<string, 'Ipv4'>;
/** Network in prefix notation with all host bits zero: "10.1.0.0/22". */
export type Cidr = Brand<string, 'Cidr'>;

/** First and last address, both included. */
export interface Ipv4Range {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

const octet = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const ipv4Pattern = new RegExp(`^${octet}\\.${octet}\\.${octet}\\.${octet}$`);

/** The address, or undefined when the text is not one. */
export function parseIpv4(text: string): Ipv4 | undefined {
  return ipv4Pattern.test(text) ? (text as Ipv4) : undefined;
}

/** For text known to be an address; anything else is a mistake in the program. */
export function ipv4(text: string): Ipv4 {
  const address = parseIpv4(text);
  invariant(address !== undefined, `"${text}" is an IPv4 address`);
  return address;
}

export function ipv4ToNumber(address: Ipv4): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function ipv4FromNumber(value: number): Ipv4 {
  invariant(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, `${value} is an IPv4 address`);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.') as Ipv4;
}

/** The network, or why the text is not one. */
export function parseCidr(text: string): Cidr | { readonly problem: string; readonly nearest?: Cidr } {
  const [addressText = '', prefixText, ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  if (address === undefined || prefixText === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefixText)) {
    return { problem: 'a network is written like 10.1.0.0/22' };
  }
  const prefix = Number(prefixText);
  if (prefix > 32) return { problem: 'the prefix length is at most 32' };
  const size = 2 ** (32 - prefix);
  const base = Math.floor(ipv4ToNumber(address) / size) * size;
  const network = `${ipv4FromNumber(base)}/${prefix}` as Cidr;
  if (base !== ipv4ToNumber(address)) return { problem: 'host bits are set', nearest: network };
  return network;
}

export function cidr(text: string): Cidr {
  const network = parseCidr(text);
  invariant(typeof network === 'string', `"${text}" is an IPv4 network`);
  return network;
}

export function prefixLength(network: Cidr): number {
  return Number(network.slice(network.indexOf('/') + 1));
}

/** Every address of the network, its own and the broadcast address included. */
export function cidrRange(network: Cidr): Ipv4Range {
  const first = ipv4(network.slice(0, network.indexOf('/')));
  return { first, last: ipv4FromNumber(ipv4ToNumber(first) + 2 ** (32 - prefixLength(network)) - 1) };
}

export function netmask(network: Cidr): Ipv4 {
  return ipv4FromNumber(2 ** 32 - 2 ** (32 - prefixLength(network)));
}

export function rangeContains(range: Ipv4Range, address: Ipv4): boolean {
  const value = ipv4ToNumber(address);
  return ipv4ToNumber(range.first) <= value && value <= ipv4ToNumber(range.last);
}

export function rangesOverlap(one: Ipv4Range, other: Ipv4Range): boolean {
  return ipv4ToNumber(one.first) <= ipv4ToNumber(other.last) && ipv4ToNumber(other.first) <= ipv4ToNumber(one.last);
}

/** The addresses of a block that are given out: all but its first and last; undefined when none is left. */
export function usableRange(block: Cidr): Ipv4Range | undefined {
  if (prefixLength(block) > 30) return undefined;
  const { first, last } = cidrRange(block);
  return { first: ipv4FromNumber(ipv4ToNumber(first) + 1), last: ipv4FromNumber(ipv4ToNumber(last) - 1) };
}

/** How many addresses from the first to the last, both included. */
export function rangeSize(range: Ipv4Range): number {
  return ipv4ToNumber(range.last) - ipv4ToNumber(range.first) + 1;
}
