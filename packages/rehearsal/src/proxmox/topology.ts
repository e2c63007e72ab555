// The emulated cluster as its starter describes it: hosts, storages, who may log in, and what a guest is made of.
import { z } from 'zod';
import { readFile } from 'node:fs/promises';
import { EmulatorError } from './error.ts';

const nodeName = z.string().regex(/^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/, 'not a node name');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hexadecimal');
const privileges = z.array(z.string().regex(/^[A-Z][A-Za-z.]+$/)).min(1);

/** A secret is known by its digest or read from a file, so that neither the topology nor an argument carries it. */
const secret = z.union([z.strictObject({ sha256 }), z.strictObject({ file: z.string() })]);
const acl = z.array(z.strictObject({ path: z.string().startsWith('/'), privileges })).default([]);

const storage = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9\-_.]*[a-z0-9]$/i),
  type: z.enum(['dir', 'lvm', 'lvmthin']),
  content: z.array(z.enum(['images', 'iso', 'import', 'snippets', 'rootdir', 'backup', 'vztmpl'])).default(['images']),
  totalGiB: z.number().positive().default(500),
});

const qemuGuests = z.strictObject({
  kind: z.literal('qemu'),
  /** A Debian root tree with qemu-system-x86, ovmf and ipxe-qemu; "/" for the machine's own. */
  toolsRoot: z.string().startsWith('/'),
  /** The tree whose QEMU runs the guests, with the firmware of the other one; without it, the one of the other one. */
  emulatorRoot: z.string().startsWith('/').optional(),
  accelerator: z.enum(['tcg', 'kvm']).default('tcg'),
  /**
   * What a guest's translated code may occupy on top of its memory. When it is full all of it is dropped and made again:
   * the programs of a control plane need 512.
   */
  translationCacheMiB: z.number().int().min(32).default(512),
});

const topologySchema = z.strictObject({
  cluster: nodeName,
  /** Only the two lines that homes run: they differ in privileges, HA calls and the texts of a refused login. */
  profile: z.enum(['8.4', '9.2']),
  /** Shared by all hosts: the emulated cluster file system lives in it. */
  stateDirectory: z.string().startsWith('/'),
  hosts: z
    .array(
      z.strictObject({
        name: nodeName,
        address: z.ipv4(),
        port: z.number().int().min(1).max(65535).default(8006),
        cores: z.number().int().positive(),
        memoryMiB: z.number().int().positive(),
        bridges: z.array(z.string()).default(['vmbr0']),
        tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }),
      }),
    )
    .min(1),
  certificateAuthorityFile: z.string(),
  storages: z.array(storage).min(1),
  users: z.array(z.strictObject({ id: z.string().regex(/^[^\s:/@!]+@[a-z]+$/), password: secret.optional(), acl })),
  tokens: z.array(
    z.strictObject({
      id: z.string().regex(/^[^\s:/@!]+@[a-z]+![A-Za-z][A-Za-z0-9.\-_]+$/),
      secret,
      privilegeSeparation: z.boolean().default(true),
      acl,
    }),
  ),
  guests: z.discriminatedUnion('kind', [z.strictObject({ kind: z.literal('stand-in') }), qemuGuests]),
  /** One is Proxmox's own pace; a tenth makes every lock wait, refresh and time-out ten times shorter. */
  timeScale: z.number().positive().max(1).default(1),
  /** Proxmox holds every refused login back for three seconds. */
  unauthorizedDelayMs: z.number().int().min(0).default(3000),
});

export type Topology = z.output<typeof topologySchema>;
/** What a starter writes: fields with a default may be absent. */
export type TopologyInput = z.input<typeof topologySchema>;
export type HostTopology = Topology['hosts'][number];
export type StorageTopology = Topology['storages'][number];
export type GuestTopology = Topology['guests'];

/** Throws EmulatorError with every problem of the topology at once. */
export function parseTopology(value: unknown): Topology {
  const result = topologySchema.safeParse(value);
  if (result.success) return result.data;
  throw new EmulatorError(`the topology is not valid:\n${z.prettifyError(result.error)}`, 'correct the topology file');
}

export async function readTopology(file: string): Promise<Topology> {
  return parseTopology(JSON.parse(await readFile(file, 'utf8')));
}

export function getHost(topology: Topology, name: string): HostTopology {
  const host = topology.hosts.find((candidate) => candidate.name === name);
  if (host !== undefined) return host;
  const names = topology.hosts.map((candidate) => candidate.name).join(', ');
  throw new EmulatorError(`the topology has no host "${name}"`, `start one of: ${names}`);
}
