// What our entries on a router are called: the keys of their marks, and the names of front ends and back ends.
import { createHash } from 'node:crypto';
import { type LabId, hostName } from '@labwright/core/addresses/names';
import type { Mark, Owner } from '@labwright/drivers/pfsense/config/mark';

/** Whose entries these are. A lab has one cluster at most, so its entries and those of the lab are told apart by their keys. */
export function ownerOf(lab: LabId): Owner {
  return { lab, cluster: hostName('lab') };
}

/** What keys of entries begin with that follow from the lab file, and of those that follow from the cluster's state. */
export const labPrefix = 'lab.';
export const exposedPrefix = 'exposed.';

/** dnsmasq counts entries of one mark on: "~2" has to find room. */
const longestKey = 95;

export function labMark(owner: Owner, key: string): Mark {
  return { ...owner, key: shorten(labPrefix + key, longestKey) };
}

export function exposedMark(owner: Owner, key: string): Mark {
  return { ...owner, key: shorten(exposedPrefix + key, longestKey) };
}

/** The longest name that HAProxy's socket and its page show whole. */
const longestName = 90;

/** "lw-home-endpoint"; HAProxy takes no plus sign. */
export function balancerName({ lab }: Owner, what: string): string {
  return shorten(`lw-${lab}-${what}`.replaceAll(/[^A-Za-z0-9.-]/g, '-'), longestName);
}

function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return `${text.slice(0, longest - 13)}-${digestOf(text, 12)}`;
}

export function digestOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}
