// The rule that gives each machine its VM ID, name, MAC and address, from the first VM ID of its pool.
import { ipv4FromNumber, ipv4ToNumber, rangeContains, usableRange, type Cidr, type Ipv4 } from '../addresses/ipv4.ts';
import { parseMac, type Mac } from '../addresses/mac.ts';
import { parseHostName, parseVmId, type HostName, type VmId } from '../addresses/names.ts';

/*
 * With the defaults, block 10.1.1.0/28 and base 101:
 *
 *   VM ID     101        firstVmId of the pool + index in the pool
 *   name      node101    the template node{vmId}
 *   MAC       02:1a:b0:00:01:01
 *             └ prefix ┘ └ the VM ID in six decimal digits, two a byte
 *   address   10.1.1.1   first usable of the block + VM ID - base
 *
 * Each part is injective in the VM ID, so machines with different VM IDs never collide; pools with ranges of VM IDs
 * that do not overlap share one block without more. Overrides can collide, so the lab file check looks at the result.
 */

export interface IdentityRule {
  readonly block: Cidr;
  /** Three bytes: "02:1a:b0". */
  readonly macPrefix: string;
  /** The VM ID that gets the first usable address of the block. */
  readonly baseVmId: number;
}

export interface IdentityPool {
  readonly name: string;
  readonly firstVmId: number;
  readonly count: number;
  /** May hold {vmId}, {pool} and {index}, which counts from 1. */
  readonly nameTemplate: string;
  /** By VM ID. */
  readonly overrides: Readonly<Record<string, IdentityOverride>>;
}

export interface IdentityOverride {
  readonly name?: string | undefined;
  readonly mac?: Mac | undefined;
  readonly address?: Ipv4 | undefined;
}

export interface Identity {
  readonly pool: string;
  readonly vmId: VmId;
  readonly name: HostName;
  readonly mac: Mac;
  readonly address: Ipv4;
}

/** What the rule gives before anybody checked it: a part is undefined where the rule has no valid answer. */
export interface IdentityAttempt {
  readonly pool: string;
  readonly vmId: number;
  /** As the template gives it, valid or not. */
  readonly nameText: string;
  readonly mac: Mac | undefined;
  readonly address: Ipv4 | undefined;
}

/** The largest VM ID that six decimal digits can hold. */
export const maxRuleVmId = 999_999;

export function attemptIdentity(rule: IdentityRule, pool: IdentityPool, index: number): IdentityAttempt {
  const vmId = pool.firstVmId + index;
  const override = pool.overrides[vmId];
  return {
    pool: pool.name,
    vmId,
    nameText: override?.name ?? fillTemplate(pool.nameTemplate, { vmId, pool: pool.name, index: index + 1 }),
    mac: override?.mac ?? macOfVmId(rule.macPrefix, vmId),
    address: override?.address ?? addressOfVmId(rule, vmId),
  };
}

export function* attemptIdentities(rule: IdentityRule, pools: readonly IdentityPool[]): Generator<IdentityAttempt> {
  for (const pool of pools) {
    for (let index = 0; index < pool.count; index += 1) yield attemptIdentity(rule, pool, index);
  }
}

/** The identity, or undefined when a part of the attempt has no valid answer. */
export function completeIdentity(attempt: IdentityAttempt): Identity | undefined {
  const name = parseHostName(attempt.nameText);
  const vmId = parseVmId(attempt.vmId);
  const { pool, mac, address } = attempt;
  if (name === undefined || vmId === undefined || mac === undefined || address === undefined) return undefined;
  return { pool, vmId, name, mac, address };
}

/** The VM ID's six decimal digits, read as three hex pairs: 101 gives 00:01:01. Undefined over 999999. */
export function macOfVmId(macPrefix: string, vmId: number): Mac | undefined {
  if (vmId > maxRuleVmId) return undefined;
  const digits = String(vmId).padStart(6, '0');
  return parseMac(`${macPrefix}:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`);
}

/** Undefined when the offset leads out of the usable part of the block. */
export function addressOfVmId(rule: Pick<IdentityRule, 'block' | 'baseVmId'>, vmId: number): Ipv4 | undefined {
  const usable = usableRange(rule.block);
  const offset = vmId - rule.baseVmId;
  if (usable === undefined || offset < 0) return undefined;
  const value = ipv4ToNumber(usable.first) + offset;
  if (value > ipv4ToNumber(usable.last)) return undefined;
  const address = ipv4FromNumber(value);
  return rangeContains(usable, address) ? address : undefined;
}

function fillTemplate(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(vmId|pool|index)\}/g, (_, key: string) => String(values[key]));
}
