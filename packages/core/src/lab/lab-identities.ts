// The identity rule and the pools as a lab file states them.
import {
  completeIdentity,
  attemptIdentities,
  attemptIdentity,
  type Identity,
  type IdentityPool,
  type IdentityRule,
} from '../identity/identity.ts';
import { invariant } from '../errors/error.ts';
import type { Cidr } from '../addresses/ipv4.ts';
import type { Lab, LabNetwork } from './lab-schema.ts';

/** A network with a block for machines. */
export type MachineNetwork = LabNetwork & { readonly machines: Cidr };

/** The network machines live in; undefined unless exactly one has a block for them. */
export function machineNetwork(lab: Lab): { readonly name: string; readonly network: MachineNetwork } | undefined {
  const found = Object.entries(lab.networks).flatMap(([name, network]) =>
    network.machines === undefined ? [] : [{ name, network: { ...network, machines: network.machines } }],
  );
  return found.length === 1 ? found[0] : undefined;
}

export function identityRule(lab: Lab, block: Cidr): IdentityRule {
  return { block, macPrefix: lab.identity.macPrefix, baseVmId: baseVmId(lab) };
}

/** Stated, or the lowest first VM ID of the pools. */
export function baseVmId(lab: Lab): number {
  const firsts = Object.values(lab.pools).map((pool) => pool.firstVmId);
  return lab.identity.baseVmId ?? firsts.reduce((lowest, first) => Math.min(lowest, first), 999_999_999);
}

export function identityPools(lab: Lab): readonly IdentityPool[] {
  return Object.entries(lab.pools).map(([name, pool]) => ({
    name,
    firstVmId: pool.firstVmId,
    count: pool.count,
    nameTemplate: pool.name ?? lab.identity.name,
    overrides: pool.machines,
  }));
}

/** The identity table of a lab that passed its check, in the order of VM IDs. */
export function labIdentities(lab: Lab): readonly Identity[] {
  const place = machineNetwork(lab);
  invariant(place !== undefined, 'a checked lab has one network with machines');
  const identities: Identity[] = [];
  for (const attempt of attemptIdentities(identityRule(lab, place.network.machines), identityPools(lab))) {
    const identity = completeIdentity(attempt);
    invariant(identity !== undefined, `the identity of VM ${attempt.vmId} in a checked lab is complete`);
    identities.push(identity);
  }
  return identities.sort((one, other) => one.vmId - other.vmId);
}

/** A pool that has replaced this many machines wants a person to look at it. */
const mostSpares = 16;

/**
 * The identities that follow on the last of each pool that replaces machines, as far as nothing else in the file has their
 * VM ID, name, MAC or address. In the order of VM IDs.
 */
export function spareIdentities(lab: Lab): readonly Identity[] {
  const place = machineNetwork(lab);
  invariant(place !== undefined, 'a checked lab has one network with machines');
  const rule = identityRule(lab, place.network.machines);
  const taken = [...labIdentities(lab)];
  const clashes = (one: Identity): boolean =>
    taken.some((other) => identityKeys.some((key) => one[key] === other[key]));
  const spares = identityPools(lab)
    .filter((pool) => lab.pools[pool.name]?.heal === 'replace')
    .flatMap((pool) => {
      const found: Identity[] = [];
      for (let index = pool.count; index < pool.count + mostSpares; index += 1) {
        const spare = completeIdentity(attemptIdentity(rule, pool, index));
        if (spare === undefined || clashes(spare)) break;
        taken.push(spare);
        found.push(spare);
      }
      return found;
    });
  return spares.sort((one, other) => one.vmId - other.vmId);
}

const identityKeys = ['vmId', 'name', 'mac', 'address'] as const;
