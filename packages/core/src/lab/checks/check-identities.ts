// What the identity rule gives: valid, inside the block, and no name, VM ID, MAC or address twice.
import { cidrRange, rangeContains, type Ipv4 } from '../../addresses/ipv4.ts';
import { isUnicastMac, mac } from '../../addresses/mac.ts';
import { parseHostName } from '../../addresses/names.ts';
import {
  attemptIdentity,
  maxRuleVmId,
  type IdentityAttempt,
  type IdentityPool,
  type IdentityRule,
} from '../../identity/identity.ts';
import type { LabPath, Problem } from '../diagnostic.ts';
import { identityPools, identityRule, machineNetwork, type MachineNetwork } from '../lab-identities.ts';
import type { Lab } from '../lab-schema.ts';
import { devicesOf, tenantsOf } from './check-addresses.ts';
import { checkVmIdRanges, roomOf } from './check-vm-ids.ts';

/** More are not looked at one by one; a home has fewer. */
const maxMachines = 65_536;

export function checkIdentities(lab: Lab): Problem[] {
  const pools = identityPools(lab).filter(({ count }) => count > 0);
  const total = pools.reduce((sum, pool) => sum + pool.count, 0);
  if (total > maxMachines) {
    const message = `the pools have ${total} machines in all; a lab has at most ${maxMachines}`;
    return [{ path: ['pools'], part: 'key', message, fix: 'lower the counts' }];
  }
  const place = machineNetwork(lab);
  const rule = place === undefined ? undefined : identityRule(lab, place.network.machines);
  const room = rule === undefined ? undefined : roomOf(rule);
  const problems = [...checkMacPrefix(lab), ...checkVmIdRanges(pools, room), ...checkPoolNames(lab)];
  if (place === undefined || rule === undefined) return problems;
  problems.push(...pools.flatMap((pool) => checkPool(lab, pool, rule, place)));
  problems.push(...checkTwice(lab, pools, rule));
  return problems;
}

function checkMacPrefix(lab: Lab): Problem[] {
  const prefix = lab.identity.macPrefix;
  const problems: Problem[] = [];
  if (!isUnicastMac(mac(`${prefix}:00:00:00`))) {
    const first = (Number.parseInt(prefix.slice(0, 2), 16) - 1).toString(16).padStart(2, '0');
    problems.push({
      path: ['identity', 'macPrefix'],
      message: `the MAC prefix ${prefix} is for groups (multicast): no machine can have such an address`,
      fix: `write ${first}${prefix.slice(2)}, or leave it out for 02:1a:b0`,
    });
  }
  for (const [name, pool] of Object.entries(lab.pools)) {
    for (const [vmId, { mac }] of Object.entries(pool.machines)) {
      if (mac === undefined || isUnicastMac(mac)) continue;
      const path = ['pools', name, 'machines', vmId, 'mac'];
      const message = `the MAC ${mac} is for groups (multicast): no machine can have it`;
      problems.push({ path, message, fix: 'make the second hex digit even' });
    }
  }
  return problems;
}

/** One finding of a kind for a pool: the first machine that shows it. */
function checkPool(
  lab: Lab,
  pool: IdentityPool,
  rule: IdentityRule,
  place: { readonly name: string; readonly network: MachineNetwork },
): Problem[] {
  const path = ['pools', pool.name];
  const problems: Problem[] = [];
  const attempts = Array.from({ length: pool.count }, (_, index) => attemptIdentity(rule, pool, index));
  const badName = attempts.find(({ nameText }) => parseHostName(nameText) === undefined);
  if (badName !== undefined) {
    const own = lab.pools[pool.name]?.name !== undefined;
    problems.push({
      path: own ? [...path, 'name'] : ['identity', 'name'],
      message: `the template "${pool.nameTemplate}" gives the name "${badName.nameText}", which a machine cannot have`,
      fix: 'use lower-case letters, digits, inner dashes, {vmId}, {pool} and {index}',
    });
  }
  if (attempts.some((attempt) => attempt.mac === undefined)) {
    problems.push({
      path: [...path, 'firstVmId'],
      message: `pool ${pool.name} has VM IDs over ${maxRuleVmId}; a MAC holds six digits of them`,
      fix: `choose a firstVmId of at most ${maxRuleVmId + 1 - pool.count}`,
    });
  }
  const outside = attempts.find((attempt) => attempt.address === undefined);
  if (outside !== undefined) problems.push(outsideBlock(pool, outside, rule, place.name, lab));
  problems.push(...checkAddressOverrides(lab, pool, place));
  return problems;
}

function outsideBlock(
  pool: IdentityPool,
  outside: IdentityAttempt,
  rule: IdentityRule,
  network: string,
  lab: Lab,
): Problem {
  const { last: lastVmId } = roomOf(rule);
  const size = lastVmId - rule.baseVmId + 1;
  const related = [{ path: ['networks', network, 'machines'], message: `${size} addresses to give out` }];
  if (outside.vmId < rule.baseVmId) {
    return {
      path: ['identity', 'baseVmId'],
      message: `pool ${pool.name} starts at VM ID ${pool.firstVmId}, below the base ${rule.baseVmId} that gets the first address`,
      fix: `set baseVmId: ${Object.values(lab.pools).reduce((low, { firstVmId }) => Math.min(low, firstVmId), rule.baseVmId)}`,
      related,
    };
  }
  const inBlock = pool.count <= size && pool.firstVmId > lastVmId;
  return {
    path: ['pools', pool.name, inBlock ? 'firstVmId' : 'count'],
    part: 'key',
    message: `pool ${pool.name} does not fit the block ${rule.block}: VM ID ${outside.vmId} would be outside`,
    label: `${rule.block} holds VM IDs ${rule.baseVmId} to ${lastVmId}`,
    fix: `use a larger block${inBlock ? ', or VM IDs nearer to the other pools' : ', or fewer machines'}`,
    related,
  };
}

/** A stated address must be in the network, and out of the ranges others use. */
function checkAddressOverrides(
  lab: Lab,
  pool: IdentityPool,
  place: { readonly name: string; readonly network: MachineNetwork },
): Problem[] {
  const { cidr, services, reserved } = place.network;
  const taken: { readonly name: string; readonly first: Ipv4; readonly last: Ipv4 }[] = [
    ...(services === undefined ? [] : [{ name: 'the services range', ...services }]),
    ...reserved.map((range) => ({ name: 'a reserved range', ...range })),
    ...(lab.netboot.dynamic === undefined ? [] : [{ name: 'the dynamic range', ...lab.netboot.dynamic }]),
  ];
  return Object.entries(pool.overrides).flatMap(([vmId, { address }]) => {
    if (address === undefined) return [];
    const path = ['pools', pool.name, 'machines', vmId, 'address'];
    const whole = cidrRange(cidr);
    if (!rangeContains(whole, address) || address === whole.first || address === whole.last) {
      const message = `the address ${address} of VM ID ${vmId} is not one a machine can have in network ${cidr}`;
      return [{ path, message, fix: `use a free address of ${cidr}` }];
    }
    const range = taken.find((candidate) => rangeContains(candidate, address));
    if (range === undefined) return [];
    return [{ path, message: `the address ${address} of VM ID ${vmId} is inside ${range.name}`, fix: 'use another' }];
  });
}

interface Owner {
  readonly name: string;
  readonly path: LabPath;
  readonly vmId?: number;
}

/** Names, MACs and addresses over machines, hosts and appliances. */
function checkTwice(lab: Lab, pools: readonly IdentityPool[], rule: IdentityRule): Problem[] {
  const problems: Problem[] = [];
  const owners = { name: new Map<string, Owner>(), MAC: new Map<string, Owner>(), address: new Map<string, Owner>() };
  const claim = (kind: keyof typeof owners, value: string | undefined, owner: Owner): void => {
    if (value === undefined) return;
    const first = owners[kind].get(value);
    if (first === undefined) {
      owners[kind].set(value, owner);
      return;
    }
    // Two pools that share a VM ID are told so; that the rest is equal too goes without saying.
    if (first.vmId !== undefined && first.vmId === owner.vmId) return;
    // Many machines of one pool in collision with another are one finding.
    const known = problems.some(({ path, message }) => path === owner.path && message.includes(`the ${kind} `));
    if (known || problems.length >= 100) return;
    problems.push({
      path: owner.path,
      part: 'key',
      message: `${first.name} and ${owner.name} both have the ${kind} ${value}`,
      fix: `give one of them another ${kind}`,
      related: [{ path: first.path, part: 'key', message: first.name }],
    });
  };
  for (const { name, path, label } of [...namedThings(lab), ...endpointOf(lab)]) {
    problems.push(...checkReserved(name, path, label));
    claim('name', name, { name: label, path });
  }
  for (const { name, path, address } of devicesOf(lab)) {
    if (!owners.address.has(address)) owners.address.set(address, { name, path });
  }
  for (const [name, { gateway }] of Object.entries(lab.networks)) {
    const owner = { name: `the gateway of network ${name}`, path: ['networks', name, 'gateway'] };
    if (!owners.address.has(gateway)) owners.address.set(gateway, owner);
  }
  const labwright = { name: 'the computer of Labwright', path: ['netboot', 'address'] };
  if (!owners.address.has(lab.netboot.address)) owners.address.set(lab.netboot.address, labwright);
  for (const { name, path, address, onMachines } of tenantsOf(lab)) {
    if (!onMachines && !owners.address.has(address)) owners.address.set(address, { name, path });
  }
  for (const [name, host] of Object.entries(lab.hosts)) {
    claim('MAC', host.mac, { name: `host ${name}`, path: ['hosts', name, 'mac'] });
  }
  for (const pool of pools) {
    const poolPath = ['pools', pool.name];
    for (let index = 0; index < pool.count; index += 1) {
      const attempt = attemptIdentity(rule, pool, index);
      const isOverridden = pool.overrides[attempt.vmId] !== undefined;
      const path = isOverridden ? [...poolPath, 'machines', String(attempt.vmId)] : poolPath;
      const owner = { name: `VM ID ${attempt.vmId} of pool ${pool.name}`, path, vmId: attempt.vmId };
      if (problems.length < 100) problems.push(...checkReserved(attempt.nameText, path, owner.name));
      claim('name', attempt.nameText, owner);
      claim('MAC', attempt.mac, owner);
      claim('address', attempt.address, owner);
    }
  }
  return problems;
}

/** Names that something in every lab answers to. */
const reservedNames: Readonly<Record<string, string>> = {
  localhost: 'every computer calls itself so',
  gateway: 'the gateway of the network has it',
  labwright: 'the computer Labwright runs on has it',
  laptop: 'the laptop in a rehearsal has it',
};

function checkReserved(name: string, path: LabPath, owner: string): Problem[] {
  const why = Object.hasOwn(reservedNames, name) ? reservedNames[name] : undefined;
  if (why === undefined) return [];
  return [{ path, part: 'key', message: `${owner} cannot have the name ${name}: ${why}`, fix: 'choose another name' }];
}

/** A pool is a group in inventories, where it must not be taken for a computer. */
function checkPoolNames(lab: Lab): Problem[] {
  const things = namedThings(lab);
  return Object.keys(lab.pools).flatMap((name) => {
    const path = ['pools', name];
    const thing = things.find((each) => each.name === name);
    if (thing === undefined) return checkReserved(name, path, 'a pool');
    return [
      {
        path,
        part: 'key',
        message: `pool ${name} has the name of ${thing.label}`,
        fix: 'give the pool another name',
        related: [{ path: thing.path, part: 'key', message: thing.label }],
      },
    ];
  });
}

interface NamedThing {
  readonly name: string;
  readonly path: LabPath;
  readonly label: string;
}

function endpointOf({ kubernetes }: Lab): readonly NamedThing[] {
  if (kubernetes === undefined) return [];
  const path = ['kubernetes', 'endpoint', 'name'];
  return [{ name: kubernetes.endpoint.name, path, label: 'the endpoint of the cluster' }];
}

function namedThings(lab: Lab): readonly NamedThing[] {
  const sections = { hosts: 'host', nas: 'nas', switches: 'switch', accessPoints: 'access point', ups: 'UPS' } as const;
  const things = Object.entries(sections).flatMap(([section, kind]) =>
    Object.keys(lab[section as keyof typeof sections]).map((name) => ({
      name,
      path: [section, name],
      label: `${kind} ${name}`,
    })),
  );
  const { router } = lab;
  // A router may be called after what it is.
  const own =
    router === undefined || router.name === 'gateway'
      ? []
      : [{ name: router.name, path: ['router', 'name'], label: `router ${router.name}` }];
  return [...own, ...things];
}
