// A machine as a Proxmox configuration: what we send to create it, and what we read of one that is there.
import type { Firmware } from '@labwright/core/blueprint/blueprint';
import { type Mac, parseMac } from '@labwright/core/addresses/mac';
import type { VmId } from '@labwright/core/addresses/names';
import { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import type { Parameters, ParameterValue } from './call.ts';
import { type Mark, formatMark, formatTags } from './mark.ts';
import { formatPropertyString, parsePropertyString, parseSizeGiB } from './property-string.ts';
import { looseBoolean, looseNumber, tagList } from './reading.ts';

/** Everything that is decided about a machine before it is created. Its name is the mark's machine. */
export interface VmSpec {
  readonly mark: Mark;
  readonly cores: number;
  readonly memoryMiB: number;
  /** "x86-64-v2-AES" runs on any host of the last decade and lets a machine move between them; "host" is faster. */
  readonly cpuType: string;
  readonly mac: Mac;
  readonly bridge: string;
  readonly vlan?: number;
  readonly storage: string;
  readonly diskGiB: number;
  readonly firmware: Firmware;
  readonly identity: SmbiosIdentity;
  /** Start it when its host starts. */
  readonly startWithHost: boolean;
  /** Lower starts first. Needs Sys.Modify on /, so it is sent only when asked for. */
  readonly startOrder?: number;
}

/** What the guest finds in its firmware tables (SMBIOS type 1). */
export interface SmbiosIdentity {
  readonly uuid: string;
  /**
   * The key of its phone-home, as the serial number: only root can read it in the guest
   * (/sys/class/dmi/id/product_serial is 0400).
   */
  readonly phoneHomeKey: Secret;
}

/** Parameters of POST /nodes/{node}/qemu, `node` apart. */
export function formatVmConfig(spec: VmSpec): Parameters {
  return {
    vmid: spec.mark.vmId,
    name: spec.mark.machine,
    description: formatMark(spec.mark),
    tags: formatTags(spec.mark.lab, spec.mark.replaces).join(';'),
    ostype: 'l26',
    agent: '0',
    cores: spec.cores,
    sockets: 1,
    cpu: spec.cpuType,
    memory: String(spec.memoryMiB),
    net0: formatNet(spec),
    scsihw: 'virtio-scsi-single',
    scsi0: formatNewDisk(spec),
    boot: formatBoot('disk'),
    ...formatFirmware(spec),
    serial0: 'socket',
    // Firmware of PVE 9 (edk2 2025) offers network boot only where it finds a source of randomness.
    rng0: formatPropertyString({ properties: new Map([['source', '/dev/urandom']]) }),
    smbios1: formatSmbios(spec.identity),
    onboot: spec.startWithHost,
    ...(spec.startOrder === undefined ? {} : { startup: `order=${spec.startOrder}` }),
  };
}

/**
 * The disk first: a machine that has an installed disk boots it whatever the network offers, so an installation never
 * loops. The network first only while a machine is being rebuilt.
 */
export type BootFirst = 'disk' | 'network';

const formatBoot = (first: BootFirst): string => (first === 'disk' ? 'order=scsi0;net0' : 'order=net0;scsi0');

function parseBootFirst(boot: string | undefined): BootFirst {
  const order = parsePropertyString(boot ?? '')?.properties.get('order') ?? '';
  return order.startsWith('net') ? 'network' : 'disk';
}

export interface NewDisk {
  readonly storage: string;
  readonly diskGiB: number;
  /** 'lost': the variables of its UEFI firmware went with the former disk, and are made anew. */
  readonly firmwareVariables: 'kept' | 'lost';
}

/** Changes to a machine that is there; what is absent stays as it is. */
export interface VmUpdate {
  readonly cores?: number;
  readonly memoryMiB?: number;
  readonly mark?: Mark;
  readonly identity?: SmbiosIdentity;
  readonly startWithHost?: boolean;
  readonly bootFirst?: BootFirst;
  /** An empty disk in place of the one it has; what was on that is no longer reached by the machine. */
  readonly newDisk?: NewDisk;
  /** 'none' takes the order away. */
  readonly startOrder?: number | 'none';
}

/** Parameters of PUT /nodes/{node}/qemu/{vmid}/config, node and vmid apart. */
export function formatVmUpdate(update: VmUpdate): Parameters {
  const parameters: Record<string, ParameterValue> = {};
  if (update.cores !== undefined) parameters['cores'] = update.cores;
  if (update.memoryMiB !== undefined) parameters['memory'] = String(update.memoryMiB);
  if (update.mark !== undefined) {
    parameters['name'] = update.mark.machine;
    parameters['description'] = formatMark(update.mark);
    parameters['tags'] = formatTags(update.mark.lab, update.mark.replaces).join(';');
  }
  if (update.identity !== undefined) parameters['smbios1'] = formatSmbios(update.identity);
  if (update.startWithHost !== undefined) parameters['onboot'] = update.startWithHost;
  if (update.bootFirst !== undefined) parameters['boot'] = formatBoot(update.bootFirst);
  if (update.newDisk !== undefined) {
    parameters['scsi0'] = formatNewDisk(update.newDisk);
    if (update.newDisk.firmwareVariables === 'lost') parameters['efidisk0'] = formatVariableStore(update.newDisk);
  }
  if (update.startOrder === 'none') parameters['delete'] = 'startup';
  else if (update.startOrder !== undefined) parameters['startup'] = `order=${update.startOrder}`;
  return parameters;
}

/** "STORAGE:GiB" has Proxmox make the disk. */
function formatNewDisk({ storage, diskGiB }: { readonly storage: string; readonly diskGiB: number }): string {
  const properties = new Map([
    ['discard', 'on'],
    ['iothread', '1'],
  ]);
  return formatPropertyString({ first: `${storage}:${diskGiB}`, properties });
}

function formatNet({ mac, bridge, vlan }: VmSpec): string {
  const properties = new Map([
    ['virtio', mac.toUpperCase()],
    ['bridge', bridge],
  ]);
  if (vlan !== undefined) properties.set('tag', String(vlan));
  return formatPropertyString({ lead: 'virtio', properties });
}

function formatFirmware({ firmware, storage }: VmSpec): Parameters {
  if (firmware === 'bios') return { bios: 'seabios' };
  return { bios: 'ovmf', efidisk0: formatVariableStore({ storage }) };
}

function formatVariableStore({ storage }: { readonly storage: string }): string {
  // The size is ignored, the default efitype is the old 2m, and enrolled keys would turn Secure Boot on: our loader is unsigned.
  const properties = new Map([
    ['efitype', '4m'],
    ['pre-enrolled-keys', '0'],
  ]);
  return formatPropertyString({ first: `${storage}:1`, properties });
}

function formatSmbios({ uuid, phoneHomeKey }: SmbiosIdentity): Secret {
  const properties = new Map([
    ['base64', '1'],
    ['serial', Buffer.from(phoneHomeKey.reveal(), 'utf8').toString('base64')],
    ['uuid', uuid],
  ]);
  return new Secret(formatPropertyString({ properties }));
}

/** A configuration as Proxmox answers it: the keys we know, the others kept as they are. */
export const rawVmConfig = z.looseObject({
  digest: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  tags: tagList,
  lock: z.string().optional(),
  cores: looseNumber.optional(),
  sockets: looseNumber.optional(),
  memory: z.union([z.string(), z.number()]).optional(),
  bios: z.string().optional(),
  boot: z.string().optional(),
  smbios1: z.string().optional(),
  startup: z.string().optional(),
  onboot: looseBoolean.optional(),
  scsi0: z.string().optional(),
  efidisk0: z.string().optional(),
});
type RawVmConfig = z.infer<typeof rawVmConfig>;

/** The part of a configuration that Labwright decides on or compares with. */
export interface VmConfig {
  /** SHA-1 of the configuration file; sent along with a write, Proxmox refuses the write if somebody else came first. */
  readonly digest: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly lock?: string;
  readonly cores: number;
  readonly memoryMiB: number;
  /** Of scsi0, the disk we make; 0 when there is none. */
  readonly diskGiB: number;
  readonly storage?: string;
  /** "local-lvm:vm-101-disk-0": scsi0 as its storage lists it. */
  readonly volume?: string;
  /** "local-lvm:vm-101-disk-0": the variables of UEFI firmware. */
  readonly firmwareVolume?: string;
  readonly macs: readonly Mac[];
  readonly firmware: Firmware;
  readonly bootFirst: BootFirst;
  readonly startWithHost: boolean;
  readonly startOrder?: number;
  readonly uuid?: string;
  readonly phoneHomeKey?: Secret;
}

export function parseVmConfig(raw: RawVmConfig): VmConfig {
  const disk = parsePropertyString(raw.scsi0 ?? '');
  const storage = disk?.first?.split(':')[0];
  const firmwareVolume = parsePropertyString(raw.efidisk0 ?? '')?.first;
  const startOrder = parseStartOrder(raw.startup);
  return {
    digest: raw.digest,
    name: raw.name ?? '',
    description: raw.description ?? '',
    tags: raw.tags,
    ...(raw.lock === undefined ? {} : { lock: raw.lock }),
    cores: (raw.cores ?? 1) * (raw.sockets ?? 1),
    memoryMiB: parseMemoryMiB(raw.memory),
    diskGiB: parseSizeGiB(disk?.properties.get('size') ?? '') ?? 0,
    ...(storage === undefined ? {} : { storage }),
    ...(disk?.first === undefined ? {} : { volume: disk.first }),
    ...(firmwareVolume === undefined ? {} : { firmwareVolume }),
    macs: parseMacs(raw),
    firmware: raw.bios === 'ovmf' ? 'uefi' : 'bios',
    bootFirst: parseBootFirst(raw.boot),
    startWithHost: raw.onboot ?? false,
    ...(startOrder === undefined ? {} : { startOrder }),
    ...parseSmbios(raw.smbios1),
  };
}

/** "2048", "current=2048" (a property string since qemu-server 8.0.8) or a number; Proxmox's own default is 512. */
function parseMemoryMiB(memory: string | number | undefined): number {
  if (memory === undefined) return 512;
  const parts = parsePropertyString(String(memory));
  return Number(parts?.first ?? parts?.properties.get('current') ?? 512);
}

/** "order=3,up=30" or a bare "3". */
function parseStartOrder(startup: string | undefined): number | undefined {
  const parts = parsePropertyString(startup ?? '');
  const order = parts?.first ?? parts?.properties.get('order');
  return order === undefined ? undefined : Number(order);
}

/** In the order of the devices' numbers. */
function parseMacs(raw: RawVmConfig): readonly Mac[] {
  const devices = Object.keys(raw).filter((key) => /^net\d+$/.test(key));
  return devices
    .toSorted((one, other) => Number(one.slice(3)) - Number(other.slice(3)))
    .flatMap((key) => {
      const parts = parsePropertyString(String(raw[key]));
      const addresses = [...(parts?.properties.values() ?? [])].map((value) => parseMac(value));
      return addresses.find((address) => address !== undefined) ?? [];
    });
}

function parseSmbios(text: string | undefined): Pick<VmConfig, 'uuid' | 'phoneHomeKey'> {
  const properties = parsePropertyString(text ?? '')?.properties;
  const uuid = properties?.get('uuid');
  const serial = properties?.get('serial');
  const plain =
    serial !== undefined && properties?.get('base64') === '1' ? Buffer.from(serial, 'base64').toString('utf8') : serial;
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(plain === undefined ? {} : { phoneHomeKey: new Secret(plain) }),
  };
}

/** How a machine is named in messages: "node101 (VM 101)". */
export function formatVmName(name: string, vmId: VmId): string {
  return name === '' ? `VM ${vmId}` : `${name} (VM ${vmId})`;
}
