// The emulated LAN: one switch (a bridge) in the rehearsal's own network namespace, and a namespace for each device.
//
//   ┌ rehearsal ──────────── lan (bridge) ──────────────┐
//   │    pve1-up        gateway-up        laptop-up     │
//   └──────┼────────────────┼─────────────────┼─────────┘
//   ┌ pve1 ┼─────┐  ┌ gateway ┼──┐   ┌ laptop ┼───┐
//   │ eth0 ─ vmbr0│  │ eth0      │   │ eth0       │
//   │ tap101i0 ─┘ │  └───────────┘   └────────────┘
//   └─────────────┘
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Device, Topology } from '../lab/topology.ts';

const run = promisify(execFile);
const switchName = 'lan';

/** Makes switch, namespaces, cables and addresses. Throws with ip's own words. */
export async function makeNetwork(topology: Topology): Promise<void> {
  await ip('link', 'set', 'lo', 'up');
  // Without a forward delay of 0 a new port is deaf for 15 s and the first DHCP packets are lost.
  await ip('link', 'add', switchName, 'type', 'bridge', 'forward_delay', '0');
  await ip('link', 'set', switchName, 'up');
  for (const device of topology.devices) await addDevice(device, topology.prefixLength);
}

async function addDevice(device: Device, prefixLength: number): Promise<void> {
  const { name } = device;
  const inside = (...argv: string[]): Promise<void> => ip('-n', name, ...argv);
  await ip('netns', 'add', name);
  await ip('link', 'add', `${name}-up`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  await ip('link', 'set', `${name}-up`, 'master', switchName, 'up');
  await inside('link', 'set', 'lo', 'up');
  const holder = device.bridge ?? 'eth0';
  if (device.bridge !== undefined) {
    // As a Proxmox host has it: the address of its card. Else it would take the lowest of its ports, a guest's that comes or goes,
    // and whoever talks to the host would send to the former one for a minute.
    const mac = await readMac(name, 'eth0');
    await inside('link', 'add', device.bridge, 'address', mac, 'type', 'bridge', 'forward_delay', '0');
    await inside('link', 'set', 'eth0', 'master', device.bridge);
    await inside('link', 'set', device.bridge, 'up');
  }
  await inside('link', 'set', 'eth0', 'up');
  for (const address of [device.address, ...device.moreAddresses])
    await inside('addr', 'add', `${address}/${prefixLength}`, 'dev', holder);
  if (device.gateway !== undefined) await inside('route', 'add', 'default', 'via', device.gateway);
}

async function readMac(namespace: string, interfaceName: string): Promise<string> {
  const { stdout } = await run('ip', ['-n', namespace, '-json', 'link', 'show', interfaceName]);
  const [link] = JSON.parse(stdout) as readonly { readonly address: string }[];
  if (link === undefined) throw new Error(`${namespace} has no ${interfaceName}`);
  return link.address;
}

async function ip(...argv: string[]): Promise<void> {
  await run('ip', argv);
}
