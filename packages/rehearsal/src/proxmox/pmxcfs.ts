// The cluster file system: files that all hosts see, in Proxmox's own layout, and the rule that a VM ID exists once.
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { isMissingFile, refusal } from './error.ts';
import { formatVmConfig, getDigest, parseVmConfig, type VmConfig } from './vm-config-file.ts';

interface StoredVm {
  readonly config: VmConfig;
  readonly digest: string;
}

export interface ClusterFiles {
  /** The node of every VM of the cluster, also of hosts that are down. */
  listVms(): Promise<ReadonlyMap<number, string>>;
  /** Refuses as Proxmox does when there is no such file on that node. */
  readVm(node: string, vmId: number): Promise<StoredVm>;
  writeVm(node: string, vmId: number, config: VmConfig): Promise<void>;
  /** Makes the file of a new VM; refuses when any host has the ID, however many ask at once. */
  createVm(node: string, vmId: number, config: VmConfig): Promise<void>;
  removeVm(node: string, vmId: number): Promise<void>;
  readText(path: string): Promise<string | undefined>;
  /** Replaces the file at once, so that no reader of another host sees half of it. */
  writeText(path: string, text: string, mode?: number): Promise<void>;
  /** Runs the work alone in the whole cluster. */
  holdClusterLock<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export async function openClusterFiles(
  stateDirectory: string,
  nodes: readonly string[],
  clock: Clock,
): Promise<ClusterFiles> {
  const root = join(stateDirectory, 'pmxcfs');
  const folder = (node: string): string => join('nodes', node, 'qemu-server');
  const file = (node: string, vmId: number): string => join(folder(node), `${vmId}.conf`);
  for (const node of nodes) await mkdir(join(root, folder(node)), { recursive: true });
  for (const name of ['priv', '.locks', '.broadcast']) await mkdir(join(root, name), { recursive: true, mode: 0o700 });
  let writes = 0;

  async function listVms(): Promise<ReadonlyMap<number, string>> {
    const found = new Map<number, string>();
    for (const node of nodes) {
      for (const name of await readdir(join(root, folder(node)))) {
        const match = /^([1-9]\d*)\.conf$/.exec(name);
        if (match !== null) found.set(Number(match[1]), node);
      }
    }
    return new Map([...found].sort(([left], [right]) => left - right));
  }

  async function readText(path: string): Promise<string | undefined> {
    try {
      return await readFile(join(root, path), 'utf8');
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      throw error;
    }
  }

  async function writeText(path: string, text: string, mode = 0o640): Promise<void> {
    writes += 1;
    const temporary = join(root, `${path}.tmp.${process.pid}.${writes}`);
    await writeFile(temporary, text, { mode });
    await rename(temporary, join(root, path));
  }

  async function holdClusterLock<T>(name: string, work: () => Promise<T>): Promise<T> {
    const path = join(root, '.locks', name);
    const deadlineMs = clock.nowMs() + 10_000;
    while (!(await tryLock(path))) {
      if (clock.nowMs() > deadlineMs) throw refusal(`cfs-lock '${name}' error: got lock request timeout`);
      await clock.sleep(5);
    }
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  }

  return {
    listVms,
    readText,
    writeText,
    holdClusterLock,
    readVm: async (node, vmId) => {
      const raw = await readText(file(node, vmId));
      if (raw === undefined) throw refusal(`Configuration file '${file(node, vmId)}' does not exist`);
      return { config: parseVmConfig(raw), digest: getDigest(raw) };
    },
    writeVm: (node, vmId, config) => writeText(file(node, vmId), formatVmConfig(config)),
    createVm: (node, vmId, config) =>
      holdClusterLock(`vm-${vmId}`, async () => {
        const owner = (await listVms()).get(vmId);
        if (owner !== undefined) throw refusal(`VM ${vmId} already exists on node '${owner}'`);
        await writeText(file(node, vmId), formatVmConfig(config));
      }),
    removeVm: (node, vmId) => rm(join(root, file(node, vmId)), { force: true }),
  };
}

/** A lock of a process that is gone is nobody's: emulated hosts get killed in tests. */
async function tryLock(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx', 0o600);
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  try {
    const owner = Number(await readFile(path, 'utf8'));
    if (owner > 0 && !isAlive(owner)) await rm(path, { force: true });
  } catch (error) {
    if (!isMissingFile(error)) throw error;
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
