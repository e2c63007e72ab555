// Programs of a Debian root tree run without entering it: the tree's own loader starts them with the tree's libraries, so a
// guest needs no mounts and sees the paths that everybody else sees.
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmulatorError } from './error.ts';

const run = promisify(execFile);
const libraryFolders = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/pulseaudio'];

interface ToolCommand {
  readonly file: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How to start a program of the tree, "/usr/bin/qemu-img" for one; "/" is the machine's own tree. */
function getToolCommand(root: string, program: string, argv: readonly string[]): ToolCommand {
  if (root === '/') return { file: program, argv, environment: {} };
  const libraries = libraryFolders.map((folder) => join(root, folder)).join(':');
  return {
    file: join(root, 'lib64/ld-linux-x86-64.so.2'),
    argv: ['--library-path', libraries, '--argv0', program, join(root, program), ...argv],
    // QEMU's accelerators are modules, which it would look for beside the loader.
    environment: { QEMU_MODULE_DIR: join(root, 'usr/lib/x86_64-linux-gnu/qemu') },
  };
}

/** Runs the program to its end and gives its output; its error output is the message when it fails. */
export async function runTool(
  root: string,
  program: string,
  argv: readonly string[],
  workingDirectory?: string,
): Promise<string> {
  const command = getToolCommand(root, program, argv);
  const { stdout } = await run(command.file, [...command.argv], {
    env: { ...command.environment, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    timeout: 60_000,
    ...(workingDirectory === undefined ? {} : { cwd: workingDirectory }),
  });
  return stdout;
}

/** Throws EmulatorError naming what the tree lacks, before a guest has to find out. */
export async function checkToolsRoot(root: string): Promise<void> {
  const needed = {
    'qemu-system-x86': 'usr/bin/qemu-system-x86_64',
    'qemu-utils': 'usr/bin/qemu-img',
    seabios: 'usr/share/seabios/bios-256k.bin',
    'ipxe-qemu': 'usr/lib/ipxe/qemu/efi-virtio.rom',
    ovmf: 'usr/share/OVMF/OVMF_CODE_4M.fd',
  };
  for (const [packageName, path] of Object.entries(needed)) {
    try {
      await access(join(root, path));
    } catch (error) {
      throw new EmulatorError(
        `${join(root, path)} is missing`,
        `install the Debian package ${packageName} in ${root}`,
        error,
      );
    }
  }
}
