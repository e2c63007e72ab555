// The disks of a guest on QEMU's command line, on the controllers Proxmox gives them.
import type { GuestFile } from './guest.ts';
import { readProperties } from './property-string.ts';
import { driveNames, getVmOption } from './vm-options.ts';
import type { VmValues } from './vm-config-file.ts';

export function formatDisks(
  values: VmValues,
  files: Readonly<Record<string, GuestFile>>,
  bootIndex: ReadonlyMap<string, number>,
): string[] {
  const argv: string[] = [];
  const controllers = new Set<string>();
  const controllerOnce = (id: string, device: string): void => {
    if (!controllers.has(id)) argv.push('-device', `${device},id=${id}`);
    controllers.add(id);
  };
  for (const name of driveNames) {
    if (values[name] === undefined) continue;
    const drive = readProperties(getVmOption(name)?.properties, values[name]);
    const isCdrom = drive['media'] === 'cdrom';
    const file = files[name];
    // Unsafe is against a power cut of the user's computer only, and spares it every fsync: what a guest has flushed is in the
    // computer's page cache, so a killed QEMU, which is a guest's power cut, loses nothing of it.
    const backend = [
      ...(file === undefined ? [] : [`file=${file.path}`, `format=${file.format}`]),
      `if=none,id=drive-${name}`,
      ...(isCdrom
        ? ['media=cdrom', 'readonly=on']
        : ['cache=unsafe', `discard=${drive['discard'] === 'on' ? 'unmap' : 'ignore'}`]),
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
      argv.push(
        '-device',
        `scsi-${kind},bus=${controller}.0,channel=0,${place},drive=drive-${name},id=${name}${rotation}${boot}${serial}`,
      );
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
