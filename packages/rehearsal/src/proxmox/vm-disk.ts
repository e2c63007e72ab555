// Disks of a VM: "STORAGE:GiB" in a request becomes an allocated image and its canonical description in the configuration.
import type { Caller, NodeContext } from './node-context.ts';
import { parameterError, refusal } from './error.ts';
import type { GuestFile } from './guest.ts';
import {
  formatDiskSize,
  formatPropertyString,
  parseDiskSize,
  parsePropertyString,
  type Properties,
} from './property-string.ts';
import { driveNames, getVmOption, isDriveName } from './vm-options.ts';
import type { VmValues } from './vm-config-file.ts';

const gibibyte = 1024 ** 3;
const newDisk = /^(?:([a-z][a-z0-9\-_.]*[a-z0-9]):)?(\d+(?:\.\d+)?)$/i;

export function parseDrive(option: string, value: string): Properties {
  const format = getVmOption(option)?.properties ?? {};
  const result = parsePropertyString(format, value);
  if (result.ok) return result.properties;
  throw parameterError({ [option]: `invalid format - ${result.problem}` });
}

export function formatDrive(option: string, properties: Properties): string {
  return formatPropertyString(getVmOption(option)?.properties ?? {}, properties);
}

export const isCdrom = (properties: Properties): boolean => properties['media'] === 'cdrom';

/** Refuses what the caller may not store where, before anything is made. */
export function checkDiskAccess(context: NodeContext, caller: Caller, vmId: number, values: VmValues): void {
  for (const [option, value] of Object.entries(values)) {
    if (!isDriveName(option)) continue;
    const drive = parseDrive(option, value);
    const file = drive['file'] ?? '';
    if (isCdrom(drive)) {
      caller.privileges.require(`/vms/${vmId}`, ['VM.Config.CDROM']);
      if (file.includes(':')) context.volumes.getStorage(file.split(':')[0] ?? '');
      continue;
    }
    caller.privileges.require(`/vms/${vmId}`, ['VM.Config.Disk']);
    const storage = newDisk.exec(file)?.[1];
    if (newDisk.test(file)) {
      if (storage === undefined) throw refusal('no storage ID specified (and no default storage)');
      caller.privileges.require(`/storage/${storage}`, ['Datastore.AllocateSpace']);
      context.volumes.getStorage(storage);
    } else if (drive['import-from'] !== undefined) {
      throw refusal(`${option}: importing disk images is not emulated`);
    } else {
      context.volumes.getFile(file);
      caller.privileges.requireAny(`/storage/${file.split(':')[0]}`, ['Datastore.AllocateSpace', 'Datastore.Audit']);
    }
  }
}

export interface CreatedDisks {
  /** The disk options with their final text. */
  readonly values: VmValues;
  readonly volumeIds: readonly string[];
}

/** Allocates every new disk among the options; frees what it made when one fails. */
export async function createDisks(
  context: NodeContext,
  vmId: number,
  options: VmValues,
  report: (line: string) => void,
): Promise<CreatedDisks> {
  const values: VmValues = {};
  const volumeIds: string[] = [];
  try {
    for (const option of Object.keys(options).filter(isDriveName).sort()) {
      const drive = parseDrive(option, options[option] ?? '');
      const request = newDisk.exec(drive['file'] ?? '');
      if (request === null) {
        values[option] = formatDrive(option, await describeExisting(context, drive));
        continue;
      }
      const volumeId = await allocate(context, vmId, option, drive, Number(request[2]));
      volumeIds.push(volumeId.id);
      const { format: _, ...rest } = drive;
      values[option] = formatDrive(option, { ...rest, file: volumeId.id, size: formatDiskSize(volumeId.bytes) });
      report(`${option}: successfully created disk '${values[option]}'`);
    }
  } catch (error) {
    for (const volumeId of volumeIds) await context.volumes.free(volumeId);
    throw error;
  }
  return { values, volumeIds };
}

async function allocate(
  context: NodeContext,
  vmId: number,
  option: string,
  drive: Properties,
  sizeGiB: number,
): Promise<{ readonly id: string; readonly bytes: number }> {
  const storage = (drive['file'] ?? '').split(':')[0] ?? '';
  const { images } = context.guests;
  let bytes = Math.ceil(sizeGiB * gibibyte);
  const create = async (file: GuestFile): Promise<void> => {
    if (option === 'efidisk0') {
      const kind = drive['efitype'] === '4m' ? '4m' : '2m';
      bytes = await images.createFirmwareVariables(file, kind, drive['pre-enrolled-keys'] === '1');
      // A logical volume is at least one extent of 4 MiB, which is what Proxmox shows; the image stays as long as firmware wants.
      if (context.volumes.getStorage(storage).type !== 'dir') bytes = 4 * 1024 * 1024;
    } else await images.create(file, bytes);
  };
  const id = await context.volumes.allocate({ storage, vmId, format: drive['format'] }, create);
  return { id, bytes };
}

async function describeExisting(context: NodeContext, drive: Properties): Promise<Properties> {
  const file = drive['file'] ?? '';
  if (!file.includes(':') || drive['size'] !== undefined) return drive;
  const storage = file.split(':')[0] ?? '';
  const volume = (await context.volumes.list(storage)).find((candidate) => candidate.volumeId === file);
  if (volume === undefined) throw refusal(`volume '${file}' does not exist`);
  return { ...drive, size: formatDiskSize(Math.ceil(volume.usedBytes / 1024) * 1024) };
}

/** The images that a start needs, by option; a CD-ROM without medium has none. */
export function getDiskFiles(context: NodeContext, values: VmValues): Record<string, GuestFile> {
  const files: Record<string, GuestFile> = {};
  for (const option of [...driveNames, 'efidisk0']) {
    const value = values[option];
    if (value === undefined) continue;
    const file = parseDrive(option, value)['file'] ?? 'none';
    if (file.includes(':')) files[option] = context.volumes.getFile(file);
  }
  return files;
}

/** Refuses a start without one of its images. */
export async function requireDisks(context: NodeContext, values: VmValues): Promise<void> {
  for (const option of [...driveNames, 'efidisk0']) {
    const file = values[option] === undefined ? 'none' : (parseDrive(option, values[option])['file'] ?? 'none');
    if (file.includes(':')) await context.volumes.requireThere(file);
  }
}

export function listVolumeIds(values: VmValues): string[] {
  return Object.keys(values)
    .filter((option) => isDriveName(option) || /^unused\d+$/.test(option))
    .map((option) => parseDrive(option, values[option] ?? ''))
    .filter((drive) => !isCdrom(drive) && (drive['file'] ?? '').includes(':'))
    .map((drive) => drive['file'] ?? '');
}

/** Refuses a boot order with a device the VM has not. */
export function checkBootOrder(values: VmValues): void {
  const order = /(?:^|,)order=([^,]*)/.exec(values['boot'] ?? '')?.[1];
  for (const device of (order ?? '').split(';').filter((name) => name !== ''))
    if (values[device] === undefined) throw refusal(`invalid bootorder: device '${device}' does not exist'`);
}

/** First disk, first CD-ROM, first network card: what Proxmox writes when a request has no boot order. */
export function getDefaultBoot(values: VmValues): string {
  const drives = driveNames.filter((name) => values[name] !== undefined);
  const isDisc = (name: string): boolean => isCdrom(parseDrive(name, values[name] ?? ''));
  const first = [
    drives.find((name) => !isDisc(name)),
    drives.find(isDisc),
    Array.from({ length: 32 }, (_, index) => `net${index}`).find((name) => values[name] !== undefined),
  ].filter((name) => name !== undefined);
  return first.length === 0 ? '' : `order=${first.join(';')}`;
}

export function getDiskBytes(value: string): number {
  return parseDiskSize(/(?:^|,)size=([^,]+)/.exec(value)?.[1] ?? '0');
}
