// The drivers an initramfs needs to reach disk and network, with what they depend on, from a root's own kernel.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { ArchiveEntry } from '../cpio.ts';

/** For the disks and network cards of virtual machines and of common computers; a kernel without one of them has it built in or has no use for it. */
const drivers = {
  disk: [
    'virtio_pci',
    'virtio_blk',
    'virtio_scsi',
    'sd_mod',
    'ahci',
    'ata_piix',
    'nvme',
    'ext4',
    'crc32c_generic',
    'crc32c-intel',
    'vmw_pvscsi',
    'mpt3sas',
    'megaraid_sas',
  ],
  network: [
    'virtio_net',
    'e1000',
    'e1000e',
    'igb',
    'igc',
    'ixgbe',
    'i40e',
    'r8169',
    'tg3',
    'bnxt_en',
    'vmxnet3',
    'virtio_rng',
  ],
} as const;

/** The one kernel of a root. */
export async function readKernelVersion(root: string): Promise<string> {
  const versions = await readdir(join(root, 'lib/modules'));
  const [version] = versions;
  if (version === undefined || versions.length > 1) {
    throw new LabwrightError('LW4002', {
      what: `a Debian root has ${versions.length} kernels and should have one`,
      where: { root },
      why: versions.join(', '),
    });
  }
  return version;
}

/** Files for /lib/modules, with indexes for just these modules. */
export async function readKernelModules(
  root: string,
  version: string,
  purpose: readonly (keyof typeof drivers)[],
): Promise<readonly ArchiveEntry[]> {
  const folder = `lib/modules/${version}`;
  const read = async (name: string): Promise<string> => await readFile(join(root, folder, name), 'utf8');
  const dependencies = parseDependencies(await read('modules.dep'));
  const wanted = selectModules(
    dependencies,
    purpose.flatMap((name) => drivers[name]),
  );
  const names = new Set(wanted.map(moduleName));
  const aliases = (await read('modules.alias'))
    .split('\n')
    .filter((line) => names.has(normalName(line.split(' ')[2] ?? '')));
  const lines = wanted.map((path) => `${path}: ${(dependencies.get(path) ?? []).join(' ')}`.trimEnd());
  const text = (name: string, content: readonly string[]): ArchiveEntry => ({
    kind: 'file',
    path: `${folder}/${name}`,
    mode: 0o644,
    content: new TextEncoder().encode(`${content.join('\n')}\n`),
  });
  const modules = await Promise.all(
    wanted.map(async (path): Promise<ArchiveEntry> => ({
      kind: 'file',
      path: `${folder}/${path}`,
      mode: 0o644,
      content: await readFile(join(root, folder, path)),
    })),
  );
  return [...modules, text('modules.dep', lines), text('modules.alias', aliases)];
}

/** modules.dep: one module a line, with everything it needs after the colon. */
export function parseDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text.split('\n').flatMap((line): [string, readonly string[]][] => {
      const colon = line.indexOf(':');
      return colon < 0
        ? []
        : [
            [
              line.slice(0, colon),
              line
                .slice(colon + 1)
                .trim()
                .split(' ')
                .filter((word) => word !== ''),
            ],
          ];
    }),
  );
}

/** Paths of the named modules and all they need, sorted; names the kernel does not have as modules are left out. */
export function selectModules(
  dependencies: ReadonlyMap<string, readonly string[]>,
  names: readonly string[],
): readonly string[] {
  const wanted = new Set(names.map(normalName));
  const direct = [...dependencies.keys()].filter((path) => wanted.has(moduleName(path)));
  return [...new Set(direct.flatMap((path) => [path, ...(dependencies.get(path) ?? [])]))].sort();
}

function moduleName(path: string): string {
  return normalName(path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.\w+)?$/, ''));
}

/** The kernel takes dashes and underscores in module names for the same. */
function normalName(name: string): string {
  return name.replaceAll('-', '_');
}
