// A VM's configuration: read as it is or as it will be, and changed at once or by a task.
import { refusal } from '../error.ts';
import type { NodeContext } from '../node-context.ts';
import {
  configIdList,
  digest,
  flag,
  getNumber,
  getVmId,
  isSet,
  node,
  onVm,
  storage,
  vmid,
  type Call,
  type Route,
} from '../route.ts';
import type { ParameterSchema } from '../schema-check.ts';
import { getVmOption, driveNames } from '../vm-options.ts';
import type { VmConfig, VmValues } from '../vm-config-file.ts';
import { checkUpdate, parseNameList, resizeDisk, updateVm, type UpdateRequest } from '../vm-update.ts';
import { isRunning } from '../vm-power.ts';
import { optionParameters, pickOptions, requireRootForSkipLock } from './vm.ts';

/** The plain values as JSON has them: integers and booleans as numbers, the password hidden. */
function formatValues(values: VmValues): Record<string, unknown> {
  const rows = Object.entries(values).map(([name, value]): [string, unknown] => {
    if (name === 'cipassword') return [name, '**********'];
    const type = getVmOption(name)?.type;
    return [name, type === 'integer' || type === 'boolean' || type === 'number' ? Number(value) : value];
  });
  return Object.fromEntries(rows);
}

function applyToCopy(config: VmConfig): VmValues {
  const values = { ...config.values, ...config.pending };
  for (const name of Object.keys(config.pendingDelete)) delete values[name];
  return values;
}

async function readConfig({ context, parameters }: Call): Promise<unknown> {
  const { config, digest } = await context.files.readVm(context.host.name, getVmId(parameters));
  const snapshot = parameters['snapshot'];
  if (snapshot !== undefined) {
    const values = config.snapshots[snapshot];
    if (values === undefined) throw refusal(`snapshot '${snapshot}' does not exist`);
    return { ...formatValues(values), digest };
  }
  return { ...formatValues(isSet(parameters, 'current') ? config.values : applyToCopy(config)), digest };
}

async function readPending({ context, parameters }: Call): Promise<unknown> {
  const { config } = await context.files.readVm(context.host.name, getVmId(parameters));
  const hidden = (name: string, value: string): string => (name === 'cipassword' ? '**********' : value);
  const names = new Set([...Object.keys(config.values), ...Object.keys(config.pending)]);
  return [...names].sort().map((key) => {
    const [value, pending, deleted] = [config.values[key], config.pending[key], config.pendingDelete[key]];
    return {
      key,
      ...(value === undefined ? {} : { value: hidden(key, value) }),
      ...(pending === undefined ? {} : { pending: hidden(key, pending) }),
      ...(deleted === undefined ? {} : { delete: deleted.force ? 2 : 1 }),
    };
  });
}

function makeUpdate(call: Call): UpdateRequest {
  const { parameters } = call;
  const given = parameters['digest'];
  return {
    vmId: getVmId(parameters),
    values: pickOptions(parameters),
    delete: parseNameList(parameters['delete']),
    revert: parseNameList(parameters['revert']),
    ...(given === undefined ? {} : { digest: given }),
    isForced: isSet(parameters, 'force'),
    isLockSkipped: requireRootForSkipLock(call),
  };
}

/** Locked and missing VMs and wrong digests are refused before a task is made. */
async function checkBefore(context: NodeContext, request: UpdateRequest): Promise<void> {
  const { config, digest } = await context.files.readVm(context.host.name, request.vmId);
  if (request.digest !== undefined && request.digest !== digest)
    throw refusal('checksum mismatch (file change by other user?)');
  const lock = config.values['lock'];
  if (lock !== undefined && !request.isLockSkipped) throw refusal(`VM is locked (${lock})`);
}

async function updateAtOnce(call: Call): Promise<null> {
  const request = makeUpdate(call);
  checkUpdate(call.context, call.caller, request);
  await updateVm(
    call.context,
    request,
    () => {},
    () => {},
  );
  return null;
}

async function updateByTask(call: Call): Promise<string | null> {
  const { context, caller } = call;
  const request = makeUpdate(call);
  checkUpdate(context, caller, request);
  await checkBefore(context, request);
  const upid = await context.tasks.start({ type: 'qmconfig', id: String(request.vmId), user: caller.user }, (log) =>
    updateVm(context, request, log.line, log.warn),
  );
  // Asked to wait, Proxmox answers null when the work ended well within the time, and its error when it failed.
  const delay = getNumber(call.parameters, 'background_delay') ?? 0;
  for (let waited = 0; waited < delay; waited += 1) {
    const record = await context.tasks.find(upid);
    if (record?.status === 'OK' || record?.status?.startsWith('WARNINGS') === true) return null;
    if (record?.status !== undefined) throw refusal(record.status);
    await context.clock.wait(1);
  }
  return upid;
}

const changeParameters: ParameterSchema = {
  ...optionParameters,
  node,
  vmid,
  delete: configIdList,
  digest,
  force: { type: 'boolean', optional: true, requires: 'delete' },
  revert: configIdList,
  skiplock: flag,
};

const anyConfigPrivilege = {
  kind: 'privilege',
  path: '/vms/{vmid}',
  privileges: ['Disk', 'CDROM', 'CPU', 'Memory', 'Network', 'HWType', 'Options', 'Cloudinit'].map(
    (name) => `VM.Config.${name}`,
  ),
  any: true,
} as const;

export const vmConfigRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}/config',
    parameters: { node, vmid, current: flag, snapshot: { type: 'string', optional: true, maxLength: 40 } },
    permission: onVm('VM.Audit'),
    returns: 'object',
    isProxied: true,
    answer: readConfig,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}/pending',
    parameters: { node, vmid },
    permission: onVm('VM.Audit'),
    returns: 'array',
    isProxied: true,
    answer: readPending,
  },
  {
    method: 'PUT',
    path: '/nodes/{node}/qemu/{vmid}/config',
    parameters: changeParameters,
    permission: anyConfigPrivilege,
    returns: 'null',
    isProxied: true,
    isProtected: true,
    answer: updateAtOnce,
  },
  {
    method: 'POST',
    path: '/nodes/{node}/qemu/{vmid}/config',
    parameters: {
      ...changeParameters,
      background_delay: { type: 'integer', optional: true, minimum: 1, maximum: 30 },
      'import-working-storage': { ...storage, optional: true },
    },
    permission: anyConfigPrivilege,
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer: updateByTask,
  },
  {
    method: 'PUT',
    path: '/nodes/{node}/qemu/{vmid}/unlink',
    parameters: { node, vmid, force: flag, idlist: { type: 'string' } },
    permission: onVm('VM.Config.Disk'),
    returns: 'null',
    isProxied: true,
    isProtected: true,
    answer: (call) => {
      const parameters: Record<string, string> = { ...call.parameters, delete: call.parameters['idlist'] ?? '' };
      return updateAtOnce({ ...call, parameters });
    },
  },
  {
    method: 'PUT',
    path: '/nodes/{node}/qemu/{vmid}/resize',
    parameters: {
      node,
      vmid,
      digest,
      disk: { type: 'string', enum: [...driveNames, 'efidisk0', 'tpmstate0'] },
      size: { type: 'string', pattern: /^\+?\d+(?:\.\d+)?[KMGT]?$/ },
      skiplock: flag,
    },
    permission: onVm('VM.Config.Disk'),
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer: async (call) => {
      const { context, caller, parameters } = call;
      const isLockSkipped = requireRootForSkipLock(call);
      const request = {
        vmId: getVmId(parameters),
        disk: parameters['disk'] ?? '',
        size: parameters['size'] ?? '',
        isLockSkipped,
      };
      const given = parameters['digest'];
      return context.tasks.start({ type: 'resize', id: String(request.vmId), user: caller.user }, () =>
        resizeDisk(context, { ...request, ...(given === undefined ? {} : { digest: given }) }),
      );
    },
  },
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}/snapshot',
    parameters: { node, vmid },
    permission: onVm('VM.Audit'),
    returns: 'array',
    isProxied: true,
    isProtected: true,
    answer: async ({ context, parameters }) => {
      const vmId = getVmId(parameters);
      const { config, digest } = await context.files.readVm(context.host.name, vmId);
      const running = (await isRunning(context, vmId)) ? 1 : 0;
      const snapshots = Object.entries(config.snapshots).map(([name, values]) => ({
        name,
        description: values['description'] ?? '',
        ...(values['snaptime'] === undefined ? {} : { snaptime: Number(values['snaptime']) }),
      }));
      return [...snapshots, { name: 'current', description: 'You are here!', digest, running }];
    },
  },
];
