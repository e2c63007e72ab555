// A QEMU guest with real firmware and nothing on its disk: it boots from the network or not at all.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureDebianImage } from '@labwright/images/debian/debian-image';
import type { BootMachine } from '@labwright/netboot/boot-network';
import { testCacheDirectory, toolsRoot } from '../roots.ts';

export interface FirmwareGuest {
  /** What came out of the serial console so far. */
  readConsole(): Promise<string>;
  /** Cuts its power. */
  stop(): Promise<void>;
}

const run = promisify(execFile);

/** Starts the machine's firmware on the bridge. BIOS is SeaBIOS with the iPXE ROM of QEMU's NIC; UEFI is OVMF without one. */
export async function startFirmwareGuest(options: {
  readonly bridge: string;
  readonly machine: BootMachine;
  readonly folder: string;
}): Promise<FirmwareGuest> {
  const { bridge, machine, folder } = options;
  const root = await toolsRoot();
  const tap = `tap-${machine.name}`;
  await run('ip', ['tuntap', 'add', tap, 'mode', 'tap']);
  await run('ip', ['link', 'set', tap, 'master', bridge, 'up']);
  const console = join(folder, `${machine.name}.console`);
  const variables = join(folder, `${machine.name}.vars`);
  await copyFile(join(root, 'usr/share/OVMF/OVMF_VARS_4M.fd'), variables);
  const flash = '-drive if=pflash,format=raw';
  const code = '/usr/share/OVMF/OVMF_CODE_4M.fd';
  const firmware = machine.firmware === 'uefi' ? [`${flash},readonly=on,file=${code} ${flash},file=${variables}`] : [];
  const rom = machine.firmware === 'uefi' ? ',romfile=' : '';
  const command = [
    'qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 512 -machine q35,graphics=off -display none',
    '-nodefaults -no-reboot -boot n -device virtio-rng-pci',
    `-netdev tap,id=lan,ifname=${tap},script=no,downscript=no`,
    `-device virtio-net-pci,netdev=lan,mac=${machine.mac}${rom}`,
    `-serial file:${console}`,
    ...firmware,
  ].flatMap((words) => words.split(' '));
  // A mount namespace of its own, so that the mounts end with it.
  const enter =
    'root=$1; folder=$2; shift 2; mkdir -p "$root/dev" "$root/proc"; mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mkdir -p "$root$folder"; ' +
    'mount --rbind "$folder" "$root$folder"; exec chroot "$root" "$@"';
  const child = spawn('unshare', ['--mount', 'sh', '-ec', enter, 'sh', root, folder, ...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  return {
    readConsole: () => readFile(console, 'latin1'),
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      await run('ip', ['link', 'del', tap]);
    },
  };
}

/** The kernel that machines boot: that of our own image. */
export async function guestKernel(): Promise<string> {
  const image = await ensureDebianImage({
    cacheDir: testCacheDirectory(),
    signal: new AbortController().signal,
    onProgress: (message) => console.log(message),
  });
  return image.files.kernel.path;
}
