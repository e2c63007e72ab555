// What a rehearsal consists of, as JSON: devices on one LAN and the processes each runs. Whoever starts a rehearsal writes it.
import * as z from 'zod';

const address = z.ipv4();
const path = z.string().startsWith('/');
const port = z.int().min(1).max(65_535);
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/);

const processSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** Program and arguments; no shell. */
  command: z.array(z.string()).min(1),
  /** A Unix socket that exists once the process serves. */
  readySocket: z.string().optional(),
  /** A TCP port it listens on once it serves. */
  readyPort: port.optional(),
  /** Descriptors the keeper was started with that this process gets, each under the number it has. */
  inherits: z.array(z.int().min(3).max(9)).default([]),
});

/** A Debian tree that the processes of a device see as their own; what they change is in memory and gone with the rehearsal. */
const rootSchema = z.strictObject({
  tree: path,
  /** Files and folders of the user's side that stand in the tree. */
  binds: z.array(z.strictObject({ from: path, to: path })).default([]),
});

const deviceSchema = z.strictObject({
  name,
  address,
  /** Addresses it holds beside its own. */
  moreAddresses: z.array(address).default([]),
  gateway: address.optional(),
  /** With a bridge the uplink and the guests' taps are its ports and it holds the address; without, eth0 does. */
  bridge: name.optional(),
  root: rootSchema.optional(),
  processes: z.array(processSchema).default([]),
});

export const topologySchema = z.strictObject({
  version: z.literal(1),
  lab: z.string(),
  /** Everything that belongs to this rehearsal alone; removed when it stops. */
  stateDirectory: path,
  prefixLength: z.int().min(8).max(30),
  devices: z.array(deviceSchema).min(1),
});

export type Topology = z.infer<typeof topologySchema>;
/** As it is written down: what has a default may be left out. */
export type TopologyInput = z.input<typeof topologySchema>;
export type DeviceInput = TopologyInput['devices'][number];
export type DeviceRoot = z.infer<typeof rootSchema>;
export type Device = Topology['devices'][number];
export type DeviceProcess = Device['processes'][number];

/** Where the keeper answers. */
export function keeperSocket(stateDirectory: string): string {
  return `${stateDirectory}/keeper.sock`;
}

export function topologyFile(stateDirectory: string): string {
  return `${stateDirectory}/topology.json`;
}
