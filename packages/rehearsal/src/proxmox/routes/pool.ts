// Resource pools.
import { refusal } from '../error.ts';
import { namedFormats } from '../property-formats.ts';
import { anyUser, type Call, type Permission, type Route } from '../route.ts';
import type { Parameter } from '../schema-check.ts';

const poolid: Parameter = { type: 'string', check: namedFormats.poolId };
const type: Parameter = { type: 'string', optional: true, enum: ['qemu', 'lxc', 'storage'] };
const allocate: Permission = { kind: 'privilege', path: '/pool/{poolid}', privileges: ['Pool.Allocate'] };

async function describeMembers({ context }: Call, vms: readonly number[]): Promise<unknown[]> {
  const nodes = await context.files.listVms();
  return vms.flatMap((vmid) => {
    const node = nodes.get(vmid);
    return node === undefined ? [] : [{ id: `qemu/${vmid}`, type: 'qemu', vmid, node }];
  });
}

async function listPools(call: Call): Promise<unknown> {
  const { context, caller, parameters } = call;
  const { pools } = await context.access.readUsers();
  const wanted = parameters['poolid'];
  if (wanted !== undefined) {
    caller.privileges.require(`/pool/${wanted}`, ['Pool.Audit']);
    const pool = pools[wanted];
    if (pool === undefined) throw refusal(`pool '${wanted}' does not exist`);
    return [{ poolid: wanted, comment: pool.comment, members: await describeMembers(call, pool.vms) }];
  }
  return Object.entries(pools)
    .filter(([id]) => caller.privileges.has(`/pool/${id}`, 'Pool.Audit'))
    .map(([id, pool]) => ({ poolid: id, ...(pool.comment === '' ? {} : { comment: pool.comment }) }));
}

export const poolRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/pools',
    parameters: { poolid: { ...poolid, optional: true }, type: { ...type, requires: 'poolid' } },
    permission: anyUser,
    returns: 'array',
    answer: listPools,
  },
  {
    method: 'POST',
    path: '/pools',
    parameters: { poolid, comment: { type: 'string', optional: true } },
    permission: allocate,
    returns: 'null',
    isProtected: true,
    answer: async ({ context, parameters }) => {
      const { poolid: id = '', comment = '' } = parameters;
      await context.access.changeUsers((users) => {
        if (users.pools[id] !== undefined) throw refusal(`create pool failed: pool '${id}' already exists`);
        users.pools[id] = { comment, vms: [], storages: [] };
      });
      return null;
    },
  },
  {
    method: 'GET',
    path: '/pools/{poolid}',
    parameters: { poolid, type },
    permission: { kind: 'privilege', path: '/pool/{poolid}', privileges: ['Pool.Audit'] },
    returns: 'object',
    answer: async (call) => {
      const id = call.parameters['poolid'] ?? '';
      const pool = (await call.context.access.readUsers()).pools[id];
      if (pool === undefined) throw refusal(`pool '${id}' does not exist`);
      return { comment: pool.comment, members: await describeMembers(call, pool.vms) };
    },
  },
  {
    method: 'DELETE',
    path: '/pools',
    parameters: { poolid },
    permission: allocate,
    returns: 'null',
    isProtected: true,
    answer: async ({ context, parameters }) => {
      const id = parameters['poolid'] ?? '';
      await context.access.changeUsers((users) => {
        const pool = users.pools[id];
        if (pool === undefined) throw refusal(`delete pool failed: pool '${id}' does not exist`);
        if (pool.vms.length > 0)
          throw refusal(`delete pool failed: pool '${id}' is not empty (contains VMs: ${pool.vms.join(',')})`);
        delete users.pools[id];
      });
      return null;
    },
  },
];
