// The cluster: its members, an endpoint of its own, and networks that are apart from every other.
import { cidrRange, prefixLength, rangeContains, rangesOverlap } from '../../addresses/ipv4.ts';
import { minorOf } from '../../addresses/kubernetes-version.ts';
import type { Problem } from '../diagnostic.ts';
import { machineNetwork } from '../lab-identities.ts';
import type { Lab, LabKubernetes } from '../lab-schema.ts';
import { devicesOf } from './check-addresses.ts';

/** Older ones take a configuration of kubeadm that this program does not write. */
const oldestMinor = 20;
/** kube-controller-manager gives each machine a /24 and, as kubeadm sets it up, takes no larger network for pods. */
const podPrefix = { smallest: 23, largest: 8 };
const servicePrefix = { smallest: 27, largest: 12 };

export function checkKubernetes(lab: Lab): Problem[] {
  const { kubernetes } = lab;
  if (kubernetes === undefined) return checkRolesWithoutCluster(lab);
  return [
    ...checkVersion(kubernetes),
    ...checkMembers(lab),
    ...checkEndpoint(lab, kubernetes),
    ...checkClusterNetworks(lab, kubernetes),
  ];
}

function checkRolesWithoutCluster(lab: Lab): Problem[] {
  return Object.entries(lab.pools).flatMap(([name, { role }]) =>
    role === 'none'
      ? []
      : [
          {
            path: ['pools', name, 'role'],
            message: `pool ${name} has a role in a cluster, and the file has no section kubernetes`,
            fix: 'add kubernetes: {version: 1.35.4, endpoint: {address: …}}, or remove the role',
          },
        ],
  );
}

function checkVersion({ version }: LabKubernetes): Problem[] {
  if (minorOf(version) >= oldestMinor) return [];
  const message = `Kubernetes ${version} is older than Labwright knows`;
  return [{ path: ['kubernetes', 'version'], message, fix: `write 1.${oldestMinor} or later` }];
}

function checkMembers(lab: Lab): Problem[] {
  const pools = Object.entries(lab.pools).filter(([, pool]) => pool.role === 'control-plane');
  const count = pools.reduce((sum, [, pool]) => sum + pool.count, 0);
  const first = pools[0]?.[0];
  if (first === undefined || count === 0) {
    const message = 'the cluster has no control plane';
    const path = first === undefined ? ['kubernetes'] : ['pools', first, 'count'];
    return [{ path, part: 'key', message, fix: 'give one pool role: control-plane and count: 1 or 3' }];
  }
  const problems: Problem[] = pools.flatMap(([name, pool]) =>
    pool.cores < 2
      ? [
          {
            path: ['pools', name, 'cores'],
            message: `pool ${name} has ${pool.cores} core, and kubeadm wants 2 for a control plane`,
            fix: 'write cores: 2',
          },
        ]
      : [],
  );
  if (count % 2 === 1) return problems;
  const message = `${count} control planes survive the loss of ${count / 2 - 1}, no more than ${count - 1} do`;
  return [...problems, { path: ['pools', first, 'count'], message, fix: `have ${count - 1} or ${count + 1}` }];
}

function checkEndpoint(lab: Lab, { endpoint }: LabKubernetes): Problem[] {
  const path = ['kubernetes', 'endpoint', 'address'];
  const { address } = endpoint;
  const place = machineNetwork(lab);
  if (place === undefined) return [];
  const { network, name } = place;
  const refuse = (message: string): Problem[] => [
    { path, message, fix: `choose an address of network ${name} that nothing else has` },
  ];
  if (!rangeContains(cidrRange(network.cidr), address)) {
    return refuse(`the endpoint ${address} is outside network ${name} (${network.cidr}), where the machines are`);
  }
  const { first, last } = cidrRange(network.cidr);
  if (address === first || address === last) {
    const which = address === first ? 'the address of the network itself' : 'the broadcast address';
    return refuse(`the endpoint ${address} is ${which}`);
  }
  if (rangeContains(cidrRange(network.machines), address)) {
    return refuse(`the endpoint ${address} is inside the block of the machines`);
  }
  if (network.services !== undefined && rangeContains(network.services, address)) {
    return refuse(`the endpoint ${address} is inside the range for services`);
  }
  const other = [...devicesOf(lab), { name: 'the computer Labwright runs on', address: lab.netboot.address }].find(
    (device) => device.address === address,
  );
  return other === undefined ? [] : refuse(`the endpoint has the address of ${other.name}`);
}

function checkClusterNetworks(lab: Lab, kubernetes: LabKubernetes): Problem[] {
  const { pods, services } = kubernetes;
  const problems: Problem[] = [];
  for (const [key, limits] of [
    ['pods', podPrefix],
    ['services', servicePrefix],
  ] as const) {
    const length = prefixLength(kubernetes[key]);
    const path = ['kubernetes', key];
    if (length > limits.smallest || length < limits.largest) {
      const message = `${kubernetes[key]} is too ${length > limits.smallest ? 'small' : 'large'} a network for ${key}`;
      problems.push({ path, message, fix: `write a prefix length from ${limits.largest} to ${limits.smallest}` });
    }
    for (const [name, network] of Object.entries(lab.networks)) {
      if (!rangesOverlap(cidrRange(kubernetes[key]), cidrRange(network.cidr))) continue;
      const message = `the network for ${key} (${kubernetes[key]}) overlaps network ${name} (${network.cidr})`;
      problems.push({ path, message, fix: 'choose a private network that is not in use here' });
    }
  }
  if (rangesOverlap(cidrRange(pods), cidrRange(services))) {
    const message = `the networks for pods (${pods}) and services (${services}) overlap`;
    problems.push({ path: ['kubernetes', 'services'], message, fix: 'choose two that are apart' });
  }
  const nodes = problems.length > 0 ? 0 : countMembers(lab);
  const room = 2 ** (24 - prefixLength(pods));
  if (nodes > room) {
    const message = `${pods} has room for the pods of ${room} machines, and the cluster has ${nodes}`;
    problems.push({ path: ['kubernetes', 'pods'], message, fix: 'choose a larger network' });
  }
  return problems;
}

function countMembers(lab: Lab): number {
  const pools = Object.values(lab.pools).filter((pool) => pool.role !== 'none');
  return pools.reduce((sum, pool) => sum + pool.count, 0);
}
