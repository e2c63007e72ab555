// VMs of a node: their list, making and destroying them.
import { parameterError, refusal } from '../error.ts';
import { createVm } from '../vm-create.ts';
import { destroyVm } from '../vm-destroy.ts';
import { anyUser, flag, getVmId, isSet, node, onVm, storage, vmid, type Call, type Route } from '../route.ts';
import type { Parameter, ParameterSchema } from '../schema-check.ts';
import { namedFormats } from '../property-formats.ts';
import { vmOptions, getVmOption } from '../vm-options.ts';
import type { VmValues } from '../vm-config-file.ts';
import { getRunningDetails, getVmStatus } from '../vm-status.ts';

/** Every VM option as an optional parameter. */
export const optionParameters: ParameterSchema = Object.fromEntries(
  Object.entries(vmOptions).map(([name, option]): [string, Parameter] => [name, { ...option, optional: true }]),
);

/** The options among the parameters of a call. */
export function pickOptions(parameters: Readonly<Record<string, string>>): VmValues {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => getVmOption(name) !== undefined));
}

export function requireRootForSkipLock({ caller, parameters }: Call): boolean {
  const isSkipped = isSet(parameters, 'skiplock');
  if (isSkipped && caller.user !== 'root@pam') throw parameterError({ skiplock: 'Only root may use this option.' });
  return isSkipped;
}

async function listVms({ context, caller, parameters }: Call): Promise<unknown> {
  const rows: unknown[] = [];
  for (const [vmId, name] of await context.files.listVms()) {
    if (name !== context.host.name || !caller.privileges.has(`/vms/${vmId}`, 'VM.Audit')) continue;
    const { config } = await context.files.readVm(name, vmId);
    const details = isSet(parameters, 'full') ? await getRunningDetails(context, vmId) : {};
    rows.push({ ...(await getVmStatus(context, vmId, config)), ...details });
  }
  return rows;
}

async function create({ context, caller, parameters }: Call): Promise<string> {
  if (parameters['archive'] !== undefined) throw refusal('restoring from an archive is not emulated');
  if (isSet(parameters, 'ha-managed')) {
    caller.privileges.require('/', ['Sys.Console']);
    throw refusal('HA resources are not emulated');
  }
  const { storage: defaultStorage, pool } = parameters;
  if (defaultStorage !== undefined)
    caller.privileges.require(`/storage/${defaultStorage}`, ['Datastore.AllocateSpace']);
  return createVm(context, caller, {
    vmId: getVmId(parameters),
    values: pickOptions(parameters),
    ...(pool === undefined ? {} : { pool }),
    isStarted: isSet(parameters, 'start'),
  });
}

export const vmRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes/{node}/qemu',
    parameters: { node, full: flag },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    isProtected: true,
    answer: listVms,
  },
  {
    method: 'POST',
    path: '/nodes/{node}/qemu',
    parameters: {
      ...optionParameters,
      node,
      vmid,
      archive: { type: 'string', optional: true, maxLength: 255 },
      bwlimit: { type: 'integer', optional: true, minimum: 0 },
      force: { type: 'boolean', optional: true, requires: 'archive' },
      'ha-managed': flag,
      'import-working-storage': { ...storage, optional: true },
      'live-restore': flag,
      pool: { type: 'string', optional: true, check: namedFormats.poolId },
      start: flag,
      storage: { ...storage, optional: true },
      unique: { type: 'boolean', optional: true, requires: 'archive' },
    },
    permission: anyUser,
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer: create,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}',
    parameters: { node, vmid },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    answer: async () => ['config', 'pending', 'status', 'resize', 'snapshot', 'agent'].map((subdir) => ({ subdir })),
  },
  {
    method: 'DELETE',
    path: '/nodes/{node}/qemu/{vmid}',
    parameters: { node, vmid, 'destroy-unreferenced-disks': flag, purge: flag, skiplock: flag },
    permission: onVm('VM.Allocate'),
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer: (call) =>
      destroyVm(call.context, call.caller, {
        vmId: getVmId(call.parameters),
        isLockSkipped: requireRootForSkipLock(call),
        isUnreferencedToo: isSet(call.parameters, 'destroy-unreferenced-disks'),
        isPurged: isSet(call.parameters, 'purge'),
      }),
  },
];
