// GRUB for both kinds of firmware, linked when the image is built, so that a machine only copies it to fixed places of its disk.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invariant } from '@labwright/core/errors/error';
import { runFromRoot } from './foreign-program.ts';

export interface BootLoaderParts {
  /** The first 440 bytes of the disk: GRUB's boot.img, looking for core.img at coreSector. */
  readonly bootSector: Uint8Array;
  /** For the BIOS boot partition, which starts at coreSector. */
  readonly core: Uint8Array;
  /** The beginning of the EFI system partition; what is after it does not matter. */
  readonly esp: Uint8Array;
}

/** Where guest/initramfs/install.sh puts the BIOS boot partition (2 of the table). */
const coreSector = 2048;
const sectorBytes = 512;
/** 64 MiB, as install.sh makes the EFI system partition: enough clusters that every firmware takes it for FAT32. */
const espKiB = 65_536;
/** On the disk GRUB was started from, whichever number the firmware gave it: the root is partition 4. */
const prefix = '(,gpt4)/boot/grub';
const modules = [
  'part_gpt',
  'ext2',
  'normal',
  'configfile',
  'linux',
  'echo',
  'test',
  'minicmd',
  'halt',
  'reboot',
  'ls',
  'cat',
];

/**
 * GRUB reads ext4 without its journal, so after a power cut it may miss what Linux would find. A BIOS then tries its next
 * choice, the network, where our initramfs replays the journal and starts what is installed. UEFI firmware takes a loader that
 * ends for one that succeeded and stops at its menu (UEFI 2.10 §3.1.1), so there the machine starts over. GRUB reads these lines
 * before it knows `if`: a line that fails is passed over.
 */
const earlyConfig = (otherwise: readonly string[]): string =>
  [
    'configfile $prefix/grub.cfg',
    'echo "Labwright: no system could be started from this disk."',
    ...otherwise,
    '',
  ].join('\n');

const targets = [
  { format: 'i386-pc', modules: ['biosdisk'], otherwise: ['exit'] },
  { format: 'x86_64-efi', modules: ['efi_gop', 'sleep'], otherwise: ['sleep 10', 'reboot'] },
] as const;

/** `boot` is the unpacked boot packages. */
export async function buildBootLoaders(boot: string, signal: AbortSignal): Promise<BootLoaderParts> {
  const folder = await mkdtemp(join(tmpdir(), 'labwright-boot-'));
  try {
    for (const target of targets) await makeImage(boot, target, folder, signal);
    const bootImage = await readFile(join(boot, 'usr/lib/grub/i386-pc/boot.img'));
    return {
      bootSector: patchBootSector(bootImage),
      core: patchCore(await readFile(join(folder, 'i386-pc'))),
      esp: await makeEsp(boot, join(folder, 'x86_64-efi'), join(folder, 'esp.img'), signal),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The image gets the format's name. */
async function makeImage(
  boot: string,
  { format, modules: extraModules, otherwise }: (typeof targets)[number],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const library = join(boot, 'usr/lib/grub', format);
  const config = join(folder, `${format}.cfg`);
  await writeFile(config, earlyConfig(otherwise));
  const options = ['-O', format, '-d', library, '-p', prefix, '-c', config, '-o', join(folder, format)];
  await runFromRoot(boot, '/usr/bin/grub-mkimage', [...options, ...modules, ...extraModules], signal);
}

/**
 * boot.img with the place of core.img (GRUB 2.06, include/grub/i386/pc/boot.h):
 *
 *     0x5c  sector of core.img, 64 bit little endian
 *     0x64  BIOS drive to load it from; 0xff: the one the BIOS booted
 *     0x66  a jump that trusts the BIOS's drive number; replaced by nothing, as grub-install does for hard disks
 */
export function patchBootSector(image: Uint8Array): Uint8Array {
  invariant(image.length === sectorBytes, 'GRUB boot.img is one sector');
  const patched = new Uint8Array(image);
  new DataView(patched.buffer).setBigUint64(0x5c, BigInt(coreSector), true);
  patched[0x64] = 0xff;
  patched[0x66] = 0x90;
  patched[0x67] = 0x90;
  return patched.slice(0, 440);
}

/**
 * core.img with the place of its own rest: the last 12 bytes of its first sector are the list of blocks to load,
 * which ends (begins) at its highest address with sector (64 bit), count (16 bit, filled in by grub-mkimage), segment (16 bit).
 */
export function patchCore(core: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(core.length / sectorBytes) * sectorBytes);
  padded.set(core);
  const view = new DataView(padded.buffer);
  view.setBigUint64(sectorBytes - 12, BigInt(coreSector + 1), true);
  view.setUint16(sectorBytes - 4, padded.length / sectorBytes - 1, true);
  return padded;
}

async function makeEsp(boot: string, efi: string, file: string, signal: AbortSignal): Promise<Uint8Array> {
  await runFromRoot(
    boot,
    '/sbin/mkfs.fat',
    ['-C', '-F', '32', '-s', '1', '-n', 'LABWRIGHT', '--invariant', file, String(espKiB)],
    signal,
  );
  await runFromRoot(boot, '/usr/bin/mmd', ['-i', file, '::/EFI', '::/EFI/BOOT'], signal);
  await runFromRoot(boot, '/usr/bin/mcopy', ['-i', file, efi, '::/EFI/BOOT/BOOTX64.EFI'], signal);
  return trimZeros(await readFile(file));
}

/** Without the zeros at the end, in whole sectors: FAT allocates from the front, so the rest is free clusters. */
function trimZeros(image: Uint8Array): Uint8Array {
  let end = image.length;
  while (end > 0 && image[end - 1] === 0) end--;
  return image.subarray(0, Math.ceil(end / sectorBytes) * sectorBytes);
}
