// Volumes of one host: how a volume ID names an image, where the image lies, and which names are free.
//
//   local:101/vm-101-disk-0.qcow2      dir       images/local/101/vm-101-disk-0.qcow2
//   local:iso/debian.iso               dir       images/local/template/iso/debian.iso
//   local-lvm:vm-101-disk-0            lvmthin   images/local-lvm/vm-101-disk-0          (and lvm)
import type { Stats } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissingFile, refusal } from './error.ts';
import type { GuestFile } from './guest.ts';
import type { HostLocks } from './lock.ts';
import { storageLockPath } from './lock.ts';
import type { StorageTopology } from './topology.ts';

interface StoredVolume {
  readonly volumeId: string;
  readonly content: 'images' | 'iso';
  readonly format: 'raw' | 'qcow2' | 'iso';
  readonly vmId?: number;
  readonly usedBytes: number;
  readonly changedAtSeconds: number;
}

export interface Volumes {
  /** Refuses an unknown storage as Proxmox does. */
  getStorage(id: string): StorageTopology;
  getFile(volumeId: string): GuestFile;
  /** The name of a new image of the VM and where it will lie; `create` makes it, under the storage's lock. */
  allocate(
    request: { readonly storage: string; readonly vmId: number; readonly format: string | undefined },
    create: (file: GuestFile) => Promise<void>,
  ): Promise<string>;
  free(volumeId: string): Promise<void>;
  /** As a start activates a volume: refuses with the storage's own words when it is not there. */
  requireThere(volumeId: string): Promise<void>;
  list(storage: string): Promise<StoredVolume[]>;
  /** LVM whose folder is away is LVM whose disk is away; a directory is made again when it is missing. */
  isActive(storage: string): Promise<boolean>;
  getUsedBytes(storage: string): Promise<number>;
}

const lockWaitSeconds = 10;

export function makeVolumes(directory: string, storages: readonly StorageTopology[], locks: HostLocks): Volumes {
  function getStorage(id: string): StorageTopology {
    const storage = storages.find((candidate) => candidate.id === id);
    if (storage === undefined) throw refusal(`storage '${id}' does not exist`);
    return storage;
  }

  function parseVolumeId(volumeId: string): { readonly storage: StorageTopology; readonly name: string } {
    const separator = volumeId.indexOf(':');
    if (separator < 1) throw refusal(`unable to parse volume ID '${volumeId}'`);
    const storage = getStorage(volumeId.slice(0, separator));
    const name = volumeId.slice(separator + 1);
    const isImage = /^(?:[1-9]\d+\/)?(?:vm|base)-[1-9]\d+-[a-zA-Z0-9._-]+$/.test(name) && storageHolds(storage, name);
    const isIso = storage.type === 'dir' && /^iso\/[^/\s]+\.(?:iso|img)$/i.test(name) && !name.includes('..');
    if (!isImage && !isIso)
      throw refusal(`unable to parse ${storage.type === 'dir' ? 'directory' : 'lvm'} volume name '${name}'`);
    return { storage, name };
  }

  const storageHolds = (storage: StorageTopology, name: string): boolean =>
    storage.type === 'dir' ? /^[1-9]\d+\//.test(name) : !name.includes('/');

  function getFile(volumeId: string): GuestFile {
    const { storage, name } = parseVolumeId(volumeId);
    const path = join(directory, storage.id, name.startsWith('iso/') ? join('template', name) : name);
    return { path, format: name.endsWith('.qcow2') ? 'qcow2' : 'raw' };
  }

  async function listImageNames(storage: StorageTopology, vmId: number): Promise<string[]> {
    const folder = join(directory, storage.id, storage.type === 'dir' ? String(vmId) : '');
    return readFolder(folder);
  }

  async function list(storageId: string): Promise<StoredVolume[]> {
    const storage = getStorage(storageId);
    const names: string[] = [];
    for (const entry of await readFolder(join(directory, storage.id))) {
      if (storage.type !== 'dir') names.push(entry);
      else if (/^[1-9]\d+$/.test(entry))
        for (const image of await listImageNames(storage, Number(entry))) names.push(`${entry}/${image}`);
    }
    if (storage.type === 'dir')
      for (const iso of await readFolder(join(directory, storage.id, 'template', 'iso'))) names.push(`iso/${iso}`);
    const volumes: StoredVolume[] = [];
    for (const name of names) {
      const volumeId = `${storage.id}:${name}`;
      const { path, format } = getFile(volumeId);
      const information = await statIfThere(path);
      if (information === undefined) continue;
      const vmId = /(?:vm|base)-(\d+)-/.exec(name)?.[1];
      volumes.push({
        volumeId,
        content: name.startsWith('iso/') ? 'iso' : 'images',
        format: name.startsWith('iso/') ? 'iso' : format,
        ...(vmId === undefined ? {} : { vmId: Number(vmId) }),
        usedBytes: information.blocks * 512,
        changedAtSeconds: Math.floor(information.ctimeMs / 1000),
      });
    }
    return volumes;
  }

  return {
    getStorage,
    getFile,
    list,
    requireThere: async (volumeId) => {
      if ((await statIfThere(getFile(volumeId).path)) !== undefined) return;
      const { storage, name } = parseVolumeId(volumeId);
      if (storage.type === 'dir') throw refusal(`volume '${volumeId}' does not exist`);
      throw refusal(`no such logical volume pve/${name}`);
    },
    isActive: async (storageId) => {
      const { id, type } = getStorage(storageId);
      return type === 'dir' || (await statIfThere(join(directory, id))) !== undefined;
    },
    allocate: async ({ storage: storageId, vmId, format }, create) => {
      const storage = getStorage(storageId);
      if (!storage.content.includes('images'))
        throw refusal(`storage '${storageId}' does not support content-type 'images'`);
      const chosen = format ?? 'raw';
      if (chosen !== 'raw' && (storage.type !== 'dir' || chosen !== 'qcow2'))
        throw refusal(`unsupported format '${chosen}'`);
      return locks.hold(storageLockPath(storageId), lockWaitSeconds, async () => {
        const taken = await listImageNames(storage, vmId);
        const isTaken = (index: number): boolean =>
          taken.some((name) => new RegExp(`-disk-${index}(?:\\.|$)`).test(name) && name.includes(`vm-${vmId}-`));
        let index = 0;
        while (isTaken(index)) index += 1;
        const base = `vm-${vmId}-disk-${index}`;
        const name = storage.type === 'dir' ? `${vmId}/${base}.${chosen}` : base;
        const volumeId = `${storageId}:${name}`;
        await create(getFile(volumeId));
        return volumeId;
      });
    },
    free: (volumeId) =>
      locks.hold(storageLockPath(parseVolumeId(volumeId).storage.id), lockWaitSeconds, async () => {
        await rm(getFile(volumeId).path, { force: true });
      }),
    getUsedBytes: async (storageId) => (await list(storageId)).reduce((sum, volume) => sum + volume.usedBytes, 0),
  };
}

async function readFolder(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isMissingFile(error) || (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')) return [];
    throw error;
  }
}

export async function makeImageFolders(directory: string, storages: readonly StorageTopology[]): Promise<void> {
  for (const storage of storages) await mkdir(join(directory, storage.id), { recursive: true });
}

/** A volume may be removed between the list and the look. */
async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}
