// Starting and ending guests, with Proxmox's waits and texts.
//
//   stopped ──start──► running ──shutdown (ACPI, waits)──► stopped
//                         │  ──stop (quit)─────────────►
//                         └──pause / resume / reset──┘     pending changes are applied on the way to stopped and on start
import { refusal } from './error.ts';
import { waitForEnd } from './guest-process.ts';
import { vmLockPath } from './lock.ts';
import type { NodeContext } from './node-context.ts';
import type { TaskLog } from './task.ts';
import { applyPending } from './vm-pending.ts';
import { getDiskFiles, requireDisks } from './vm-disk.ts';
import type { VmConfig } from './vm-config-file.ts';

const lockSeconds = 10;
const defaultTimeoutSeconds = 60;

export interface PowerOptions {
  readonly isLockSkipped?: boolean;
  readonly timeoutSeconds?: number;
}

export function checkLock(vmConfig: VmConfig, isSkipped = false): void {
  const lock = vmConfig.values['lock'];
  if (lock !== undefined && !isSkipped) throw refusal(`VM is locked (${lock})`);
}

async function readConfig(context: NodeContext, vmId: number): Promise<VmConfig> {
  return (await context.files.readVm(context.host.name, vmId)).config;
}

export async function isRunning(context: NodeContext, vmId: number): Promise<boolean> {
  return (await context.guests.getPid(vmId)) !== undefined;
}

export async function startVm(context: NodeContext, vmId: number, options: PowerOptions, log: TaskLog): Promise<void> {
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    const before = await readConfig(context, vmId);
    checkLock(before, options.isLockSkipped);
    if (await isRunning(context, vmId)) throw refusal(`VM ${vmId} already running`);
    const { values } = await applyPending(context, vmId, before);
    if (values['template'] === '1') throw refusal("you can't start a vm if it's a template");
    await context.guests.cleanUp(vmId, values);
    if (values['bios'] === 'ovmf' && values['efidisk0'] === undefined)
      log.warn('no efidisk configured! Using temporary efivars disk.');
    await requireDisks(context, values);
    await context.guests.start({ vmId, values, disks: getDiskFiles(context, values) }, log);
  });
}

export interface StopOptions extends PowerOptions {
  readonly way: 'quit' | 'powerdown';
  readonly isForced?: boolean;
}

export async function stopVm(context: NodeContext, vmId: number, options: StopOptions, log: TaskLog): Promise<void> {
  await context.locks.hold(vmLockPath(vmId), lockSeconds, () => stopLocked(context, vmId, options, log));
}

async function stopLocked(context: NodeContext, vmId: number, options: StopOptions, log: TaskLog): Promise<void> {
  if (!(await isRunning(context, vmId))) return;
  const config = await readConfig(context, vmId);
  checkLock(config, options.isLockSkipped);
  const down = /(?:^|,)down=(\d+)/.exec(config.values['startup'] ?? '')?.[1];
  const isShutdown = options.way === 'powerdown';
  const timeoutSeconds =
    options.timeoutSeconds ?? (isShutdown && down !== undefined ? Number(down) : defaultTimeoutSeconds);
  if (!isShutdown) await context.guests.quit(vmId);
  else if (!context.faults.takeIgnoredPowerDown(vmId)) await context.guests.powerDown(vmId);

  const find = (): Promise<number | undefined> => context.guests.getPid(vmId);
  if (!(await waitForEnd(find, context.clock, context.clock.scaledMs(timeoutSeconds), log.signal))) {
    if (options.isForced !== true) throw refusal('VM quit/powerdown failed - got timeout');
    log.line('VM still running - terminating now with SIGTERM');
    await context.guests.signal(vmId, 'SIGTERM');
    if (await isRunning(context, vmId)) {
      log.line('VM still running - terminating now with SIGKILL');
      await context.guests.signal(vmId, 'SIGKILL');
    }
  }
  await context.guests.cleanUp(vmId, config.values);
  await applyPending(context, vmId, await readConfig(context, vmId));
}

/** A shutdown after which the host starts the guest again, with what was pending. */
export async function rebootVm(context: NodeContext, vmId: number, options: PowerOptions, log: TaskLog): Promise<void> {
  if (!(await isRunning(context, vmId))) return;
  await stopVm(context, vmId, { ...options, way: 'powerdown' }, log);
  await startVm(context, vmId, {}, log);
}

export async function resetVm(context: NodeContext, vmId: number, options: PowerOptions): Promise<void> {
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    checkLock(await readConfig(context, vmId), options.isLockSkipped);
    await context.guests.reset(vmId);
  });
}

export async function pauseVm(context: NodeContext, vmId: number, options: PowerOptions): Promise<void> {
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    checkLock(await readConfig(context, vmId), options.isLockSkipped);
    await context.guests.pause(vmId);
  });
}

export async function resumeVm(context: NodeContext, vmId: number, options: PowerOptions): Promise<void> {
  await context.locks.hold(vmLockPath(vmId), lockSeconds, async () => {
    checkLock(await readConfig(context, vmId), options.isLockSkipped);
    await context.guests.resume(vmId);
  });
}
