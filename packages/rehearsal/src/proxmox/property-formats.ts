// The inner formats of the VM options that the emulator understands, field by field, and the named formats of plain values.
import type { PropertyField, PropertyFormat } from './property-string.ts';

type Check = (value: string) => string | undefined;
const matching =
  (pattern: RegExp, reason: (value: string) => string): Check =>
  (value) =>
    pattern.test(value) ? undefined : `${reason(value)}\n`;

const hostLabel = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const tag = /^[a-z0-9_][a-z0-9_\-+.]*$/i;

/** Checks of plain values, named as Proxmox names the formats. */
export const namedFormats = {
  dnsName: matching(
    new RegExp(`^${hostLabel}(?:\\.${hostLabel})*$`),
    () => 'value does not look like a valid DNS name',
  ),
  node: matching(new RegExp(`^${hostLabel}$`), () => 'value does not look like a valid node name'),
  vmId: matching(/^[1-9]\d{2,8}$/, () => 'value does not look like a valid VM ID'),
  configId: matching(/^[a-z][a-z0-9_-]+$/i, (value) => `invalid configuration ID '${value}'`),
  storageId: matching(/^[a-z][a-z0-9\-_.]*[a-z0-9]$/i, (value) => `storage ID '${value}' contains illegal characters`),
  bridgeId: matching(/^[-_.\w]+$/, (value) => `invalid bridge ID '${value}'`),
  macAddress: matching(
    /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i,
    () => 'value does not look like a valid unicast MAC address',
  ),
  startupOrder: matching(
    /^(?:order=)?\d+(?:,(?:up|down)=\d+)*$|^(?:up|down)=\d+(?:,(?:up|down|order)=\d+)*$/,
    () => 'unable to parse startup options',
  ),
  userId: matching(
    /^[^\s:/@]+@[A-Za-z][A-Za-z0-9.\-_]+$/,
    (value) => `value '${value}' does not look like a valid user name`,
  ),
  urlEncoded: matching(/^[-%a-zA-Z0-9_.!~*'()]*$/, (value) => `invalid urlencoded string: ${value}`),
  volumeOrPath: matching(
    /^(?:none|cdrom|\/dev\/.+|[a-z][a-z0-9\-_.]*[a-z0-9]:\S+|[^:\s]+)$/i,
    (value) => `unable to parse volume ID '${value}'`,
  ),
  poolId: matching(
    /^[A-Za-z0-9.\-_]+(?:\/[A-Za-z0-9.\-_]+){0,2}$/,
    (value) => `pool name '${value}' contains invalid characters`,
  ),
} as const;

/** A list takes commas, semicolons, blanks or NUL between its items. */
export function splitList(text: string): string[] {
  return text.split(/[,;\s\0]+/).filter((item) => item !== '');
}

const listOf =
  (check: Check): Check =>
  (value) => {
    for (const item of splitList(value)) {
      const reason = check(item);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };

export const tagList: Check = listOf(matching(tag, () => 'invalid characters in tag'));

const text = (rest: Omit<PropertyField, 'type'> = {}): PropertyField => ({ type: 'string', optional: true, ...rest });
const flag: PropertyField = { type: 'boolean', optional: true };
const integer = (minimum?: number, maximum?: number): PropertyField => ({
  type: 'integer',
  optional: true,
  ...(minimum === undefined ? {} : { minimum }),
  ...(maximum === undefined ? {} : { maximum }),
});

const number: PropertyField = { type: 'number', optional: true, minimum: 0 };
const file: PropertyField = { type: 'string', isDefault: true, check: namedFormats.volumeOrPath };

const throttling: PropertyFormat = Object.fromEntries([
  ...['bps', 'bps_rd', 'bps_wr', 'iops', 'iops_rd', 'iops_wr', 'iops_max', 'iops_rd_max', 'iops_wr_max'].map((key) => [
    key,
    integer(),
  ]),
  ...['mbps', 'mbps_rd', 'mbps_wr', 'mbps_max', 'mbps_rd_max', 'mbps_wr_max'].map((key) => [key, number]),
  ...['bps_max_length', 'bps_rd_max_length', 'bps_wr_max_length'].map((key) => [key, integer(1)]),
  ...['iops_max_length', 'iops_rd_max_length', 'iops_wr_max_length'].map((key) => [key, integer(1)]),
]);

const driveBase: PropertyFormat = {
  ...throttling,
  file,
  volume: { type: 'string', alias: 'file' },
  aio: text({ enum: ['native', 'threads', 'io_uring'] }),
  backup: flag,
  cache: text({ enum: ['none', 'writethrough', 'writeback', 'unsafe', 'directsync'] }),
  detect_zeroes: flag,
  discard: text({ enum: ['ignore', 'on'] }),
  format: text({ enum: ['raw', 'qcow', 'qed', 'qcow2', 'vmdk', 'cloop'] }),
  'import-from': text(),
  media: text({ enum: ['cdrom', 'disk'] }),
  replicate: flag,
  rerror: text({ enum: ['ignore', 'report', 'stop'] }),
  serial: text({ check: namedFormats.urlEncoded, maxLength: 60 }),
  shared: flag,
  size: text({ format: 'disk-size' }),
  snapshot: flag,
  werror: text({ enum: ['enospc', 'ignore', 'report', 'stop'] }),
};

const wwn = text({ pattern: /^(?:0x)[0-9a-fA-F]{16}$/ });

export const driveFormats = {
  ide: { ...driveBase, model: text({ check: namedFormats.urlEncoded, maxLength: 120 }), ssd: flag, wwn },
  sata: { ...driveBase, ssd: flag, wwn },
  virtio: { ...driveBase, iothread: flag, ro: flag },
  scsi: {
    ...driveBase,
    iothread: flag,
    product: text({ pattern: /^[A-Za-z0-9\-_\s]{0,16}$/ }),
    queues: integer(2),
    ro: flag,
    scsiblock: flag,
    ssd: flag,
    vendor: text({ pattern: /^[A-Za-z0-9\-_\s]{0,8}$/ }),
    wwn,
  },
} as const satisfies Record<string, PropertyFormat>;

export const efiDiskFormat: PropertyFormat = {
  file,
  volume: { type: 'string', alias: 'file' },
  efitype: text({ enum: ['2m', '4m'] }),
  format: text({ enum: ['raw', 'qcow', 'qed', 'qcow2', 'vmdk', 'cloop'] }),
  'import-from': text(),
  'ms-cert': text({ enum: ['2011', '2023', '2023w', '2023k'] }),
  'pre-enrolled-keys': flag,
  size: text({ format: 'disk-size' }),
};

export const unusedFormat: PropertyFormat = { file, volume: { type: 'string', alias: 'file' } };

const networkModels = [
  'e1000',
  'e1000-82540em',
  'e1000-82544gc',
  'e1000-82545em',
  'e1000e',
  'i82551',
  'i82557b',
  'i82559er',
  'ne2k_isa',
  'ne2k_pci',
  'pcnet',
  'rtl8139',
  'virtio',
  'vmxnet3',
] as const;

export const networkFormat: PropertyFormat = {
  model: { type: 'string', isDefault: true, enum: networkModels },
  macaddr: text({ check: namedFormats.macAddress }),
  ...Object.fromEntries(
    networkModels.map((model) => [model, { type: 'string', alias: 'macaddr', keyAlias: 'model' } as const]),
  ),
  bridge: text({ check: namedFormats.bridgeId }),
  firewall: flag,
  link_down: flag,
  mtu: integer(1, 65520),
  queues: integer(0, 64),
  rate: number,
  tag: integer(1, 4094),
  trunks: text({ pattern: /^\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*$/ }),
};

export const agentFormat: PropertyFormat = {
  enabled: { type: 'boolean', isDefault: true },
  'freeze-fs': flag,
  'freeze-fs-on-backup': { type: 'string', alias: 'freeze-fs' },
  fstrim_cloned_disks: flag,
  'guest-fsfreeze': { type: 'string', alias: 'freeze-fs' },
  type: text({ enum: ['virtio', 'isa'] }),
};

export const memoryFormat: PropertyFormat = { current: { type: 'integer', isDefault: true, minimum: 16 } };

export const machineFormat: PropertyFormat = {
  type: text({
    isDefault: true,
    maxLength: 40,
    pattern:
      /^(?:pc|pc(?:-i440fx)?-\d+(?:\.\d+)+(?:\+pve\d+)?(?:\.pxe)?|q35|pc-q35-\d+(?:\.\d+)+(?:\+pve\d+)?(?:\.pxe)?|virt(?:-\d+(?:\.\d+)+)?(?:\+pve\d+)?)$/,
  }),
  'aw-bits': { type: 'number', optional: true, minimum: 32, maximum: 64 },
  'enable-s3': flag,
  'enable-s4': flag,
  viommu: text({ enum: ['intel', 'virtio'] }),
};

export const vgaFormat: PropertyFormat = {
  type: text({
    isDefault: true,
    enum: [
      'cirrus',
      'qxl',
      'qxl2',
      'qxl3',
      'qxl4',
      'none',
      'serial0',
      'serial1',
      'serial2',
      'serial3',
      'std',
      'virtio',
      'virtio-gl',
      'vmware',
    ],
  }),
  clipboard: text({ enum: ['vnc'] }),
  memory: integer(4, 512),
};

const base64 = text({ pattern: /^[A-Za-z0-9+/]+={0,2}$/ });

export const smbiosFormat: PropertyFormat = {
  uuid: text({ pattern: /^[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$/ }),
  version: base64,
  serial: base64,
  manufacturer: base64,
  product: base64,
  sku: base64,
  family: base64,
  base64: flag,
};

export const rngFormat: PropertyFormat = {
  source: { type: 'string', isDefault: true, enum: ['/dev/urandom', '/dev/random', '/dev/hwrng'] },
  max_bytes: integer(),
  period: integer(),
};

const bootDevice = matching(
  /^(?:net\d+|usb\d+|hostpci\d+|ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:1[0-5]|\d))$/,
  (value) => `invalid boot device '${value}'`,
);

export const bootFormat: PropertyFormat = {
  legacy: text({ isDefault: true, pattern: /^[acdn]{1,4}$/ }),
  order: text({ check: listOf(bootDevice) }),
};

export const cpuFormat: PropertyFormat = {
  cputype: text({ isDefault: true }),
  flags: text(),
  'guest-phys-bits': integer(32, 64),
  hidden: flag,
  'hv-vendor-id': text(),
  'phys-bits': text(),
  'reported-model': text(),
};
