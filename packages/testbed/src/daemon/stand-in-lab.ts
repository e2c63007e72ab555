// A whole lab to try Labwright on in seconds: three emulated Proxmox hosts whose guests are played, on a bridge of their own.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { readLab } from '@labwright/core/lab/read-lab';
import {
  fixtureSecret,
  fixtureToken,
  startClusterFixture,
  type ClusterFixture,
} from '@labwright/rehearsal/proxmox/cluster-fixture';
import { makeLan } from '../network/lan.ts';
import { testCacheDirectory } from '../roots.ts';
import { findWrongs, openHostFiles, type HostFiles } from './lab-inspection.ts';
import { makeServeProcesses, type ServeProcesses } from './serve-processes.ts';
import { playMachines, type StandInMachines } from './stand-in-machines.ts';

const run = promisify(execFile);

export interface StandInLab {
  readonly blueprint: Blueprint;
  readonly labFile: string;
  readonly cluster: ClusterFixture;
  readonly machines: StandInMachines;
  readonly processes: ServeProcesses;
  readonly hostFiles: HostFiles;
  /** As findWrongs of lab-inspection.ts. */
  findWrongs(): Promise<readonly string[]>;
  /** The configuration file as it stands on a host. */
  readConfigFile(vmId: number): Promise<string>;
  /** Tasks of this type that were ever started for the VM since the lab was last emptied. */
  countTasks(type: string, vmId: number): Promise<number>;
  /** Removes the store and nothing else. */
  loseStore(): Promise<void>;
  /** Empty hosts and an empty state, as before the first `up`. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

interface StandInLabOptions {
  /** At most ten letters; the testbed's namespace is shared by the tests of one run. */
  readonly bridge: string;
  /** Third byte of 10.88.x.0/24. */
  readonly subnet: number;
  readonly machineCount: number;
}

export async function makeStandInLab(options: StandInLabOptions): Promise<StandInLab> {
  const { bridge, subnet } = options;
  const at = (host: number): string => `10.88.${subnet}.${host}`;
  await makeLan(bridge, `${at(9)}/24`);
  const folder = await mkdtemp(join(tmpdir(), 'lab-'));
  const labFile = join(folder, 'lab.yaml');
  await writeFile(labFile, formatLabFile(options, at));
  const { lab } = await readLab(labFile);
  const blueprint = resolveBlueprint(lab, { rehearsal: true });
  const addresses = blueprint.hosts.map((host) => String(host.address));
  for (const address of [...addresses, ...blueprint.machines.map((machine) => machine.address)])
    await run('ip', ['addr', 'add', `${address}/24`, 'dev', bridge]);

  const cluster = await startClusterFixture({
    hostNames: blueprint.hosts.map((host) => host.name),
    addresses,
    port: blueprint.proxmox.port,
    // Half of Proxmox's own pace: a faster heart is missed for a dead host when this computer is busy.
    topology: { timeScale: 0.5 },
  });
  const stateDirectory = join(folder, 'state');
  const machines = playMachines({ blueprint, cluster, stateDirectory, bootMs: 100 });
  const order = {
    labFile,
    stateDirectory,
    cacheDirectory: testCacheDirectory(),
    socket: join(folder, 'serve.sock'),
    tokenId: fixtureToken,
    tokenSecret: fixtureSecret,
  };
  const processes = makeServeProcesses(order, await makeProgramFolder(folder));

  const hostFiles = openHostFiles(cluster.topology.stateDirectory, [...cluster.hosts.keys()]);
  const listTasks = async () => {
    const lists = await Promise.all([...cluster.hosts.values()].map(({ context }) => context.tasks.list()));
    return lists.flat();
  };
  /** Of before the lab was last emptied; the hosts keep their lists. */
  const oldTasks = new Set<string>();

  return {
    blueprint,
    labFile,
    cluster,
    machines,
    processes,
    hostFiles,
    findWrongs: () => findWrongs(hostFiles, blueprint),
    readConfigFile: async (vmId) => {
      const file = (await hostFiles.listConfigFiles()).find((each) => each.vmId === vmId);
      if (file === undefined) throw new Error(`there is no VM ${vmId}`);
      return readFile(file.path, 'utf8');
    },
    countTasks: async (type, vmId) =>
      (await listTasks()).filter((task) => task.type === type && task.id === String(vmId) && !oldTasks.has(task.upid))
        .length,
    loseStore: async () => {
      for (const name of await readdir(stateDirectory))
        if (name.startsWith('store.')) await rm(join(stateDirectory, name));
    },
    clear: async () => {
      machines.silent.clear();
      for (const [host, { context }] of cluster.hosts) {
        context.faults.remove();
        await cluster.fault(host, { kind: 'host-down' });
        for (const [vmId, node] of await context.files.listVms())
          if (node === host) await context.files.removeVm(host, vmId);
        for (const { id } of cluster.topology.storages)
          for (const { volumeId } of await context.volumes.list(id)) await context.volumes.free(volumeId);
      }
      for (const host of cluster.hosts.keys()) await cluster.fault(host, { kind: 'host-up' });
      await rm(stateDirectory, { recursive: true, force: true });
      for (const { upid } of await listTasks()) oldTasks.add(upid);
    },
    close: async () => {
      await processes.close();
      await machines.close();
      await cluster.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Perl, by which the DHCP socket is bound to its device, and nothing else: where the Debian image is not in the cache a
 * Labwright would begin to build it, and be killed in the middle of that. Machines that are played need no image.
 */
async function makeProgramFolder(folder: string): Promise<string> {
  const programs = join(folder, 'bin');
  await mkdir(programs);
  await symlink('/usr/bin/perl', join(programs, 'perl'));
  return programs;
}

function formatLabFile({ machineCount }: StandInLabOptions, at: (host: number) => string): string {
  return `version: 1
lab: killed
domain: home.arpa
networks:
  lan: { cidr: ${at(0)}/24, gateway: ${at(1)}, bridge: vmbr0, machines: ${at(64)}/28 }
hosts:
  pve1: { address: ${at(11)}, cores: 12, memory: 24GiB }
  pve2: { address: ${at(12)}, cores: 12, memory: 24GiB }
  pve3: { address: ${at(13)}, cores: 12, memory: 24GiB }
proxmox: { token: { env: PROXMOX_TOKEN }, tls: pinned, storage: local-lvm }
netboot: { mode: serve, address: ${at(9)} }
ssh: { user: admin }
pools:
  workers: { firstVmId: 101, count: ${machineCount}, cores: 2, memory: 1GiB, disk: 8GiB, spread: host }
`;
}
