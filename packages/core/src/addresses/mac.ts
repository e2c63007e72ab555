// Ethernet addresses, always lower case with colons.
import { invariant } from '../errors/error.ts';
import type { Brand } from './brand.ts';

export type Mac = Brand<string, 'Mac'>;

/** Accepts colons or dashes and either case; undefined when the text is not an address. */
export function parseMac(text: string): Mac | undefined {
  const normal = text.toLowerCase().replaceAll('-', ':');
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(normal) ? (normal as Mac) : undefined;
}

export function mac(text: string): Mac {
  const address = parseMac(text);
  invariant(address !== undefined, `"${text}" is an Ethernet address`);
  return address;
}

/** Group addresses (lowest bit of the first byte set) cannot belong to one machine. */
export function isUnicastMac(address: Mac): boolean {
  return Number.parseInt(address.slice(0, 2), 16) % 2 === 0;
}
