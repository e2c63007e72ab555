// The laptop of a rehearsal: the user's seat in the LAN (keeper/laptop.ts), its resolver, and the LAN's end of the loopback port.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { haproxyConfig } from '../gateway/gateway-device.ts';
import type { DeviceInput } from '../lab/topology.ts';
import { formatLoopbackConfig, loopbackDescriptor, type LoopbackOptions } from './loopback.ts';
import { formatResolvedConfig } from './resolved.ts';

export interface LaptopPlan {
  readonly address: string;
  readonly gateway: string;
  /** The LAN's. */
  readonly resolver: string;
  /** The lab's domain, which short names are looked for in. */
  readonly domain: string;
  readonly directory: string;
  /** Debian root with systemd-resolved and HAProxy. */
  readonly tree: string;
  /** Where its loopback port leads; absent without a cluster. */
  readonly loopback?: LoopbackOptions;
}

// Without systemd nobody has made the folder that its runtime folder is made in.
const startResolved = 'mkdir -p /run/systemd; exec /lib/systemd/systemd-resolved';
const dnsPort = 53;

/** Writes what its programs read and gives the device for the topology. */
export async function writeLaptop(plan: LaptopPlan): Promise<DeviceInput> {
  const { address, gateway, directory, tree, loopback } = plan;
  const resolvedFile = join(directory, 'resolved.conf');
  await writeFile(resolvedFile, formatResolvedConfig(plan.resolver, plan.domain));
  const resolved = { name: 'resolver', command: ['sh', '-euc', startResolved], readyPort: dnsPort };
  const binds = [{ from: resolvedFile, to: '/etc/systemd/resolved.conf' }];
  const device = { name: 'laptop', address, gateway };
  if (loopback === undefined) return { ...device, root: { tree, binds }, processes: [resolved] };
  const from = join(directory, 'loopback.cfg');
  await writeFile(from, formatLoopbackConfig(loopback));
  const forwarder = {
    name: 'loopback',
    command: ['haproxy', '-db', '-f', haproxyConfig],
    inherits: [loopbackDescriptor],
  };
  const root = { tree, binds: [...binds, { from, to: haproxyConfig }] };
  return { ...device, root, processes: [resolved, forwarder] };
}
