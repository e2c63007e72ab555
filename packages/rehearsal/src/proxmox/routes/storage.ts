// Storages of a node and what lies in them.
import { refusal } from '../error.ts';
import type { NodeContext } from '../node-context.ts';
import { parseNameList } from '../vm-update.ts';
import { anyUser, flag, getNumber, isSet, node, storage, type Call, type Permission, type Route } from '../route.ts';
import { parseDiskSize } from '../property-string.ts';
import type { StorageTopology } from '../topology.ts';

const gibibyte = 1024 ** 3;
const see: Permission = {
  kind: 'privilege',
  path: '/storage/{storage}',
  privileges: ['Datastore.Audit', 'Datastore.AllocateSpace'],
  any: true,
};

async function describeStorage(
  context: NodeContext,
  { id, type, content, totalGiB }: StorageTopology,
): Promise<Record<string, unknown>> {
  const isActive = await context.volumes.isActive(id);
  const total = isActive ? totalGiB * gibibyte : 0;
  const used = isActive ? await context.volumes.getUsedBytes(id) : 0;
  const active = isActive ? 1 : 0;
  return { type, content: content.join(','), active, enabled: 1, shared: 0, total, used, avail: total - used };
}

async function listStorages({ context, caller, parameters }: Call): Promise<unknown> {
  const wanted = parseNameList(parameters['content']);
  const rows: unknown[] = [];
  for (const candidate of context.topology.storages) {
    const path = `/storage/${candidate.id}`;
    if (!caller.privileges.has(path, 'Datastore.Audit') && !caller.privileges.has(path, 'Datastore.AllocateSpace'))
      continue;
    if (parameters['storage'] !== undefined && parameters['storage'] !== candidate.id) continue;
    if (wanted.length > 0 && !candidate.content.some((content) => wanted.includes(content))) continue;
    const row = await describeStorage(context, candidate);
    const formats = candidate.type === 'dir' ? ['raw', 'qcow2', 'vmdk'] : ['raw'];
    rows.push({
      storage: candidate.id,
      ...row,
      used_fraction: Number(row['used']) / Number(row['total']),
      ...(isSet(parameters, 'format') ? { formats: { default: 'raw', supported: formats } } : {}),
    });
  }
  return rows;
}

async function listContent({ context, caller, parameters }: Call): Promise<unknown> {
  const storageId = parameters['storage'] ?? '';
  const { content: kept, type } = context.volumes.getStorage(storageId);
  // Only the thin pool itself is activated; a volume group that is away has no volumes, and that is no error.
  if (type === 'lvmthin' && !(await context.volumes.isActive(storageId)))
    throw refusal(`no such logical volume pve/${storageId}`);
  const volumes = await context.volumes.list(storageId);
  const onStorage = (privilege: string): boolean => caller.privileges.has(`/storage/${storageId}`, privilege);
  // What the caller may not see is left out without a word, and so is what the storage is not for.
  const isSeen = (vmId: number | undefined): boolean =>
    vmId === undefined ||
    onStorage('Datastore.Allocate') ||
    (onStorage('Datastore.Audit') && caller.privileges.has(`/vms/${vmId}`, 'VM.Config.Disk'));
  const sizes = await readConfiguredSizes(context);
  return volumes
    .filter((volume) => kept.includes(volume.content))
    .filter((volume) => parameters['content'] === undefined || volume.content === parameters['content'])
    .filter((volume) => parameters['vmid'] === undefined || volume.vmId === Number(parameters['vmid']))
    .filter((volume) => isSeen(volume.vmId))
    .map((volume) => ({
      volid: volume.volumeId,
      content: volume.content,
      format: volume.format,
      size: sizes.get(volume.volumeId) ?? volume.usedBytes,
      used: volume.usedBytes,
      ctime: volume.changedAtSeconds,
      ...(volume.vmId === undefined ? {} : { vmid: volume.vmId }),
    }));
}

/** The size a disk shows is in its VM's configuration; the image file is sparse. */
async function readConfiguredSizes(context: NodeContext): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const [vmId, name] of await context.files.listVms()) {
    if (name !== context.host.name) continue;
    const { config } = await context.files.readVm(name, vmId);
    for (const value of Object.values(config.values)) {
      const match = /^([^,]+:[^,]+),(?:.*,)?size=(\d+[KMGT]?)/.exec(value);
      if (match !== null) sizes.set(match[1] ?? '', parseDiskSize(match[2] ?? ''));
    }
  }
  return sizes;
}

async function deleteVolume({ context, caller, parameters }: Call): Promise<string | null> {
  const given = parameters['volume'] ?? '';
  const volumeId = given.includes(':') ? given : `${parameters['storage']}:${given}`;
  caller.privileges.require(`/storage/${volumeId.split(':')[0]}`, ['Datastore.AllocateSpace']);
  context.volumes.getFile(volumeId);
  const delay = getNumber(parameters, 'delay');
  const upid = await context.tasks.start(
    { type: 'imgdel', id: volumeId.replaceAll(/[:/]/g, '-'), user: caller.user },
    async (log) => {
      const volumes = await context.volumes.list(volumeId.split(':')[0] ?? '');
      if (!volumes.some((volume) => volume.volumeId === volumeId)) throw refusal(`volume '${volumeId}' does not exist`);
      await context.volumes.free(volumeId);
      log.line(`Removed volume '${volumeId}'`);
    },
  );
  if (delay === undefined) return upid;
  for (let waited = 0; waited < delay; waited += 1) {
    const record = await context.tasks.find(upid);
    if (record?.status === 'OK') return null;
    if (record?.status !== undefined) throw refusal(record.status);
    await context.clock.wait(1);
  }
  return upid;
}

export const storageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/storage',
    parameters: {
      type: {
        type: 'string',
        optional: true,
        enum: [
          'btrfs',
          'cephfs',
          'cifs',
          'dir',
          'esxi',
          'iscsi',
          'iscsidirect',
          'lvm',
          'lvmthin',
          'nfs',
          'pbs',
          'rbd',
          'zfs',
          'zfspool',
        ],
      },
    },
    permission: anyUser,
    returns: 'array',
    answer: async ({ context, caller, parameters }) =>
      context.topology.storages
        .filter(
          ({ id, type }) =>
            (parameters['type'] ?? type) === type && caller.privileges.has(`/storage/${id}`, 'Datastore.Audit'),
        )
        .map(({ id, type, content }) => ({ storage: id, type, content: content.join(',') })),
  },
  {
    method: 'GET',
    path: '/nodes/{node}/storage',
    parameters: {
      node,
      content: { type: 'string', optional: true },
      enabled: flag,
      format: flag,
      storage: { ...storage, optional: true },
      target: { ...node, optional: true },
    },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    isProtected: true,
    answer: listStorages,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/storage/{storage}/status',
    parameters: { node, storage },
    permission: see,
    returns: 'object',
    isProxied: true,
    isProtected: true,
    answer: async ({ context, parameters }) =>
      describeStorage(context, context.volumes.getStorage(parameters['storage'] ?? '')),
  },
  {
    method: 'GET',
    path: '/nodes/{node}/storage/{storage}/content',
    parameters: {
      node,
      storage,
      content: { type: 'string', optional: true },
      vmid: { type: 'integer', optional: true, minimum: 100, maximum: 999_999_999 },
    },
    permission: see,
    returns: 'array',
    isProxied: true,
    isProtected: true,
    answer: listContent,
  },
  {
    method: 'DELETE',
    path: '/nodes/{node}/storage/{storage}/content/{volume}',
    parameters: {
      node,
      storage: { ...storage, optional: true },
      volume: { type: 'string' },
      delay: { type: 'integer', optional: true, minimum: 1, maximum: 30 },
    },
    permission: anyUser,
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer: deleteVolume,
  },
];
