// What each kind of machine step does on the hypervisors. Thin: the plan has decided, the driver knows how.
import { createHash } from 'node:crypto';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { vmId, type HostName, type LabId } from '@labwright/core/addresses/names';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { invariant } from '@labwright/core/errors/error';
import type { Json } from '@labwright/core/plan/step';
import { randomHex, type Random } from '@labwright/core/ports/random';
import { Secret } from '@labwright/core/ports/secret';
import { vmStatusCall } from '@labwright/drivers/proxmox/calls/vm';
import type { ChangeOptions, VmTarget } from '@labwright/drivers/proxmox/change';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { fetchOwnVm } from '@labwright/drivers/proxmox/find-vm';
import {
  createVm,
  destroyVm,
  growDisk,
  shutdownVm,
  startVm,
  stopVm,
  updateVm,
} from '@labwright/drivers/proxmox/lifecycle';
import { parseMark, type Mark } from '@labwright/drivers/proxmox/mark';
import { hasFirmwareVariables } from '@labwright/drivers/proxmox/storage';
import type { NewDisk, SmbiosIdentity, VmSpec } from '@labwright/drivers/proxmox/vm-config';
import { allMachines } from './replacements.ts';
import { formatTaskProgress } from './task-progress.ts';
import type { VmCreateInput, VmInput, VmRediskInput, VmResizeInput, VmUpdateInput, VmWipeInput } from './step-input.ts';

export interface MachineExecutorOptions {
  readonly blueprint: Blueprint;
  readonly connection: ProxmoxConnection;
  readonly random: Random;
  /**
   * Called once a machine is down or about to start: what it said of itself no longer counts. Never for one that goes on
   * running, also when we are killed the moment after: it would be waited for and has nothing more to say.
   */
  readonly outdated: (machine: HostName) => void;
  readonly destroyed: (machine: HostName) => void;
  /** The generation that its next boot is to install. */
  readonly wiped: (machine: HostName, generation: number) => void;
}

/** Runs on any host of the last decade, and lets a machine move between hosts of different age. */
const cpuType = 'x86-64-v2-AES';

export function makeMachineExecutors(options: MachineExecutorOptions): ReadonlyMap<string, Executor> {
  const { blueprint, connection } = options;
  const { lab } = blueprint;
  const target = (input: VmInput) => ({ vmId: vmId(input.vmId), lab });
  const work = <Input>(run: (input: Input, options: ChangeOptions) => Promise<string>): Executor => ({
    nature: 'work',
    run: async (input: Json, context: StepContext) =>
      // A plan is made and checked by this program; its inputs are of the types that stand in step-input.ts.
      await run(input as Input, {
        signal: context.signal,
        onProgress: (progress) => context.progress(formatTaskProgress(progress)),
      }),
  });
  const machineOf = (input: VmInput): MachineBlueprint => {
    const machine = allMachines(blueprint).find((each) => each.vmId === input.vmId);
    invariant(machine !== undefined, `${input.name} is in the blueprint`);
    return machine;
  };
  return new Map<string, Executor>([
    [
      'vm.create',
      work<VmCreateInput>(async (input, change) => {
        const spec = makeVmSpec(lab, machineOf(input), input, options.random);
        const { outcome } = await createVm(connection, spec, input.host, change);
        return outcome === 'changed' ? `created on ${input.host}` : `is on ${input.host} already`;
      }),
    ],
    [
      'vm.start',
      work<VmInput>(async (input, change) => {
        // One that runs already has maybe spoken, and will not do so again.
        if (!(await isRunning(connection, target(input), change.signal))) options.outdated(machineOf(input).name);
        const { outcome } = await startVm(connection, target(input), change);
        return outcome === 'changed' ? 'started' : 'runs already';
      }),
    ],
    [
      'vm.update',
      work<VmUpdateInput>(async (input, change) => {
        const { cores, memoryMiB } = input;
        await updateVm(connection, target(input), { cores, memoryMiB }, change);
        return `has ${cores} cores and ${memoryMiB} MiB from its next start`;
      }),
    ],
    [
      'vm.resize',
      work<VmResizeInput>(async (input, change) => {
        await growDisk(connection, target(input), input.diskGiB, change);
        return `disk is ${input.diskGiB} GiB`;
      }),
    ],
    [
      'vm.cycle',
      work<VmInput>(async (input, change) => {
        await shutdownVm(connection, target(input), change);
        options.outdated(machineOf(input).name);
        await startVm(connection, target(input), change);
        return 'shut down and started';
      }),
    ],
    [
      'vm.shutdown',
      work<VmInput>(async (input, change) => {
        await shutdownVm(connection, target(input), change);
        options.outdated(machineOf(input).name);
        return 'shut down';
      }),
    ],
    [
      'vm.wipe',
      work<VmWipeInput>(async (input, change) => {
        const { name, vmId: id } = machineOf(input);
        options.outdated(name);
        const mark = makeMark(lab, name, input);
        const identity = makeSmbiosIdentity(lab, id, options.random);
        await updateVm(connection, target(input), { mark, identity, bootFirst: 'network' }, change);
        options.wiped(name, input.generation);
        return `will be installed anew as generation ${input.generation}`;
      }),
    ],
    [
      'vm.stop',
      work<VmInput>(async (input, change) => {
        await stopVm(connection, target(input), change);
        options.outdated(machineOf(input).name);
        return 'stopped';
      }),
    ],
    [
      'vm.redisk',
      work<VmRediskInput>(async (input, change) => {
        const { name, vmId: id } = machineOf(input);
        options.outdated(name);
        const { storage, diskGiB, generation } = input;
        const there = await fetchOwnVm(connection, target(input), change.signal);
        // A second time would leave a disk over.
        const isDone = (parseMark(there?.config.description ?? '')?.generation ?? 0) >= generation;
        if (!isDone) {
          const identity = makeSmbiosIdentity(lab, id, options.random);
          const isKept = there === undefined || (await hasFirmwareVariables(connection, there, change.signal));
          const newDisk: NewDisk = { storage, diskGiB, firmwareVariables: isKept ? 'kept' : 'lost' };
          await updateVm(connection, target(input), { mark: makeMark(lab, name, input), identity, newDisk }, change);
        }
        options.wiped(name, generation);
        return `has a disk of ${diskGiB} GiB and will be installed as generation ${generation}`;
      }),
    ],
    [
      'vm.settle',
      work<VmInput>(async (input, change) => {
        await updateVm(connection, target(input), { bootFirst: 'disk' }, change);
        return 'boots from its disk first';
      }),
    ],
    [
      'vm.destroy',
      work<VmInput>(async (input, change) => {
        await destroyVm(connection, target(input), change);
        options.destroyed(input.name as HostName);
        return 'destroyed';
      }),
    ],
  ]);
}

async function isRunning(connection: ProxmoxConnection, target: VmTarget, signal: AbortSignal): Promise<boolean> {
  const vm = await fetchOwnVm(connection, target, signal);
  if (vm === undefined) return false;
  const { status } = await connection.request(vmStatusCall({ node: vm.node, vmid: vm.vmid }), { signal });
  return status === 'running';
}

function makeVmSpec(lab: LabId, machine: MachineBlueprint, input: VmCreateInput, random: Random): VmSpec {
  return {
    mark: makeMark(lab, machine.name, input),
    cores: input.cores,
    memoryMiB: input.memoryMiB,
    cpuType,
    mac: machine.mac,
    bridge: input.bridge,
    ...(input.vlan === null ? {} : { vlan: input.vlan }),
    storage: input.storage,
    diskGiB: input.diskGiB,
    firmware: input.firmware,
    identity: makeSmbiosIdentity(lab, machine.vmId, random),
    startWithHost: true,
    ...(input.startOrder === null ? {} : { startOrder: input.startOrder }),
  };
}

function makeMark(lab: LabId, machine: HostName, input: VmWipeInput): Mark {
  const { pool, generation, replaces } = input;
  const mark = { lab, machine, pool, vmId: vmId(input.vmId), generation };
  return replaces === null ? mark : { ...mark, replaces: vmId(replaces) };
}

/** The UUID follows from lab and VM ID, so a machine made anew is the same to its owner; the key is new every time. */
function makeSmbiosIdentity(lab: LabId, id: number, random: Random): SmbiosIdentity {
  const hex = createHash('sha256').update(`${lab}/${id}`).digest('hex');
  // Version 8: a custom UUID (RFC 9562 §5.8).
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)];
  return { uuid: uuid.join('-'), phoneHomeKey: new Secret(randomHex(random, 32)) };
}
