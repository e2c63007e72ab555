// The one way a VM is changed: in its queue, after a look at its mark, repeated where that is safe, and never blindly.
import type { LabId, VmId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { isEditConflict, isLockTimeout } from './answer.ts';
import type { ProxmoxCall } from './call.ts';
import type { GuestRow } from './calls/cluster.ts';
import { type Attempt, type ProxmoxConnection, backOffMs } from './connection.ts';
import { type OwnVm, fetchGuest, fetchOwnVm, fetchRunningTasks } from './find-vm.ts';
import { type TaskProgress, type TaskResult, followTask } from './task.ts';
import { type Upid, isConsole } from './upid.ts';

/** Which VM, and whose it has to be. */
export interface VmTarget {
  readonly vmId: VmId;
  readonly lab: LabId;
}

export interface ChangeOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TaskProgress) => void;
  /** For each task of the change. */
  readonly timeoutMs?: number;
}

export interface ChangeResult {
  /** 'unchanged': it was already so. */
  readonly outcome: 'changed' | 'unchanged';
  readonly warnings: readonly string[];
}

/** A change as its parts; which of them run, and how often, is decided in applyChange. */
export interface Change {
  /** For messages: "start of node101 (VM 101)". */
  readonly name: string;
  readonly timeoutMs: number;
  /** Queues beside the VM's own. */
  readonly queues?: readonly string[];
  /** True when there is nothing (more) to do. Without it the change is never sent twice after an uncertain answer. */
  readonly isDone?: (vm: OwnVm | undefined) => boolean | Promise<boolean>;
  readonly send: (vm: OwnVm | undefined) => ProxmoxCall<Upid | null>;
}

//            ┌──────────────────────── again: lock timeout, edit conflict, uncertain answer ───────────────────────┐
//            ▼                                                                                                      │
//   [queue] ─► follow what runs on the VM ─► read mark ─► isDone? ── no ─► send ─► task? ── follow ─► OK / failed ──┘
//                                    not ours: LW2008       └ yes: unchanged                  └─► changed
/** Throws what followTask and request throw, and LW2008 for a VM that is not ours. */
export async function applyChange(
  connection: ProxmoxConnection,
  target: VmTarget,
  change: Change,
  options: ChangeOptions,
): Promise<ChangeResult> {
  const keys = [vmQueue(target.vmId), ...(change.queues ?? [])];
  return await connection.queues.run(keys, options.signal, async () => {
    let sent = false;
    for (let count = 0; ; count += 1) {
      await settle(connection, target, change, options);
      const vm = await fetchOwnVm(connection, target, options.signal);
      if (await change.isDone?.(vm)) return { outcome: sent ? 'changed' : 'unchanged', warnings: [] };
      const attempt = await carryOut(connection, change, vm, options);
      if (attempt.kind === 'done') return { outcome: 'changed', warnings: attempt.value.warnings };
      sent = true;
      const pauseMs = backOffMs[count];
      if (pauseMs === undefined || !mayGoOn(change, attempt)) throw attempt.error;
      connection.log.info('a change of a VM is tried again', {
        change: change.name,
        reason: attempt.error.why ?? attempt.error.message,
      });
      await connection.clock.sleep(pauseMs, options.signal);
    }
  });
}

const vmQueue = (vmId: VmId): string => `vm/${vmId}`;

/**
 * Waits for whatever runs on the VM, so that a run after a crash joins its predecessor's task. Its failure is not ours.
 * While Proxmox makes a VM its configuration holds only "lock: create" and no mark yet, so that is waited for as well.
 */
async function settle(
  connection: ProxmoxConnection,
  target: VmTarget,
  change: Change,
  options: ChangeOptions,
): Promise<void> {
  const { vmId } = target;
  const { clock } = connection;
  const deadline = clock.monotonic() + halfMadeMs;
  for (;;) {
    const guest = await fetchGuest(connection, vmId, options.signal);
    if (guest === undefined || guest.type !== 'qemu') return;
    await followRunning(connection, target, guest, change, options);
    if (guest.lock !== 'create') return;
    if (clock.monotonic() >= deadline) throw halfMade(vmId, guest.node);
    await clock.sleep(halfMadePollMs, options.signal);
  }
}

/** No task is seen that makes it: too old for the list, or hidden from this login. */
const halfMadeMs = 60_000;
const halfMadePollMs = 1_000;

function halfMade(vmId: VmId, host: string): LabwrightError {
  return new LabwrightError('LW2006', {
    what: `VM ${vmId} on ${host} has been half made for ${halfMadeMs / 1000} s`,
    where: { host, vm: String(vmId) },
    why: 'its configuration still says "lock: create", as when a host went down in the middle of a creation',
    fix: [`if nothing creates it any more: qm unlock ${vmId} && qm destroy ${vmId} on ${host}, then run this again`],
  });
}

async function followRunning(
  connection: ProxmoxConnection,
  target: VmTarget,
  { node, lock }: GuestRow,
  change: Change,
  options: ChangeOptions,
): Promise<void> {
  const { vmId } = target;
  const running = await fetchRunningTasks(connection, { node, vmid: vmId }, options.signal);
  const tasks = running.filter((upid) => !isConsole(upid));
  // Nobody should wait an hour for the backup of a VM only to hear that it is not ours.
  if (tasks.length > 0 && lock !== 'create') await fetchOwnVm(connection, target, options.signal);
  for (const upid of tasks) {
    try {
      await followTask(connection, upid, {
        ...followOptions(change, options),
        awaited: `task ${upid.type} that already runs on VM ${vmId}`,
      });
    } catch (error) {
      if (!(error instanceof LabwrightError) || error.code !== 'LW2005') throw error;
      connection.log.info('a task that already ran on a VM failed', { task: upid.text, reason: error.why ?? '' });
    }
  }
}

async function carryOut(
  connection: ProxmoxConnection,
  change: Change,
  vm: OwnVm | undefined,
  options: ChangeOptions,
): Promise<Attempt<Pick<TaskResult, 'warnings'>>> {
  const sent = await connection.attempt(change.send(vm), options.signal);
  if (sent.kind === 'failed') return { ...sent, outcome: refine(sent.error, sent.outcome) };
  if (sent.value === null) return { kind: 'done', value: { warnings: [] } };
  try {
    const awaited = vm === undefined ? change.name : `${change.name} on ${vm.node}`;
    return {
      kind: 'done',
      value: await followTask(connection, sent.value, { ...followOptions(change, options), awaited }),
    };
  } catch (error) {
    if (!(error instanceof LabwrightError) || error.code !== 'LW2005') throw error;
    return { kind: 'failed', error, outcome: refine(error, 'final') };
  }
}

function followOptions(change: Change, options: ChangeOptions): Parameters<typeof followTask>[2] {
  return {
    signal: options.signal,
    awaited: change.name,
    timeoutMs: options.timeoutMs ?? change.timeoutMs,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  };
}

type Outcome = Extract<Attempt<unknown>, { kind: 'failed' }>['outcome'];

function refine({ why = '' }: LabwrightError, outcome: Outcome): Outcome {
  if (isLockTimeout(why) || isEditConflict(why)) return 'passing';
  // Somebody was first, maybe a request of ours whose answer got lost: the next look tells whose it is.
  if (/(VM|CT) \d+ already (exists|running)/.test(why)) return 'uncertain';
  return outcome;
}

/** A failed lock is tried again; an uncertain answer only where a look at the VM tells whether the change was made. */
function mayGoOn(change: Change, { outcome }: { readonly outcome: Outcome }): boolean {
  return outcome === 'passing' || (outcome === 'uncertain' && change.isDone !== undefined);
}

/** For a change that needs the VM to be there. */
export function present(vm: OwnVm | undefined, target: VmTarget): OwnVm {
  if (vm !== undefined) return vm;
  throw new LabwrightError('LW2004', {
    what: `there is no VM ${target.vmId} on any host`,
    where: { vm: String(target.vmId) },
    why: 'it was removed, or never created',
    fix: ['labwright plan shows what is missing, labwright up creates it'],
  });
}
