// Calls about the cluster as a whole: who is in it, what runs where, which ID is free.
import type { HostReport, VmReport } from '../broadcast.ts';
import { parameterError, refusal } from '../error.ts';
import type { NodeContext } from '../node-context.ts';
import { anyUser, vmid, type Call, type Permission, type Route } from '../route.ts';
import { readTaskRows } from './task.ts';

const auditCluster: Permission = { kind: 'privilege', path: '/', privileges: ['Sys.Audit'] };
const mebibyte = 1024 * 1024;

async function listStatus({ context }: Call): Promise<unknown> {
  const { hosts, cluster } = context.topology;
  const online = await Promise.all(hosts.map(({ name }) => isOnline(context, name)));
  const rows = hosts.map((host, index) => ({
    type: 'node',
    id: `node/${host.name}`,
    name: host.name,
    nodeid: index + 1,
    ip: host.address,
    online: online[index] === true ? 1 : 0,
    local: host.name === context.host.name ? 1 : 0,
    level: '',
  }));
  if (hosts.length === 1) return rows.map((row) => ({ ...row, nodeid: 0 }));
  const isQuorate = online.filter(Boolean).length * 2 > hosts.length;
  const row = {
    type: 'cluster',
    id: 'cluster',
    name: cluster,
    nodes: hosts.length,
    quorate: isQuorate ? 1 : 0,
    version: hosts.length,
  };
  return [row, ...rows];
}

async function isOnline(context: NodeContext, name: string): Promise<boolean> {
  return name === context.host.name || context.broadcast.isOnline(name);
}

async function getNextId({ context, parameters }: Call): Promise<number> {
  const vms = await context.files.listVms();
  const wanted = parameters['vmid'];
  if (wanted !== undefined) {
    if (vms.has(Number(wanted))) throw parameterError({ vmid: `VM ${wanted} already exists` });
    return Number(wanted);
  }
  for (let candidate = 100; candidate < 1_000_000; candidate += 1) if (!vms.has(candidate)) return candidate;
  throw refusal('unable to get any free VMID in range [100, 1000000]');
}

async function listResources({ context, caller, parameters }: Call): Promise<unknown> {
  const { type } = parameters;
  const reports = new Map<string, HostReport | undefined>();
  for (const { name } of context.topology.hosts)
    reports.set(name, (await isOnline(context, name)) ? await context.broadcast.readReport(name) : undefined);
  const rows: Record<string, unknown>[] = [];
  const users = await context.access.readUsers();
  if (type === undefined || type === 'vm') {
    for (const [vmId, node] of await context.files.listVms()) {
      if (!caller.privileges.has(`/vms/${vmId}`, 'VM.Audit')) continue;
      const { config } = await context.files.readVm(node, vmId).catch(() => ({ config: undefined }));
      if (config === undefined) continue;
      const pool = Object.entries(users.pools).find(([, members]) => members.vms.includes(vmId))?.[0];
      rows.push({
        ...formatVm(vmId, node, reports.get(node)?.vms[vmId]),
        ...(config.values['lock'] === undefined ? {} : { lock: config.values['lock'] }),
        ...(config.values['tags'] === undefined ? {} : { tags: config.values['tags'] }),
        ...(pool !== undefined && caller.privileges.has(`/pool/${pool}`, 'Pool.Audit') ? { pool } : {}),
      });
    }
  }
  if (type === undefined || type === 'node') {
    for (const { name } of context.topology.hosts) {
      const row = await formatNode(context, name, reports.get(name));
      rows.push(
        caller.privileges.has(`/nodes/${name}`, 'Sys.Audit')
          ? row
          : { id: row['id'], type: 'node', node: name, status: row['status'] },
      );
    }
  }
  if (type === undefined || type === 'storage') {
    for (const storage of context.topology.storages) {
      if (!caller.privileges.has(`/storage/${storage.id}`, 'Datastore.Audit')) continue;
      for (const { name } of context.topology.hosts) {
        const use = reports.get(name)?.storages[storage.id];
        rows.push({
          id: `storage/${name}/${storage.id}`,
          type: 'storage',
          storage: storage.id,
          node: name,
          plugintype: storage.type,
          content: storage.content.join(','),
          shared: 0,
          status: use === undefined ? 'unknown' : 'available',
          ...(use === undefined ? {} : { disk: use.usedBytes, maxdisk: use.totalBytes }),
        });
      }
    }
  }
  return rows;
}

/** Without a report of its host a VM is only an ID on a node. */
function formatVm(vmId: number, node: string, report: VmReport | undefined): Record<string, unknown> {
  const row = { id: `qemu/${vmId}`, type: 'qemu', vmid: vmId, node };
  if (report === undefined) return { ...row, status: 'unknown', template: 0 };
  return {
    ...row,
    name: report.name,
    status: report.status,
    template: report.isTemplate ? 1 : 0,
    maxcpu: report.cpus,
    maxmem: report.maxMemoryBytes,
    mem: report.memoryBytes,
    maxdisk: report.maxDiskBytes,
    disk: 0,
    cpu: 0,
    uptime: report.uptimeSeconds,
    diskread: 0,
    diskwrite: 0,
    netin: 0,
    netout: 0,
  };
}

/** Lists and resources share this row; a host that is gone has nothing but its name. */
export async function formatNode(
  context: NodeContext,
  name: string,
  report: HostReport | undefined,
): Promise<Record<string, unknown>> {
  const isThere = await isOnline(context, name);
  const row = { id: `node/${name}`, type: 'node', node: name, status: isThere ? 'online' : 'offline', level: '' };
  if (!isThere || report === undefined) return row;
  return {
    ...row,
    maxcpu: report.cpus,
    cpu: 0.01,
    maxmem: report.maxMemoryBytes,
    mem: report.memoryBytes,
    uptime: report.uptimeSeconds,
    disk: 4096 * mebibyte,
    maxdisk: 64 * 1024 * mebibyte,
  };
}

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/cluster/status',
    parameters: {},
    permission: auditCluster,
    returns: 'array',
    isProtected: true,
    answer: listStatus,
  },
  {
    method: 'GET',
    path: '/cluster/nextid',
    parameters: { vmid: { ...vmid, optional: true } },
    permission: anyUser,
    returns: 'integer',
    answer: getNextId,
  },
  {
    method: 'GET',
    path: '/cluster/resources',
    parameters: { type: { type: 'string', optional: true, enum: ['vm', 'storage', 'node', 'sdn'] } },
    permission: anyUser,
    returns: 'array',
    answer: listResources,
  },
  {
    method: 'GET',
    path: '/cluster/tasks',
    parameters: {},
    permission: anyUser,
    returns: 'array',
    answer: async ({ context, caller }) => {
      const rows = await Promise.all(context.topology.hosts.map(({ name }) => readTaskRows(context, name)));
      const isVisible = (row: { readonly node: string; readonly user: string }): boolean =>
        row.user === caller.user ||
        row.user.split('!')[0] === caller.user ||
        caller.privileges.has(`/nodes/${row.node}`, 'Sys.Audit');
      return rows
        .flat()
        .filter(isVisible)
        .sort((left, right) => right.starttime - left.starttime);
    },
  },
  {
    method: 'GET',
    path: '/cluster/options',
    parameters: {},
    permission: anyUser,
    returns: 'object',
    answer: async () => ({ keyboard: 'en-us', mac_prefix: 'BC:24:11' }),
  },
  {
    method: 'GET',
    path: '/cluster/config/nodes',
    parameters: {},
    permission: auditCluster,
    returns: 'array',
    answer: async ({ context }) =>
      context.topology.hosts.map(({ name, address }, index) => ({
        name,
        node: name,
        nodeid: String(index + 1),
        ring0_addr: address,
        quorum_votes: '1',
      })),
  },
  {
    method: 'GET',
    path: '/cluster/ha/resources',
    parameters: { type: { type: 'string', optional: true, enum: ['ct', 'vm'] } },
    permission: auditCluster,
    returns: 'array',
    answer: async () => [],
  },
  {
    method: 'GET',
    path: '/cluster/ha/rules',
    parameters: {
      resource: { type: 'string', optional: true },
      type: { type: 'string', optional: true, enum: ['node-affinity', 'resource-affinity'] },
    },
    permission: auditCluster,
    returns: 'array',
    profiles: ['9.2'],
    answer: async () => [],
  },
  {
    method: 'GET',
    path: '/cluster/ha/groups',
    parameters: {},
    permission: auditCluster,
    returns: 'array',
    answer: async ({ context }) => {
      if (context.topology.profile === '9.2')
        throw refusal('cannot index groups: ha groups have been migrated to rules');
      return [];
    },
  },
];
