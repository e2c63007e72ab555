// What is really on the emulated hosts, read from their files and processes without asking Labwright or the API.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ClusterFixture } from '@labwright/rehearsal/proxmox/cluster-fixture';

interface ConfigFile {
  readonly host: string;
  readonly vmId: number;
  readonly path: string;
}

/** The configuration file of every VM on every host: two of one number would be two. */
export async function listConfigFiles({ topology }: ClusterFixture): Promise<readonly ConfigFile[]> {
  const found: ConfigFile[] = [];
  for (const { name: host } of topology.hosts) {
    const directory = join(topology.stateDirectory, 'pmxcfs/nodes', host, 'qemu-server');
    for (const file of await readdir(directory)) {
      const vmId = Number(/^(\d+)\.conf$/.exec(file)?.[1]);
      if (vmId > 0) found.push({ host, vmId, path: join(directory, file) });
    }
  }
  return found;
}

/** "pve2 local-lvm:vm-101-disk-0" for every image on every host. */
export async function listVolumes({ hosts, topology }: ClusterFixture): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [host, { context }] of hosts) {
    for (const { id } of topology.storages)
      for (const { volumeId } of await context.volumes.list(id)) found.push(`${host} ${volumeId}`);
  }
  return found;
}

/** Every way in which the hosts differ from the lab: machines missing, double, stopped, locked or unmarked; VMs and disks left over. */
export async function findWrongs(cluster: ClusterFixture, blueprint: Blueprint): Promise<readonly string[]> {
  const wrongs: string[] = [];
  const files = await listConfigFiles(cluster);
  const used = new Set<string>();
  for (const machine of blueprint.machines) {
    const own = files.filter((file) => file.vmId === machine.vmId);
    if (own.length !== 1) wrongs.push(`${machine.name} exists ${own.length} times`);
    const running = await listHostsRunning(cluster, machine.vmId);
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
  const volumes = new Set(await listVolumes(cluster));
  for (const volume of volumes.difference(used)) wrongs.push(`${volume} is nobody's`);
  for (const volume of used.difference(volumes)) wrongs.push(`${volume} is missing`);
  return wrongs;
}

async function listHostsRunning(cluster: ClusterFixture, vmId: number): Promise<readonly string[]> {
  const running: string[] = [];
  for (const [host, { context }] of cluster.hosts)
    if ((await context.guests.getPid(vmId)) !== undefined) running.push(host);
  return running;
}

/** Of the mark, written down here a second time. */
function findMissingLines(text: string, { lab }: Blueprint, { name, vmId }: MachineBlueprint): readonly string[] {
  const lines = new Set(text.split('\n'));
  const marked = [`name: ${name}`, `tags: lab-${lab};labwright`, `#lab=${lab}`, `#machine=${name}`, `#vm=${vmId}`];
  return marked.filter((line) => !lines.has(line));
}
