// Lab file to blueprint, the part about what the cluster exposes: where names and addresses may be, and what has them already.
import type { Ipv4 } from '../addresses/ipv4.ts';
import { devicesOf } from '../lab/checks/check-addresses.ts';
import { labIdentities, machineNetwork, spareIdentities } from '../lab/lab-identities.ts';
import type { Lab } from '../lab/lab-schema.ts';
import type { ExposuresBlueprint } from './blueprint.ts';

/** Names that every lab has. */
const everyLab = ['localhost', 'gateway', 'labwright', 'laptop'];

/** The name that our own name server has in each of its domains. */
export const nameServerName = (domain: string): string => `ns.${domain}`;

export function resolveExposures(lab: Lab): ExposuresBlueprint {
  const range = machineNetwork(lab)?.network.services;
  const { balancer, ingress, nameServer } = lab.exposures;
  return {
    domains: exposureDomains(lab),
    balancer,
    ingress,
    ...(range === undefined ? {} : { range }),
    taken: [...takenAddresses(lab)].map(([address, owner]) => ({ address, owner })),
    reserved: [...reservedNames(lab)].map(([name, owner]) => ({ name, owner })),
    ...(nameServer === undefined ? {} : { nameServer }),
  };
}

/** Where names of services may be: "svc" and the lab's own domain unless the file says otherwise. */
function exposureDomains({ exposures, domain }: Lab): readonly string[] {
  return exposures.domains ?? [...new Set(['svc', domain])];
}

function takenAddresses(lab: Lab): ReadonlyMap<Ipv4, string> {
  const taken = new Map<Ipv4, string>();
  const take = (address: Ipv4 | undefined, owner: string): void => {
    if (address !== undefined && !taken.has(address)) taken.set(address, owner);
  };
  take(lab.kubernetes?.endpoint.address, 'the control plane (kubernetes.endpoint)');
  for (const { address, name } of devicesOf(lab)) take(address, name);
  for (const [name, { gateway }] of Object.entries(lab.networks)) take(gateway, `the gateway of network ${name}`);
  take(lab.netboot.address, 'the computer Labwright runs on');
  take(lab.serve, 'the computer Labwright runs on');
  for (const [name, { server }] of Object.entries(lab.ups)) take(server, `UPS ${name}`);
  for (const [name, { address }] of Object.entries(lab.services)) take(address, `service ${name}`);
  for (const { name, address } of [...labIdentities(lab), ...spareIdentities(lab)]) take(address, `machine ${name}`);
  return taken;
}

function reservedNames(lab: Lab): ReadonlyMap<string, string> {
  const reserved = new Map<string, string>();
  const reserve = (name: string, owner: string): void => {
    const whole = `${name}.${lab.domain}`;
    if (!reserved.has(whole)) reserved.set(whole, owner);
  };
  if (lab.router !== undefined) reserve(lab.router.name, 'the router');
  for (const [section, kind] of [
    ['hosts', 'host'],
    ['nas', 'NAS'],
    ['switches', 'switch'],
    ['accessPoints', 'access point'],
    ['ups', 'UPS'],
    ['services', 'service'],
  ] as const) {
    for (const name of Object.keys(lab[section])) reserve(name, `${kind} ${name}`);
  }
  for (const { name } of [...labIdentities(lab), ...spareIdentities(lab)]) reserve(name, `machine ${name}`);
  if (lab.kubernetes !== undefined) reserve(lab.kubernetes.endpoint.name, 'the endpoint of the cluster');
  for (const name of everyLab) reserve(name, `${name}, which every lab has`);
  if (lab.exposures.nameServer !== undefined) {
    for (const domain of exposureDomains(lab)) reserved.set(nameServerName(domain), 'the name server of Labwright');
  }
  return reserved;
}
