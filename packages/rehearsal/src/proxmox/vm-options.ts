// Every option of a VM's configuration: its type, the privilege that may change it and whether a running guest takes it up
// at once. One table, from which the parameters of create and update, the config file and the answers derive.
import type { CheckedValue, PropertyFormat } from './property-string.ts';
import * as formats from './property-formats.ts';

type Privilege = string;

export interface VmOption extends CheckedValue {
  readonly properties?: PropertyFormat;
  /** The privilege on /vms/ID that changing it takes; 'root' is for root@pam itself, no token of it. */
  readonly privilege: Privilege;
  /** A running guest follows at once; any other change waits in [PENDING] for the next start. */
  readonly isLive?: true;
}

const cpu = 'VM.Config.CPU';
const memory = 'VM.Config.Memory';
const hardware = 'VM.Config.HWType';
const options = 'VM.Config.Options';
const disk = 'VM.Config.Disk';
const network = 'VM.Config.Network';
const cloudInit = 'VM.Config.Cloudinit';
const root = 'root';

const text = (privilege: Privilege, rest: Omit<VmOption, 'type' | 'privilege'> = {}): VmOption => ({
  type: 'string',
  privilege,
  ...rest,
});
const flag = (privilege: Privilege, rest: Omit<VmOption, 'type' | 'privilege'> = {}): VmOption => ({
  type: 'boolean',
  privilege,
  ...rest,
});
const integer = (privilege: Privilege, rest: Omit<VmOption, 'type' | 'privilege'> = {}): VmOption => ({
  type: 'integer',
  privilege,
  ...rest,
});
const live = { isLive: true } as const;

const keyboards =
  'de,de-ch,da,en-gb,en-us,es,fi,fr,fr-be,fr-ca,fr-ch,hu,is,it,ja,lt,mk,nl,no,pl,pt,pt-br,sv,sl,tr'.split(',');

const single: Readonly<Record<string, VmOption>> = {
  acpi: flag(hardware),
  affinity: text(root),
  agent: text(options, { properties: formats.agentFormat }),
  'allow-ksm': flag(memory),
  'amd-sev': text(root),
  arch: text(root, { enum: ['x86_64', 'aarch64'] }),
  args: text(root),
  audio0: text(hardware),
  autostart: flag(options),
  balloon: integer(memory, { minimum: 0 }),
  bios: text(options, { enum: ['seabios', 'ovmf'] }),
  boot: text(disk, { properties: formats.bootFormat }),
  bootdisk: text(disk, { pattern: /^(?:ide|sata|scsi|virtio)\d+$/ }),
  cdrom: text('VM.Config.CDROM'),
  cicustom: text(cloudInit, live),
  cipassword: text(cloudInit, live),
  citype: text(cloudInit, { ...live, enum: ['configdrive2', 'nocloud', 'opennebula'] }),
  ciupgrade: flag(cloudInit, live),
  ciuser: text(cloudInit, live),
  cores: integer(cpu, { minimum: 1 }),
  cpu: text(cpu, { properties: formats.cpuFormat }),
  cpulimit: { type: 'number', privilege: cpu, minimum: 0, maximum: 128 },
  cpuunits: integer(cpu, { minimum: 1, maximum: 262144 }),
  description: text(options, { ...live, maxLength: 8192 }),
  efidisk0: text(disk, { properties: formats.efiDiskFormat }),
  freeze: flag('VM.PowerMgmt'),
  hookscript: text(root, live),
  hotplug: text(hardware),
  hugepages: text(root, { enum: ['any', '2', '1024'] }),
  'intel-tdx': text(root),
  ivshmem: text(root),
  keephugepages: flag(root),
  keyboard: text(options, { enum: keyboards }),
  kvm: flag(hardware),
  localtime: flag(options),
  lock: text(root, {
    ...live,
    enum: [
      'backup',
      'clone',
      'create',
      'migrate',
      'rollback',
      'snapshot',
      'snapshot-delete',
      'suspending',
      'suspended',
    ],
  }),
  machine: text(hardware, { properties: formats.machineFormat }),
  memory: text(memory, { properties: formats.memoryFormat }),
  migrate_downtime: { type: 'number', privilege: options, minimum: 0, isLive: true },
  migrate_speed: integer(options, { ...live, minimum: 0 }),
  name: text(options, { ...live, check: formats.namedFormats.dnsName }),
  nameserver: text(cloudInit, live),
  numa: flag(cpu),
  onboot: flag(options, live),
  ostype: text(options, {
    enum: 'other,wxp,w2k,w2k3,w2k8,wvista,win7,win8,win10,win11,l24,l26,solaris'.split(','),
  }),
  protection: flag(options, live),
  reboot: flag(options),
  rng0: text(hardware, { properties: formats.rngFormat }),
  scsihw: text(hardware, { enum: ['lsi', 'lsi53c810', 'virtio-scsi-pci', 'virtio-scsi-single', 'megasas', 'pvscsi'] }),
  searchdomain: text(cloudInit, live),
  shares: integer(memory, { ...live, minimum: 0, maximum: 50000 }),
  smbios1: text(hardware, { properties: formats.smbiosFormat, maxLength: 512 }),
  smp: integer(cpu, { minimum: 1 }),
  sockets: integer(cpu, { minimum: 1 }),
  spice_enhancements: text(root),
  sshkeys: text(cloudInit, { ...live, check: formats.namedFormats.urlEncoded }),
  startdate: text(options, { pattern: /^(?:now|\d{4}-\d{1,2}-\d{1,2}(?:T\d{1,2}:\d{1,2}:\d{1,2})?)$/ }),
  startup: text(options, { ...live, check: formats.namedFormats.startupOrder }),
  tablet: flag(hardware),
  tags: text(options, { ...live, check: formats.tagList }),
  tdf: flag(options),
  template: flag(options),
  tpmstate0: text(disk),
  vcpus: integer(cpu, { minimum: 1 }),
  vga: text(hardware, { properties: formats.vgaFormat }),
  vmgenid: text(root, { pattern: /^(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])$/ }),
  vmstatestorage: text(disk, live),
  watchdog: text(hardware),
};

/** Options that come numbered, and how many of each there can be. */
const numbered: Readonly<Record<string, { readonly count: number; readonly option: VmOption }>> = {
  hostpci: { count: 16, option: text(root) },
  ide: { count: 4, option: text(disk, { properties: formats.driveFormats.ide }) },
  ipconfig: { count: 32, option: text(cloudInit, live) },
  net: { count: 32, option: text(network, { properties: formats.networkFormat }) },
  numa: { count: 8, option: text(cpu) },
  parallel: { count: 3, option: text(root, { pattern: /^(?:\/dev\/parport\d+|\/dev\/usb\/lp\d+)$/ }) },
  sata: { count: 6, option: text(disk, { properties: formats.driveFormats.sata }) },
  scsi: { count: 31, option: text(disk, { properties: formats.driveFormats.scsi }) },
  serial: { count: 4, option: text(hardware, { pattern: /^(?:\/dev\/.+|socket)$/ }) },
  unused: { count: 256, option: text(disk, { properties: formats.unusedFormat }) },
  usb: { count: 14, option: text(root) },
  virtio: { count: 16, option: text(disk, { properties: formats.driveFormats.virtio }) },
  virtiofs: { count: 10, option: text(root) },
};

/** All options by name; the numbered ones under their template name ("net[n]"), as Proxmox's own API description has them. */
export const vmOptions: Readonly<Record<string, VmOption>> = {
  ...single,
  ...Object.fromEntries(Object.entries(numbered).map(([key, { option }]) => [`${key}[n]`, option])),
};

/** "net0" gives the option of "net[n]"; undefined for what Proxmox would not know either. */
export function getVmOption(name: string): VmOption | undefined {
  const plain = Object.hasOwn(single, name) ? single[name] : undefined;
  if (plain !== undefined) return plain;
  const match = /^([a-z]+)(0|[1-9]\d*)$/.exec(name);
  const group = match === null ? undefined : numbered[match[1] ?? ''];
  return group !== undefined && Number(match?.[2]) < group.count ? group.option : undefined;
}

/** In the order in which Proxmox looks for the first disk: ide, scsi, virtio, sata. */
export const driveNames: readonly string[] = (['ide', 'scsi', 'virtio', 'sata'] as const).flatMap((bus) =>
  Array.from({ length: numbered[bus]?.count ?? 0 }, (_, index) => `${bus}${index}`),
);

export function isDriveName(name: string): boolean {
  return driveNames.includes(name) || name === 'efidisk0' || name === 'tpmstate0';
}

export function isNetworkName(name: string): boolean {
  return /^net\d+$/.test(name);
}
