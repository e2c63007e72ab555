// Names and numbers that identify things: host names, VM IDs, lab ids.
import { invariant } from '../errors/error.ts';
import type { Brand } from './brand.ts';

/** One DNS label: lower-case letters, digits and inner dashes, at most 63 long (RFC 1123 §2.1). */
export type HostName = Brand<string, 'HostName'>;
/** Proxmox's number of a guest: 100 to 999999999. */
export type VmId = Brand<number, 'VmId'>;
/** The lab's id as marks carry it: "home", or "home+rehearsal" in a rehearsal. */
export type LabId = Brand<string, 'LabId'>;

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function parseHostName(text: string): HostName | undefined {
  return label.test(text) ? (text as HostName) : undefined;
}

export function hostName(text: string): HostName {
  const name = parseHostName(text);
  invariant(name !== undefined, `"${text}" is a host name`);
  return name;
}

export function parseVmId(value: number): VmId | undefined {
  return Number.isInteger(value) && value >= 100 && value <= 999_999_999 ? (value as VmId) : undefined;
}

export function vmId(value: number): VmId {
  const id = parseVmId(value);
  invariant(id !== undefined, `${value} is a VM ID`);
  return id;
}

const rehearsalSuffix = '+rehearsal';

export function labId(text: string): LabId {
  const base = text.endsWith(rehearsalSuffix) ? text.slice(0, -rehearsalSuffix.length) : text;
  invariant(label.test(base), `"${text}" is a lab id`);
  return text as LabId;
}

export function rehearsalOf(lab: LabId): LabId {
  return isRehearsal(lab) ? lab : ((lab + rehearsalSuffix) as LabId);
}

export function isRehearsal(lab: LabId): boolean {
  return lab.endsWith(rehearsalSuffix);
}
