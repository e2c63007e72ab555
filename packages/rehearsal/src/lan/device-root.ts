// The file system of a device that has one of its own: a Debian tree from the cache, which stays as it is, with a layer of
// changes in memory over it. All processes of the device see the same one, also those started later.
//
//   /run/roots/nas/under    the tree
//   /run/roots/nas/layer    changes
//   /run/roots/nas/tree     both, with /dev, /proc, /run and the binds
import { execFile } from 'node:child_process';
import { lstat, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Device, DeviceRoot } from '../lab/topology.ts';

const run = promisify(execFile);

const placeOf = (name: string): string => `/run/roots/${name}`;

/** Makes it in the mount namespace of the caller. Throws with mount's own words. */
export async function makeDeviceRoot(name: string, root: DeviceRoot): Promise<void> {
  const place = placeOf(name);
  const [under, layer, work, tree] = ['under', 'layer', 'work', 'tree'].map((folder) => join(place, folder)) as [
    string,
    string,
    string,
    string,
  ];
  for (const folder of [under, layer, work, tree]) await mkdir(folder, { recursive: true });
  // A name of ours for the tree: one with a comma or colon in it would be taken apart as options.
  await mount('--bind', root.tree, under);
  await mount('-t', 'overlay', '-o', `lowerdir=${under},upperdir=${layer},workdir=${work}`, name, tree);
  await mount('--rbind', '/dev', join(tree, 'dev'));
  await mount('-t', 'proc', 'proc', join(tree, 'proc'));
  await mount('-t', 'tmpfs', '-o', 'mode=755', name, join(tree, 'run'));
  for (const { from, to } of root.binds) {
    const target = join(tree, to);
    await makeMountPoint(target, (await stat(from)).isDirectory());
    await mount('--bind', from, target);
  }
}

/** A command as the device sees it: when it has a root of its own, inside that and with the device's name as host name. */
export function enterDeviceRoot(device: Pick<Device, 'name' | 'root'>, command: readonly string[]): readonly string[] {
  if (device.root === undefined) return command;
  const tree = join(placeOf(device.name), 'tree');
  return ['unshare', '--uts', 'chroot', tree, 'sh', '-euc', takeName, 'sh', device.name, ...command];
}

const takeName = 'hostname "$1"; shift; exec "$@"';

async function makeMountPoint(target: string, isDirectory: boolean): Promise<void> {
  if (isDirectory) {
    await mkdir(target, { recursive: true });
    return;
  }
  await mkdir(dirname(target), { recursive: true });
  const found = await lstat(target).catch(() => undefined);
  // A link would be followed on this side, to a file of the user's own.
  if (found?.isSymbolicLink() === true) throw new Error(`${target} is a link, and cannot be a place for a file`);
  if (found === undefined) await writeFile(target, '');
}

async function mount(...argv: string[]): Promise<void> {
  await run('mount', argv);
}
