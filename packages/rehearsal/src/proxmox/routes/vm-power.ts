// Power of a VM: its state, and the tasks that change it.
import { refusal } from '../error.ts';
import { parsePropertyString } from '../property-string.ts';
import { agentFormat, machineFormat } from '../property-formats.ts';
import {
  anyUser,
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
import type { Parameter, ParameterSchema } from '../schema-check.ts';
import type { TaskLog } from '../task.ts';
import * as power from '../vm-power.ts';
import { getRunningDetails, getVmStatus } from '../vm-status.ts';
import { requireRootForSkipLock } from './vm.ts';

interface PowerCall {
  readonly vmId: number;
  readonly options: power.PowerOptions;
}

function readPowerCall(call: Call): PowerCall {
  const timeoutSeconds = getNumber(call.parameters, 'timeout');
  const isLockSkipped = requireRootForSkipLock(call);
  return {
    vmId: getVmId(call.parameters),
    options: { isLockSkipped, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) },
  };
}

/** Refuses what a client is told at once; the work itself is a task. */
async function startTask(
  call: Call,
  type: string,
  work: (vm: PowerCall, log: TaskLog) => Promise<void>,
): Promise<string> {
  const { context, caller } = call;
  const vm = readPowerCall(call);
  await context.files.readVm(context.host.name, vm.vmId);
  return context.tasks.start({ type, id: String(vm.vmId), user: caller.user }, (log) => work(vm, log));
}

async function requireRunning({ context, parameters }: Call): Promise<void> {
  const vmId = getVmId(parameters);
  await context.files.readVm(context.host.name, vmId);
  if (!(await power.isRunning(context, vmId))) throw refusal(`VM ${vmId} not running`);
}

async function isPaused({ context, parameters }: Call): Promise<boolean> {
  const vmId = getVmId(parameters);
  return (await power.isRunning(context, vmId)) && (await context.guests.getRunState(vmId)) === 'paused';
}

async function readCurrent({ context, parameters }: Call): Promise<unknown> {
  const vmId = getVmId(parameters);
  const { config } = await context.files.readVm(context.host.name, vmId);
  const agent = parsePropertyString(agentFormat, config.values['agent'] ?? '0');
  return {
    ...(await getVmStatus(context, vmId, config)),
    ...(await getRunningDetails(context, vmId)),
    ha: { managed: 0 },
    ...(agent.ok && agent.properties['enabled'] === '1' ? { agent: 1 } : {}),
  };
}

async function shutdown(call: Call): Promise<string> {
  const isForced = isSet(call.parameters, 'forceStop');
  let way: 'powerdown' | 'quit' = 'powerdown';
  if (await isPaused(call)) {
    if (!isForced) throw refusal('VM is paused - cannot shutdown');
    way = 'quit';
  }
  return startTask(call, 'qmshutdown', (vm, log) =>
    power.stopVm(call.context, vm.vmId, { ...vm.options, way, isForced }, log),
  );
}

const timeout: Parameter = { type: 'integer', optional: true, minimum: 0 };

function powerRoute(action: string, parameters: ParameterSchema, answer: (call: Call) => Promise<string>): Route {
  return {
    method: 'POST',
    path: `/nodes/{node}/qemu/{vmid}/status/${action}`,
    parameters: { node, vmid, ...parameters },
    permission: onVm('VM.PowerMgmt'),
    returns: 'string',
    isProxied: true,
    isProtected: true,
    answer,
  };
}

export const vmPowerRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}/status',
    parameters: { node, vmid },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    answer: async () =>
      ['current', 'start', 'stop', 'reset', 'shutdown', 'suspend', 'reboot'].map((subdir) => ({ subdir })),
  },
  {
    method: 'GET',
    path: '/nodes/{node}/qemu/{vmid}/status/current',
    parameters: { node, vmid },
    permission: onVm('VM.Audit'),
    returns: 'object',
    isProxied: true,
    isProtected: true,
    answer: readCurrent,
  },
  powerRoute(
    'start',
    {
      'force-cpu': { type: 'string', optional: true },
      machine: { type: 'string', optional: true, properties: machineFormat },
      migratedfrom: { ...node, optional: true },
      migration_network: { type: 'string', optional: true },
      migration_type: { type: 'string', optional: true, enum: ['secure', 'insecure'] },
      'nets-host-mtu': { type: 'string', optional: true, pattern: /^net\d+=\d+(?:,net\d+=\d+)*$/ },
      skiplock: flag,
      stateuri: { type: 'string', optional: true, maxLength: 128 },
      targetstorage: { type: 'string', optional: true },
      timeout,
      'with-conntrack-state': flag,
    },
    (call) => startTask(call, 'qmstart', (vm, log) => power.startVm(call.context, vm.vmId, vm.options, log)),
  ),
  powerRoute(
    'stop',
    { keepActive: flag, migratedfrom: { ...node, optional: true }, 'overrule-shutdown': flag, skiplock: flag, timeout },
    (call) =>
      startTask(call, 'qmstop', (vm, log) =>
        power.stopVm(call.context, vm.vmId, { ...vm.options, way: 'quit', isForced: true }, log),
      ),
  ),
  powerRoute('shutdown', { forceStop: flag, keepActive: flag, skiplock: flag, timeout }, shutdown),
  powerRoute('reboot', { timeout }, async (call) => {
    await requireRunning(call);
    if (await isPaused(call)) throw refusal('VM is paused - cannot shutdown');
    return startTask(call, 'qmreboot', (vm, log) => power.rebootVm(call.context, vm.vmId, vm.options, log));
  }),
  powerRoute('reset', { skiplock: flag }, async (call) => {
    await requireRunning(call);
    return startTask(call, 'qmreset', (vm) => power.resetVm(call.context, vm.vmId, vm.options));
  }),
  powerRoute(
    'suspend',
    { skiplock: flag, statestorage: { ...storage, optional: true, requires: 'todisk' }, todisk: flag },
    async (call) => {
      await requireRunning(call);
      if (isSet(call.parameters, 'todisk')) throw refusal('suspending to disk is not emulated');
      return startTask(call, 'qmpause', (vm) => power.pauseVm(call.context, vm.vmId, vm.options));
    },
  ),
  powerRoute('resume', { nocheck: flag, skiplock: flag }, async (call) => {
    await requireRunning(call);
    return startTask(call, 'qmresume', (vm) => power.resumeVm(call.context, vm.vmId, vm.options));
  }),
];
