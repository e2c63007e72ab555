// The address plan: ranges inside their network and apart from each other, and no appliance inside a range.
import {
  cidrRange,
  ipv4ToNumber,
  prefixLength,
  rangeContains,
  rangesOverlap,
  usableRange,
  type Ipv4,
  type Ipv4Range,
} from '../../addresses/ipv4.ts';
import type { LabPath, Problem } from '../diagnostic.ts';
import type { Lab } from '../lab-schema.ts';
import { machineNetwork } from '../lab-identities.ts';

/** A range of the file that nothing else may use. */
interface Claim {
  /** "the machines block of network lan". */
  readonly name: string;
  readonly path: LabPath;
  readonly network: string;
  readonly range: Ipv4Range;
  /** What has a fixed address may stand in a reserved range, and in no other. */
  readonly reserved: boolean;
  readonly forMachines?: true;
}

/** Something with an address of its own. */
export interface Device {
  /** "host pve1". */
  readonly name: string;
  readonly path: LabPath;
  readonly address: Ipv4;
}

export function checkAddresses(lab: Lab): Problem[] {
  const claims = claimsOf(lab);
  return [
    ...checkMachineNetworks(lab),
    ...checkNetworks(lab),
    ...claims.flatMap((claim) => checkClaimInNetwork(lab, claim)),
    ...checkOverlaps(claims),
    ...checkDevices(lab, claims),
    ...checkNetbootNetwork(lab),
  ];
}

/** Every appliance of the file. What may run on one of them (services outside the cluster, serve, NUT) is not a device. */
export function devicesOf(lab: Lab): readonly Device[] {
  const named = <Value extends { readonly address?: Ipv4 | undefined }>(
    kind: string,
    section: string,
    values: Readonly<Record<string, Value>>,
  ): Device[] =>
    Object.entries(values).flatMap(([name, { address }]) =>
      address === undefined ? [] : [{ name: `${kind} ${name}`, path: [section, name, 'address'], address }],
    );
  return [
    ...(lab.router === undefined
      ? []
      : [{ name: `router ${lab.router.name}`, path: ['router', 'address'], address: lab.router.address }]),
    ...named('host', 'hosts', lab.hosts),
    ...named('nas', 'nas', lab.nas),
    ...named('switch', 'switches', lab.switches),
    ...named('access point', 'accessPoints', lab.accessPoints),
  ];
}

export interface Tenant extends Device {
  /** It may also run on a machine of the lab, as a database does and what makes the machines does not. */
  readonly onMachines: boolean;
}

/** What has an address that may be that of a device, and must otherwise keep off ranges as one does. */
export function tenantsOf(lab: Lab): readonly Tenant[] {
  const services = Object.entries(lab.services).flatMap(([name, { address }]) =>
    address === undefined
      ? []
      : [{ name: `service ${name}`, path: ['services', name, 'address'], address, onMachines: true }],
  );
  if (lab.serve === undefined) return services;
  const serve = { name: 'the computer of labwright serve', path: ['serve'], address: lab.serve, onMachines: false };
  return [...services, serve];
}

function claimsOf(lab: Lab): readonly Claim[] {
  const claims: Claim[] = [];
  for (const [network, { machines, services, reserved }] of Object.entries(lab.networks)) {
    const path = ['networks', network];
    if (machines !== undefined) {
      const name = `the machines block of network ${network}`;
      claims.push({
        name,
        path: [...path, 'machines'],
        network,
        range: cidrRange(machines),
        reserved: false,
        forMachines: true,
      });
    }
    if (services !== undefined) {
      const name = `the services range of network ${network}`;
      claims.push({ name, path: [...path, 'services'], network, range: services, reserved: false });
    }
    for (const [index, range] of reserved.entries()) {
      const name = range.first === range.last ? `the reserved address ${range.first}` : 'the reserved range';
      claims.push({ name, path: [...path, 'reserved', index], network, range, reserved: true });
    }
  }
  const place = machineNetwork(lab);
  const { dynamic } = lab.netboot;
  if (dynamic !== undefined && place !== undefined) {
    const path = ['netboot', 'dynamic'];
    claims.push({ name: 'the dynamic range', path, network: place.name, range: dynamic, reserved: false });
  }
  return claims;
}

function checkMachineNetworks(lab: Lab): Problem[] {
  const names = Object.keys(lab.networks);
  const withMachines = names.filter((name) => lab.networks[name]?.machines !== undefined);
  const [first, ...others] = withMachines;
  if (first === undefined) {
    const message = 'no network has a block for machines';
    return [
      { path: ['networks'], part: 'key', message, fix: 'add machines: to one network, like machines: 10.1.1.0/28' },
    ];
  }
  return others.map((name) => ({
    path: ['networks', name, 'machines'],
    message: `only one network can have machines for now, and ${first} has them`,
    fix: 'remove machines: from one of the two',
    related: [{ path: ['networks', first, 'machines'], message: `the block of ${first}` }],
  }));
}

function checkNetworks(lab: Lab): Problem[] {
  const problems: Problem[] = [];
  const networks = Object.entries(lab.networks);
  for (const [index, [name, { cidr, gateway, machines }]] of networks.entries()) {
    const path = ['networks', name];
    problems.push(
      ...checkInside(cidrRange(cidr), gateway, [...path, 'gateway'], `the gateway of network ${name}`, cidr),
    );
    if (machines !== undefined && usableRange(machines) === undefined) {
      problems.push({
        path: [...path, 'machines'],
        message: `the block ${machines} has no address to give out: its first and last stay unused`,
        fix: 'use a block of /30 or larger',
      });
    }
    const earlier = networks.slice(0, index).find(([, other]) => rangesOverlap(cidrRange(other.cidr), cidrRange(cidr)));
    if (earlier === undefined) continue;
    problems.push({
      path: [...path, 'cidr'],
      message: `networks ${earlier[0]} and ${name} overlap`,
      label: `shares addresses with ${earlier[1].cidr}`,
      fix: 'give each network addresses of its own',
      related: [{ path: ['networks', earlier[0], 'cidr'], message: `network ${earlier[0]}` }],
    });
  }
  return problems;
}

/** An address must be inside its network and be neither the network's own nor its broadcast address. */
function checkInside(range: Ipv4Range, address: Ipv4, path: LabPath, name: string, cidr: string): Problem[] {
  if (!rangeContains(range, address)) {
    const message = `the address ${address} of ${name} is outside its network ${cidr}`;
    return [{ path, message, fix: `use an address from ${range.first} to ${range.last}` }];
  }
  if (range.first === range.last || (address !== range.first && address !== range.last)) return [];
  const which = address === range.first ? 'the address of the network itself' : 'the broadcast address';
  return [{ path, message: `${name} cannot have ${address}: that is ${which}`, fix: 'use another address' }];
}

function checkClaimInNetwork(lab: Lab, claim: Claim): Problem[] {
  const cidr = lab.networks[claim.network]?.cidr;
  if (cidr === undefined) return [];
  const whole = cidrRange(cidr);
  if (rangeContains(whole, claim.range.first) && rangeContains(whole, claim.range.last)) return [];
  const outside = rangeContains(whole, claim.range.first) ? claim.range.last : claim.range.first;
  return [
    {
      path: claim.path,
      message: `${claim.name} leaves its network ${cidr}`,
      label: `${outside} is outside`,
      fix: `keep it between ${whole.first} and ${whole.last}`,
      related: [{ path: ['networks', claim.network, 'cidr'], message: `network ${claim.network}` }],
    },
  ];
}

/** One finding a claim: the overlap with the claim that reaches furthest among those that start before it. */
function checkOverlaps(claims: readonly Claim[]): Problem[] {
  const sorted = claims.toSorted((one, other) => ipv4ToNumber(one.range.first) - ipv4ToNumber(other.range.first));
  const problems: Problem[] = [];
  let furthest: Claim | undefined;
  for (const claim of sorted) {
    if (furthest !== undefined && rangesOverlap(furthest.range, claim.range)) {
      problems.push({
        path: claim.path,
        message: `${claim.name} overlaps ${furthest.name}`,
        label: `shares ${claim.range.first}${claim.range.first === claim.range.last ? '' : ' and more'} with it`,
        fix: 'move one of the two',
        related: [{ path: furthest.path, message: furthest.name }],
      });
    }
    if (furthest === undefined || ipv4ToNumber(claim.range.last) > ipv4ToNumber(furthest.range.last)) furthest = claim;
  }
  return problems;
}

function checkDevices(lab: Lab, claims: readonly Claim[]): Problem[] {
  const networks = Object.entries(lab.networks);
  const owners = new Map<string, Device>();
  const problems: Problem[] = [];
  const outsideAll = ({ name, path, address }: Device): Problem[] => {
    const place = networks.find(([, { cidr }]) => rangeContains(cidrRange(cidr), address));
    if (place !== undefined) return checkInside(cidrRange(place[1].cidr), address, path, name, place[1].cidr);
    const [only] = networks;
    const message =
      networks.length === 1 && only !== undefined
        ? `the address ${address} of ${name} is outside the network ${only[1].cidr}`
        : `the address ${address} of ${name} is in none of the networks`;
    return [{ path, message, fix: 'correct the address, or add the network it is in under networks' }];
  };
  const devices = devicesOf(lab);
  for (const device of devices) {
    problems.push(...outsideAll(device));
    const owner = owners.get(device.address);
    if (owner === undefined) owners.set(device.address, device);
    else {
      problems.push({
        path: device.path,
        message: `${owner.name} and ${device.name} have the same address ${device.address}`,
        fix: 'give each an address of its own',
        related: [{ path: owner.path, message: owner.name }],
      });
    }
  }
  // Gateways and Labwright's own address may be those of a device, but must keep out of the ranges as well.
  const gateways = networks
    .map(([name, { gateway }]) => ({
      name: `the gateway of network ${name}`,
      path: ['networks', name, 'gateway'],
      address: gateway,
    }))
    .filter(({ address }) => !owners.has(address));
  const netboot = { name: 'netboot', path: ['netboot', 'address'], address: lab.netboot.address };
  const hosting = [...devices, ...gateways, ...(owners.has(netboot.address) ? [] : [netboot])];
  // What runs on one of those moves with it, and is told of once.
  const tenants = tenantsOf(lab).filter(({ address }) => hosting.every((device) => device.address !== address));
  const fixed = [...hosting.map((device) => ({ ...device, onMachines: false })), ...tenants];
  for (const device of fixed) {
    const claim = claims.find(
      ({ range, reserved, forMachines }) =>
        !reserved && !(forMachines && device.onMachines) && rangeContains(range, device.address),
    );
    if (claim === undefined) continue;
    problems.push({
      path: device.path,
      message: `the address ${device.address} of ${device.name} is inside ${claim.name}`,
      fix: `move ${device.name}, or the range`,
      related: [{ path: claim.path, message: claim.name }],
    });
  }
  return problems;
}

/** DHCP is a broadcast: Labwright must stand in the network of the machines. */
function checkNetbootNetwork(lab: Lab): Problem[] {
  const place = machineNetwork(lab);
  const { address } = lab.netboot;
  if (place === undefined) return [];
  const { cidr } = place.network;
  if (prefixLength(cidr) < 31) {
    const path = ['netboot', 'address'];
    return checkInside(cidrRange(cidr), address, path, 'netboot', cidr).map((problem) => ({
      ...problem,
      related: [{ path: ['networks', place.name, 'cidr'], message: `the network of the machines, ${place.name}` }],
    }));
  }
  return [];
}
