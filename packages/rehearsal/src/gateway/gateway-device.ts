// The gateway of a rehearsal until a router is emulated: resolver, and with a cluster the load balancer of its API.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceInput } from '../lab/topology.ts';
import { formatTreeCommand } from '../lan/tree-command.ts';
import { formatBalancerConfig, type BalancerOptions } from './balancer.ts';
import { formatResolverConfig, type ResolverOptions } from './resolver.ts';

export interface GatewayPlan {
  /** Where the configuration of its programs is written. */
  readonly directory: string;
  /** Debian root with unbound and HAProxy. */
  readonly tree: string;
  /** Its address is the gateway's. */
  readonly resolver: ResolverOptions;
  /** Its address is one more of the gateway's; absent without a cluster. */
  readonly balancer?: BalancerOptions;
}

/** Where Debian's HAProxy has its configuration. */
export const haproxyConfig = '/etc/haproxy/haproxy.cfg';

/** Writes what its programs read and gives the device for the topology. */
export async function writeGateway({ directory, tree, resolver, balancer }: GatewayPlan): Promise<DeviceInput> {
  const resolverFile = join(directory, 'unbound.conf');
  await writeFile(resolverFile, formatResolverConfig(resolver));
  const unbound = {
    name: 'unbound',
    command: formatTreeCommand({
      tree,
      file: { from: resolverFile, to: '/etc/unbound/unbound.conf' },
      command: ['unbound', '-d'],
    }),
  };
  const device = { name: 'gateway', address: resolver.address };
  if (balancer === undefined) return { ...device, processes: [unbound] };
  const balancerFile = join(directory, 'haproxy.cfg');
  await writeFile(balancerFile, formatBalancerConfig(balancer));
  const haproxy = {
    name: 'haproxy',
    command: formatTreeCommand({
      tree,
      file: { from: balancerFile, to: haproxyConfig },
      command: ['haproxy', '-db', '-f', haproxyConfig],
    }),
    readyPort: balancer.port,
  };
  return { ...device, moreAddresses: [balancer.address], processes: [unbound, haproxy] };
}
