// What a rehearsal consists of, as JSON: devices on one LAN and the processes each runs. Whoever starts a rehearsal writes it.
import * as z from 'zod';

const address = z.ipv4();
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/);

const processSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** Program and arguments; no shell. */
  command: z.array(z.string()).min(1),
  /** A Unix socket that exists once the process serves. */
  readySocket: z.string().optional(),
});

const deviceSchema = z.strictObject({
  name,
  address,
  gateway: address.optional(),
  /** With a bridge the uplink and the guests' taps are its ports and it holds the address; without, eth0 does. */
  bridge: name.optional(),
  processes: z.array(processSchema).default([]),
});

export const topologySchema = z.strictObject({
  version: z.literal(1),
  lab: z.string(),
  /** Everything that belongs to this rehearsal alone; removed when it stops. */
  stateDirectory: z.string().startsWith('/'),
  prefixLength: z.int().min(8).max(30),
  devices: z.array(deviceSchema).min(1),
});

export type Topology = z.infer<typeof topologySchema>;
export type Device = Topology['devices'][number];
export type DeviceProcess = Device['processes'][number];

/** Where the keeper answers. */
export function keeperSocket(stateDirectory: string): string {
  return `${stateDirectory}/keeper.sock`;
}

export function topologyFile(stateDirectory: string): string {
  return `${stateDirectory}/topology.json`;
}
