// The user's seat in the rehearsal: a command with the user's own files and terminal, but on the emulated LAN, with the
// laptop's resolver and an SSH configuration that knows the machines.
import { mkdir, writeFile } from 'node:fs/promises';
import { stubAddress } from '../laptop/resolved.ts';
import { enterDevice } from './namespaces.ts';

export interface LaptopFiles {
  readonly searchDomain: string;
  /** Taken as /etc/ssh/ssh_config.d/labwright.conf. */
  readonly sshConfig: string;
}

export async function writeLaptopFiles(stateDirectory: string, files: LaptopFiles): Promise<void> {
  const directory = `${stateDirectory}/laptop/ssh_config.d`;
  await mkdir(directory, { recursive: true });
  await writeFile(
    `${stateDirectory}/laptop/resolv.conf`,
    `nameserver ${stubAddress}\nsearch ${files.searchDomain}\noptions timeout:2 attempts:2\n`,
  );
  await writeFile(`${directory}/labwright.conf`, files.sshConfig);
}

// The bind mounts live in a mount namespace of this one command. /etc/resolv.conf may be a link into /run, which is empty here.
const seat = `
state=$1 folder=$2; shift 2
target=$(readlink -m /etc/resolv.conf)
[ -e "$target" ] || { mkdir -p "\${target%/*}" && : >"$target"; }
mount --bind "$state/laptop/resolv.conf" "$target"
if [ -d /etc/ssh/ssh_config.d ]; then mount --bind "$state/laptop/ssh_config.d" /etc/ssh/ssh_config.d; fi
cd "$folder" 2>/dev/null || cd /
exec "$@"
`;

/** Arguments of `nsenter` for a command at the laptop's seat. */
export function enterLaptop(
  init: number,
  stateDirectory: string,
  folder: string,
  command: readonly string[],
): readonly string[] {
  // Entering a mount namespace forgets the working folder, so it is named.
  const seated = ['unshare', '--mount', 'sh', '-euc', seat, 'labwright-laptop', stateDirectory, folder, ...command];
  return enterDevice(init, 'laptop', seated);
}
