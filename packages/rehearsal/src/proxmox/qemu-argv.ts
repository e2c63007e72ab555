// The command line of a guest's QEMU, as a pure function of its Proxmox configuration: the same devices in the same boot order
// as Proxmox gives them, but always able to run without KVM, and with nothing secret in it.
import { parseDiskSize, parsePropertyString, type Properties, type PropertyFormat } from './property-string.ts';
import * as formats from './property-formats.ts';
import { driveNames, getVmOption } from './vm-options.ts';
import type { GuestFile } from './guest.ts';
import type { Profile } from './permissions.ts';
import type { VmValues } from './vm-config-file.ts';

/** Where the guest's files are. Sockets are relative to the run directory, QEMU's working directory: their names are short then. */
export interface GuestFiles {
  readonly pidFile: string;
  readonly monitorSocket: string;
  readonly agentSocket: string;
  readonly serialSocket: (port: number) => string;
  readonly serialLog: (port: number) => string;
  readonly systemInformation: string;
  readonly disks: Readonly<Record<string, GuestFile>>;
  /** The variable store for a guest with OVMF and no efidisk0. */
  readonly temporaryVariables: string;
}

export interface QemuArgvOptions {
  readonly profile: Profile;
  readonly accelerator: 'tcg' | 'kvm';
  readonly translationCacheMiB: number;
  /** The tree that firmware and boot ROMs are read from. */
  readonly toolsRoot: string;
}

export function makeQemuArgv(vmId: number, values: VmValues, files: GuestFiles, options: QemuArgvOptions): string[] {
  const property = (name: string, format: PropertyFormat): Properties => parseProperties(format, values[name]);
  const machine = property('machine', formats.machineFormat)['type'] ?? 'pc';
  const isQ35 = /q35/.test(machine);
  const vga = property('vga', formats.vgaFormat)['type'] ?? 'std';
  const hasScreen = vga !== 'none' && !vga.startsWith('serial');
  const isUefi = values['bios'] === 'ovmf';
  const bootIndex = getBootIndices(values);
  const tools = (path: string): string => `${options.toolsRoot === '/' ? '' : options.toolsRoot}/${path}`;

  const argv = [
    ...['-name', (values['name'] ?? `VM ${vmId}`).replaceAll(',', ',,')],
    ...['-no-user-config', '-nodefaults', '-display', 'none'],
    ...['-L', tools('usr/share/qemu'), '-L', tools('usr/share/seabios'), '-L', tools('usr/lib/ipxe/qemu')],
    ...['-pidfile', files.pidFile, '-daemonize'],
    ...['-chardev', `socket,id=qmp,path=${files.monitorSocket},server=on,wait=off`, '-mon', 'chardev=qmp,mode=control'],
    // Without a screen SeaBIOS and iPXE write to the serial port, as they do with Proxmox's "vga: serial0".
    ...['-machine', `${isQ35 ? 'q35' : 'pc'},graphics=${hasScreen ? 'on' : 'off'}${needsSmm(values, isQ35) ? ',smm=on' : ''}`],
    ...(options.accelerator === 'kvm'
      ? ['-accel', 'kvm']
      : ['-accel', `tcg,thread=multi,tb-size=${options.translationCacheMiB}`]),
    ...['-cpu', 'max', '-smp', formatProcessors(values)],
    ...['-m', `${property('memory', formats.memoryFormat)['current'] ?? '512'}`],
    ...(values['smbios1'] === undefined ? [] : ['-smbios', `file=${files.systemInformation}`]),
    ...['-rtc', `base=${values['localtime'] === '1' ? 'localtime' : 'utc'}`],
  ];
  if (isUefi) argv.push(...formatFirmware(values, files, isQ35, tools));
  if (hasScreen) argv.push('-device', 'VGA,id=vga');
  for (const port of [0, 1, 2, 3]) {
    if (values[`serial${port}`] === undefined) continue;
    const socket = `socket,id=serial${port},path=${files.serialSocket(port)},server=on,wait=off`;
    argv.push('-chardev', `${socket},logfile=${files.serialLog(port)},logappend=on`);
    argv.push('-device', `isa-serial,chardev=serial${port}`);
  }
  if (property('agent', formats.agentFormat)['enabled'] === '1') {
    argv.push('-chardev', `socket,id=qga0,path=${files.agentSocket},server=on,wait=off`, '-device', 'virtio-serial,id=qga0');
    argv.push('-device', 'virtserialport,chardev=qga0,name=org.qemu.guest_agent.0');
  }
  if (values['rng0'] !== undefined) {
    const source = property('rng0', formats.rngFormat)['source'] ?? '/dev/urandom';
    // The emulator's machine need not have a hardware generator; the guest sees the same device.
    const file = source === '/dev/hwrng' ? '/dev/urandom' : source;
    argv.push('-object', `rng-random,filename=${file},id=rng0`, '-device', 'virtio-rng-pci,rng=rng0');
  }
  argv.push(...formatDisks(values, files, bootIndex));
  argv.push(...formatNetworks(vmId, values, bootIndex, isUefi, options.profile));
  return argv;
}

/** The place of each device of `boot: order=`, from 100 on as in Proxmox; without one, disk, CD-ROM, network. */
export function getBootIndices(values: VmValues): ReadonlyMap<string, number> {
  const boot = parseProperties(formats.bootFormat, values['boot']);
  const order = boot['order']?.split(/[,;\s]+/) ?? listLegacyOrder(values, boot['legacy'] ?? 'cdn');
  return new Map(order.filter((name) => name !== '').map((name, index) => [name, 100 + index]));
}

function listLegacyOrder(values: VmValues, legacy: string): string[] {
  const disks = driveNames.filter((name) => values[name] !== undefined);
  const isCdrom = (name: string): boolean => /media=cdrom/.test(values[name] ?? '');
  const networks = Object.keys(values).filter((name) => /^net\d+$/.test(name)).sort();
  return [...legacy].flatMap((letter) => {
    if (letter === 'c') return disks.filter((name) => !isCdrom(name)).slice(0, 1);
    if (letter === 'd') return disks.filter(isCdrom);
    return letter === 'n' ? networks : [];
  });
}

function parseProperties(format: PropertyFormat, text: string | undefined): Properties {
  const result = text === undefined ? undefined : parsePropertyString(format, text);
  return result?.ok === true ? result.properties : {};
}

function formatProcessors(values: VmValues): string {
  const [sockets, cores] = [Number(values['sockets'] ?? 1), Number(values['cores'] ?? 1)];
  return `${values['vcpus'] ?? sockets * cores},sockets=${sockets},cores=${cores},maxcpus=${sockets * cores}`;
}

const hasEnrolledKeys = (values: VmValues): boolean =>
  parseProperties(formats.efiDiskFormat, values['efidisk0'])['pre-enrolled-keys'] === '1';

/** Secure Boot keeps its variables behind system management mode, which only q35 has. */
function needsSmm(values: VmValues, isQ35: boolean): boolean {
  return values['bios'] === 'ovmf' && isQ35 && hasEnrolledKeys(values);
}

function formatFirmware(values: VmValues, files: GuestFiles, isQ35: boolean, tools: (path: string) => string): string[] {
  const efiDisk = parseProperties(formats.efiDiskFormat, values['efidisk0']);
  const is4m = values['efidisk0'] === undefined || efiDisk['efitype'] === '4m';
  const code = needsSmm(values, isQ35) ? 'OVMF_CODE_4M.secboot.fd' : is4m ? 'OVMF_CODE_4M.fd' : 'OVMF_CODE.fd';
  const variables = files.disks['efidisk0'] ?? { path: files.temporaryVariables, format: 'raw' };
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${tools(`usr/share/OVMF/${code}`)}`],
    ...['-drive', `if=pflash,unit=1,id=drive-efidisk0,format=${variables.format},file=${variables.path}`],
    ...(needsSmm(values, isQ35) ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
  ];
}

function formatDisks(values: VmValues, files: GuestFiles, bootIndex: ReadonlyMap<string, number>): string[] {
  const argv: string[] = [];
  const controllers = new Set<string>();
  const controllerOnce = (id: string, device: string): void => {
    if (!controllers.has(id)) argv.push('-device', `${device},id=${id}`);
    controllers.add(id);
  };
  for (const name of driveNames) {
    if (values[name] === undefined) continue;
    const format = getVmOption(name)?.properties;
    const drive = format === undefined ? {} : parseProperties(format, values[name]);
    const isCdrom = drive['media'] === 'cdrom';
    const file = files.disks[name];
    // Writeback: what the guest wrote is in the machine's page cache, so a killed QEMU loses nothing of it.
    const backend = [
      ...(file === undefined ? [] : [`file=${file.path}`, `format=${file.format}`]),
      `if=none,id=drive-${name}`,
      ...(isCdrom ? ['media=cdrom', 'readonly=on'] : ['cache=writeback', `discard=${drive['discard'] === 'on' ? 'unmap' : 'ignore'}`]),
      'detect-zeroes=off',
    ];
    argv.push('-drive', backend.join(','));
    const boot = bootIndex.has(name) ? `,bootindex=${bootIndex.get(name)}` : '';
    const serial = drive['serial'] === undefined ? '' : `,serial=${decodeURIComponent(drive['serial'])}`;
    const rotation = drive['ssd'] === '1' ? ',rotation_rate=1' : '';
    const unit = Number(/\d+$/.exec(name)?.[0] ?? 0);
    const kind = isCdrom ? 'cd' : 'hd';
    if (name.startsWith('virtio')) {
      argv.push('-device', `virtio-blk-pci,drive=drive-${name},id=${name}${boot}${serial}`);
    } else if (name.startsWith('scsi')) {
      const hardware = values['scsihw'] ?? 'lsi';
      const isSingle = hardware === 'virtio-scsi-single';
      const controller = isSingle ? `virtioscsi${unit}` : `scsihw${Math.floor(unit / 7)}`;
      controllerOnce(controller, scsiControllers[hardware] ?? 'lsi');
      const place = isSingle ? `scsi-id=0,lun=${unit}` : `scsi-id=${unit % 7}`;
      argv.push('-device', `scsi-${kind},bus=${controller}.0,channel=0,${place},drive=drive-${name},id=${name}${rotation}${boot}${serial}`);
    } else if (name.startsWith('sata')) {
      controllerOnce('ahci0', 'ahci');
      argv.push('-device', `ide-${kind},bus=ahci0.${unit},drive=drive-${name},id=${name}${rotation}${boot}${serial}`);
    } else {
      const bus = /q35/.test(values['machine'] ?? '') ? `ide.${unit}` : `ide.${Math.floor(unit / 2)},unit=${unit % 2}`;
      argv.push('-device', `ide-${kind},bus=${bus},drive=drive-${name},id=${name}${rotation}${boot}${serial}`);
    }
  }
  return argv;
}

const scsiControllers: Readonly<Record<string, string>> = {
  lsi: 'lsi',
  lsi53c810: 'lsi53c810',
  megasas: 'megasas',
  pvscsi: 'pvscsi',
  'virtio-scsi-pci': 'virtio-scsi-pci',
  'virtio-scsi-single': 'virtio-scsi-pci',
};

export function tapName(vmId: number, network: string): string {
  return `tap${vmId}i${network.slice('net'.length)}`;
}

export function parseNetwork(value: string | undefined): Properties {
  return parseProperties(formats.networkFormat, value);
}

function formatNetworks(vmId: number, values: VmValues, bootIndex: ReadonlyMap<string, number>, isUefi: boolean, profile: Profile): string[] {
  const argv: string[] = [];
  // Firmware since edk2 2024 offers no network boot to a machine without a random number generator; that of Debian 12 is
  // older, so its own network boot and the card's ROM are switched off.
  const isWithoutNetworkBoot = profile === '9.2' && isUefi && values['rng0'] === undefined;
  const names = Object.keys(values).filter((name) => /^net\d+$/.test(name)).sort();
  for (const name of names) {
    const network = parseNetwork(values[name]);
    const device = network['model'] === 'virtio' ? 'virtio-net-pci' : (network['model'] ?? 'virtio-net-pci');
    const boot = bootIndex.has(name) && !isWithoutNetworkBoot ? `,bootindex=${bootIndex.get(name)}` : '';
    const isPlugged = network['bridge'] !== undefined;
    const backend = isPlugged ? `tap,ifname=${tapName(vmId, name)},script=no,downscript=no,vhost=off` : 'user';
    argv.push('-netdev', `${backend},id=${name}`);
    const rom = isWithoutNetworkBoot ? ',romfile=' : '';
    argv.push('-device', `${device},mac=${network['macaddr'] ?? ''},netdev=${name},id=${name}${boot}${rom}`);
  }
  if (isWithoutNetworkBoot) {
    for (const family of ['IPv4', 'IPv6']) argv.push('-fw_cfg', `name=opt/org.tianocore/${family}PXESupport,string=n`);
  }
  return argv;
}

/** Bytes of the guest's first boot disk by its configuration, what lists show as maxdisk. */
export function getBootDiskBytes(values: VmValues): number {
  const first = [...getBootIndices(values).keys()].find((name) => driveNames.includes(name) && values[name] !== undefined);
  const size = /(?:^|,)size=([^,]+)/.exec(values[first ?? ''] ?? '')?.[1];
  return size === undefined ? 0 : parseDiskSize(size);
}
