// The command line of a guest's QEMU, as a pure function of its Proxmox configuration: the same devices in the same boot order
// as Proxmox gives them, but always able to run without KVM, and with nothing secret in it.
import { parseDiskSize, readProperties, type Properties, type PropertyFormat } from './property-string.ts';
import * as formats from './property-formats.ts';
import { formatCpu } from './qemu-cpu.ts';
import { formatDisks } from './qemu-disk-argv.ts';
import { formatNetworks } from './qemu-network-argv.ts';
import { driveNames } from './vm-options.ts';
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
  /** The tree that QEMU itself is from, with what belongs to its version. */
  readonly emulatorRoot: string;
}

export function makeQemuArgv(vmId: number, values: VmValues, files: GuestFiles, options: QemuArgvOptions): string[] {
  const property = (name: string, format: PropertyFormat): Properties => readProperties(format, values[name]);
  const machine = property('machine', formats.machineFormat)['type'] ?? 'pc';
  const isQ35 = /q35/.test(machine);
  const vga = property('vga', formats.vgaFormat)['type'] ?? 'std';
  const hasScreen = vga !== 'none' && !vga.startsWith('serial');
  const isUefi = values['bios'] === 'ovmf';
  const bootIndex = getBootIndices(values);
  const within = (root: string, path: string): string => `${root === '/' ? '' : root}/${path}`;
  const tools = (path: string): string => within(options.toolsRoot, path);

  const argv: string[] = [];
  const add = (...words: readonly string[]): void => void argv.push(...words);
  add('-name', (values['name'] ?? `VM ${vmId}`).replaceAll(',', ',,'));
  add('-no-user-config', '-nodefaults', '-display', 'none');
  add(
    '-L',
    within(options.emulatorRoot, 'usr/share/qemu'),
    '-L',
    tools('usr/share/seabios'),
    '-L',
    tools('usr/lib/ipxe/qemu'),
  );
  add('-pidfile', files.pidFile, '-daemonize');
  add('-chardev', `socket,id=qmp,path=${files.monitorSocket},server=on,wait=off`, '-mon', 'chardev=qmp,mode=control');
  // Without a screen SeaBIOS and iPXE write to the serial port, as they do with Proxmox's "vga: serial0".
  const smm = needsSmm(values, isQ35) ? ',smm=on' : '';
  add('-machine', `${isQ35 ? 'q35' : 'pc'},graphics=${hasScreen ? 'on' : 'off'}${smm}`);
  const isTcg = options.accelerator === 'tcg';
  add('-accel', isTcg ? `tcg,thread=multi,tb-size=${options.translationCacheMiB}` : 'kvm');
  add('-cpu', formatCpu(values, options.accelerator), '-smp', formatProcessors(values));
  add('-m', property('memory', formats.memoryFormat)['current'] ?? '512');
  if (values['smbios1'] !== undefined) add('-smbios', `file=${files.systemInformation}`);
  add('-rtc', `base=${values['localtime'] === '1' ? 'localtime' : 'utc'}`);
  if (isUefi) argv.push(...formatFirmware(values, files, isQ35, tools));
  if (hasScreen) argv.push('-device', 'VGA,id=vga');
  for (const port of [0, 1, 2, 3]) {
    if (values[`serial${port}`] === undefined) continue;
    const socket = `socket,id=serial${port},path=${files.serialSocket(port)},server=on,wait=off`;
    argv.push('-chardev', `${socket},logfile=${files.serialLog(port)},logappend=on`);
    argv.push('-device', `isa-serial,chardev=serial${port}`);
  }
  if (property('agent', formats.agentFormat)['enabled'] === '1') {
    argv.push(
      '-chardev',
      `socket,id=qga0,path=${files.agentSocket},server=on,wait=off`,
      '-device',
      'virtio-serial,id=qga0',
    );
    argv.push('-device', 'virtserialport,chardev=qga0,name=org.qemu.guest_agent.0');
  }
  if (values['rng0'] !== undefined) {
    const source = property('rng0', formats.rngFormat)['source'] ?? '/dev/urandom';
    // The emulator's machine need not have a hardware generator; the guest sees the same device.
    const file = source === '/dev/hwrng' ? '/dev/urandom' : source;
    argv.push('-object', `rng-random,filename=${file},id=rng0`, '-device', 'virtio-rng-pci,rng=rng0');
  }
  argv.push(...formatDisks(values, files.disks, bootIndex));
  argv.push(...formatNetworks(vmId, values, bootIndex, isUefi, options.profile));
  // As Proxmox does unless the configuration says no (qemu-server since 7.1): memory the guest has freed goes back to the host.
  // Last, since QEMU gives PCI slots in this order and the card keeps the one it had.
  if (values['balloon'] !== '0') argv.push('-device', 'virtio-balloon-pci,id=balloon0,free-page-reporting=on');
  return argv;
}

/** The place of each device of `boot: order=`, from 100 on as in Proxmox; without one, disk, CD-ROM, network. */
function getBootIndices(values: VmValues): ReadonlyMap<string, number> {
  const boot = readProperties(formats.bootFormat, values['boot']);
  const order = boot['order']?.split(/[,;\s]+/) ?? listLegacyOrder(values, boot['legacy'] ?? 'cdn');
  return new Map(order.filter((name) => name !== '').map((name, index) => [name, 100 + index]));
}

function listLegacyOrder(values: VmValues, legacy: string): string[] {
  const disks = driveNames.filter((name) => values[name] !== undefined);
  const isCdrom = (name: string): boolean => /media=cdrom/.test(values[name] ?? '');
  const networks = Object.keys(values)
    .filter((name) => /^net\d+$/.test(name))
    .sort();
  return Array.from(legacy).flatMap((letter) => {
    if (letter === 'c') return disks.filter((name) => !isCdrom(name)).slice(0, 1);
    if (letter === 'd') return disks.filter(isCdrom);
    return letter === 'n' ? networks : [];
  });
}

function formatProcessors(values: VmValues): string {
  const [sockets, cores] = [Number(values['sockets'] ?? 1), Number(values['cores'] ?? 1)];
  return `${values['vcpus'] ?? sockets * cores},sockets=${sockets},cores=${cores},maxcpus=${sockets * cores}`;
}

const hasEnrolledKeys = (values: VmValues): boolean =>
  readProperties(formats.efiDiskFormat, values['efidisk0'])['pre-enrolled-keys'] === '1';

/** Secure Boot keeps its variables behind system management mode, which only q35 has. */
function needsSmm(values: VmValues, isQ35: boolean): boolean {
  return values['bios'] === 'ovmf' && isQ35 && hasEnrolledKeys(values);
}

function formatFirmware(
  values: VmValues,
  files: GuestFiles,
  isQ35: boolean,
  tools: (path: string) => string,
): string[] {
  const efiDisk = readProperties(formats.efiDiskFormat, values['efidisk0']);
  const is4m = values['efidisk0'] === undefined || efiDisk['efitype'] === '4m';
  const isSecure = needsSmm(values, isQ35);
  const code = isSecure ? 'OVMF_CODE_4M.secboot.fd' : is4m ? 'OVMF_CODE_4M.fd' : 'OVMF_CODE.fd';
  const variables = files.disks['efidisk0'] ?? { path: files.temporaryVariables, format: 'raw' };
  const argv = ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${tools(`usr/share/OVMF/${code}`)}`];
  argv.push('-drive', `if=pflash,unit=1,id=drive-efidisk0,format=${variables.format},file=${variables.path}`);
  if (isSecure) argv.push('-global', 'driver=cfi.pflash01,property=secure,value=on');
  return argv;
}

/** Bytes of the guest's first boot disk by its configuration, what lists show as maxdisk. */
export function getBootDiskBytes(values: VmValues): number {
  const first = [...getBootIndices(values).keys()].find(
    (name) => driveNames.includes(name) && values[name] !== undefined,
  );
  const size = /(?:^|,)size=([^,]+)/.exec(values[first ?? ''] ?? '')?.[1];
  return size === undefined ? 0 : parseDiskSize(size);
}
