// The laptop of a rehearsal: the user's seat in the LAN (keeper/laptop.ts), and the LAN's end of the loopback port.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { haproxyConfig } from '../gateway/gateway-device.ts';
import type { DeviceInput } from '../lab/topology.ts';
import { formatTreeCommand } from '../lan/tree-command.ts';
import { formatLoopbackConfig, loopbackDescriptor, type LoopbackOptions } from './loopback.ts';

export interface LaptopPlan {
  readonly address: string;
  readonly gateway: string;
  readonly directory: string;
  /** Debian root with HAProxy. */
  readonly tree: string;
  /** Where its loopback port leads; absent without a cluster. */
  readonly loopback?: LoopbackOptions;
}

/** Writes what its programs read and gives the device for the topology. */
export async function writeLaptop({ address, gateway, directory, tree, loopback }: LaptopPlan): Promise<DeviceInput> {
  const device = { name: 'laptop', address, gateway };
  if (loopback === undefined) return device;
  const from = join(directory, 'loopback.cfg');
  await writeFile(from, formatLoopbackConfig(loopback));
  const command = ['haproxy', '-db', '-f', haproxyConfig];
  const forwarder = {
    name: 'loopback',
    command: formatTreeCommand({ tree, file: { from, to: haproxyConfig }, command }),
    inherits: [loopbackDescriptor],
  };
  return { ...device, processes: [forwarder] };
}
