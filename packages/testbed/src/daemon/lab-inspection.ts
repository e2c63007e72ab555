// What is really on the emulated hosts, read from their files and processes without asking Labwright or the API.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { sendControl } from '@labwright/rehearsal/proxmox/cluster-fixture';

interface ConfigFile {
  readonly host: string;
  readonly vmId: number;
  readonly path: string;
}

/** What lies and runs on the emulated hosts. */
export interface HostFiles {
  /** The configuration file of every VM on every host: two of one number would be two. */
  listConfigFiles(): Promise<readonly ConfigFile[]>;
  /** "pve2 local-lvm:vm-101-disk-0" for every image on every host. */
  listVolumes(): Promise<readonly string[]>;
  listHostsRunning(vmId: number): Promise<readonly string[]>;
}

/** A rehearsal's or a fixture's hosts, from the state directory of its emulated Proxmox. */
export function openHostFiles(stateDirectory: string, hosts: readonly string[]): HostFiles {
  const inEach = async <Item>(list: (host: string) => Promise<readonly Item[]>): Promise<readonly Item[]> =>
    (await Promise.all(hosts.map(list))).flat();
  return {
    listConfigFiles: async () =>
      await inEach(async (host) => {
        const folder = join(stateDirectory, 'pmxcfs/nodes', host, 'qemu-server');
        return (await readdir(folder)).flatMap((file) => {
          const vmId = Number(/^(\d+)\.conf$/.exec(file)?.[1]);
          return vmId > 0 ? [{ host, vmId, path: join(folder, file) }] : [];
        });
      }),
    listVolumes: async () =>
      await inEach(async (host) => {
        const images = join(stateDirectory, 'hosts', host, 'images');
        const files = await readdir(images, { withFileTypes: true, recursive: true });
        return files.flatMap((file) => {
          const [storage = '', ...name] = join(file.parentPath, file.name)
            .slice(images.length + 1)
            .split('/');
          return file.isFile() ? [`${host} ${storage}:${name.join('/')}`] : [];
        });
      }),
    listHostsRunning: async (vmId) =>
      await inEach(async (host) => {
        // By the emulator's own door: a rehearsal's processes have other numbers inside than out here.
        const status = (await sendControl(join(stateDirectory, 'hosts', host, 'control.sock'), 'GET', '/status')) as {
          readonly vms: readonly { readonly vmid: number; readonly pid?: number }[];
        };
        return status.vms.some(({ vmid, pid }) => vmid === vmId && pid !== undefined) ? [host] : [];
      }),
  };
}

/** Every way in which the hosts differ from the lab: machines missing, double, stopped, locked or unmarked; VMs and disks left over. */
export async function findWrongs(
  hosts: HostFiles,
  blueprint: Pick<Blueprint, 'lab' | 'machines'>,
): Promise<readonly string[]> {
  const wrongs: string[] = [];
  const files = await hosts.listConfigFiles();
  const used = new Set<string>();
  for (const machine of blueprint.machines) {
    const own = files.filter((file) => file.vmId === machine.vmId);
    if (own.length !== 1) wrongs.push(`${machine.name} exists ${own.length} times`);
    const running = await hosts.listHostsRunning(machine.vmId);
    if (running.join() !== own[0]?.host) wrongs.push(`${machine.name} runs on [${running.join()}]`);
    for (const { host, path } of own) {
      const text = await readFile(path, 'utf8');
      wrongs.push(...findMissingLines(text, blueprint, machine).map((line) => `${machine.name} has no line "${line}"`));
      if (/^lock:/m.test(text)) wrongs.push(`${machine.name} is locked`);
      for (const [, volumeId] of text.matchAll(/^(?:scsi|efidisk)\d+: ([^,\n]+)/gm)) used.add(`${host} ${volumeId}`);
    }
  }
  const wanted = new Set<number>(blueprint.machines.map((machine) => machine.vmId));
  for (const { host, vmId } of files) if (!wanted.has(vmId)) wrongs.push(`VM ${vmId} on ${host} is nobody's`);
  const volumes = new Set(await hosts.listVolumes());
  for (const volume of volumes.difference(used)) wrongs.push(`${volume} is nobody's`);
  for (const volume of used.difference(volumes)) wrongs.push(`${volume} is missing`);
  return wrongs;
}

/** Of the mark, written down here a second time. */
function findMissingLines(
  text: string,
  { lab }: Pick<Blueprint, 'lab'>,
  { name, vmId }: MachineBlueprint,
): readonly string[] {
  const lines = new Set(text.split('\n'));
  const marked = [`name: ${name}`, `tags: lab-${lab};labwright`, `#lab=${lab}`, `#machine=${name}`, `#vm=${vmId}`];
  return marked.filter((line) => !lines.has(line));
}
