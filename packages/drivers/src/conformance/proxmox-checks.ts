// Every call that the product makes to Proxmox, as a check: on what is there, and on one VM that the check itself makes.
import { hostName, type LabId, type VmId } from '@labwright/core/addresses/names';
import { mac } from '@labwright/core/addresses/mac';
import { LabwrightError } from '@labwright/core/errors/error';
import { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import { formatRefusal } from '../proxmox/answer.ts';
import type { ProxmoxCall } from '../proxmox/call.ts';
import { permissionsCall, rolesCall } from '../proxmox/calls/access.ts';
import {
  clusterStatusCall,
  disksCall,
  guestsCall,
  hostStatusCall,
  hostsCall,
  storageStatusCall,
  storagesCall,
  versionCall,
} from '../proxmox/calls/cluster.ts';
import { runningTasksCall, taskLogCall, taskStatusCall, tasksCall } from '../proxmox/calls/task.ts';
import * as vm from '../proxmox/calls/vm.ts';
import type { ProxmoxConnection } from '../proxmox/connection.ts';
import { followTask } from '../proxmox/task.ts';
import { type Upid, parseUpid } from '../proxmox/upid.ts';
import type { Check } from './check.ts';
import { type Observation, observeAnswer } from './observation.ts';

export interface ProxmoxSubject {
  readonly connection: ProxmoxConnection;
  /** A host that is up, and a storage for disks there. */
  readonly node: string;
  readonly storage: string;
  /** A VM that is there already; it is read and nothing else. */
  readonly guest?: number;
  /** For the VM that the checks make and remove. Its number is the user's choice, and nothing has it yet. */
  readonly own?: OwnVm;
  /** What the checks themselves have found out so far. */
  readonly found: { upid?: Upid | undefined; digest?: string };
}

export interface OwnVm {
  readonly vmId: VmId;
  readonly lab: LabId;
  readonly bridge: string;
  /** Made for this one run. */
  readonly uuid: string;
}

type ProxmoxCheck = Check<ProxmoxSubject>;

/** Sends the call as the product does, and looks at the whole answer, of which the product reads a part. */
async function observe<Result>(
  subject: ProxmoxSubject,
  call: ProxmoxCall<Result>,
  signal: AbortSignal,
  open: readonly string[] = [],
): Promise<Observation & { readonly value?: unknown }> {
  const attempt = await subject.connection.attempt<unknown>({ ...call, result: z.unknown() }, signal);
  if (attempt.kind === 'done') {
    const isRead = call.result.safeParse(attempt.value).success;
    return { ...observeAnswer(attempt.value, isRead, open), value: attempt.value };
  }
  if (attempt.refusal === undefined) throw attempt.error;
  const message = withoutNames(formatRefusal(attempt.refusal), subject);
  return { kind: 'refusal', status: String(attempt.refusal.status), message };
}

/** Names of one's own lab, and what Perl adds of its own source, differ from place to place. */
function withoutNames(text: string, { node, storage, own, guest }: ProxmoxSubject): string {
  const word = (value: string): RegExp => new RegExp(`\\b${value.replaceAll(/[^\w]/g, '\\$&')}\\b`, 'g');
  let plain = text.replaceAll(/ at \/usr\/[^ ]+ line \d+\.?/g, '').replaceAll(word(node), 'NODE');
  plain = plain.replaceAll(word(storage), 'STORAGE');
  for (const id of [own?.vmId, guest, absentVm]) {
    if (id !== undefined) plain = plain.replaceAll(word(String(id)), 'VMID');
  }
  return plain.trim();
}

/** The highest number there is; nobody has it. */
const absentVm = 999_999_999;

function read(
  name: string,
  call: string,
  make: (subject: ProxmoxSubject) => ProxmoxCall<unknown> | undefined,
  open: readonly string[] = [],
): ProxmoxCheck {
  return {
    appliance: 'proxmox',
    name,
    call,
    kind: 'read',
    run: async (subject, signal) => {
      const made = make(subject);
      if (made === undefined) throw new Error('there is nothing here that it could be asked about');
      const { value, ...seen } = await observe(subject, made, signal, open);
      if (name === 'tasks') subject.found.upid ??= firstUpid(value);
      return seen;
    },
  };
}

function firstUpid(rows: unknown): Upid | undefined {
  const [row] = Array.isArray(rows) ? (rows as readonly { readonly upid?: unknown }[]) : [];
  return typeof row?.upid === 'string' ? parseUpid(row.upid) : undefined;
}

const guestOf = ({ node, guest }: ProxmoxSubject): vm.VmPlace | undefined =>
  guest === undefined ? undefined : { node, vmid: guest };

/** Maps whose keys are paths, privileges, or numbers of devices. */
const reads: readonly ProxmoxCheck[] = [
  read('version', 'GET /version', () => versionCall()),
  read('permissions', 'GET /access/permissions', () => permissionsCall(), ['', '.*']),
  read('roles', 'GET /access/roles', () => rolesCall()),
  read('cluster status', 'GET /cluster/status', () => clusterStatusCall()),
  read('guests', 'GET /cluster/resources', () => guestsCall()),
  read('hosts', 'GET /nodes', () => hostsCall()),
  read('host status', 'GET /nodes/{node}/status', ({ node }) => hostStatusCall(node)),
  read('storages', 'GET /nodes/{node}/storage', ({ node }) => storagesCall(node)),
  read('storage status', 'GET /nodes/{node}/storage/{storage}/status', ({ node, storage }) =>
    storageStatusCall(node, storage),
  ),
  read('disks', 'GET /nodes/{node}/storage/{storage}/content', ({ node, storage, guest }) =>
    disksCall(node, storage, guest ?? absentVm),
  ),
  read('unknown storage', 'GET /nodes/{node}/storage/{storage}/status', ({ node }) =>
    storageStatusCall(node, 'labwright-none'),
  ),
  read('VMs', 'GET /nodes/{node}/qemu', ({ node }) => vm.vmsCall(node)),
  read('VM configuration', 'GET /nodes/{node}/qemu/{vmid}/config', (subject) => {
    const place = guestOf(subject);
    return place === undefined ? undefined : vm.vmConfigCall(place);
  }),
  read('VM status', 'GET /nodes/{node}/qemu/{vmid}/status/current', (subject) => {
    const place = guestOf(subject);
    return place === undefined ? undefined : vm.vmStatusCall(place);
  }),
  read('absent VM configuration', 'GET /nodes/{node}/qemu/{vmid}/config', ({ node }) =>
    vm.vmConfigCall({ node, vmid: absentVm }),
  ),
  read('absent VM status', 'GET /nodes/{node}/qemu/{vmid}/status/current', ({ node }) =>
    vm.vmStatusCall({ node, vmid: absentVm }),
  ),
  read('running tasks', 'GET /nodes/{node}/tasks', ({ node, guest }) => runningTasksCall(node, guest ?? absentVm)),
  read('tasks', 'GET /nodes/{node}/tasks', ({ node, guest }) =>
    tasksCall(node, guest ?? absentVm, { start: 0, limit: 5 }),
  ),
  read('task status', 'GET /nodes/{node}/tasks/{upid}/status', ({ found }) =>
    found.upid === undefined ? undefined : taskStatusCall(found.upid),
  ),
  read('task log', 'GET /nodes/{node}/tasks/{upid}/log', ({ found }) =>
    found.upid === undefined ? undefined : taskLogCall(found.upid, 0, 50),
  ),
];

/** What a write on the VM of the checks is told by: its task's end, or for a guest that hears nothing only the task's kind. */
type Tell = 'end' | 'kind';

function write(
  name: string,
  call: string,
  does: string,
  make: (subject: ProxmoxSubject, own: OwnVm, place: vm.VmPlace) => ProxmoxCall<unknown>,
  { after = 'create', tell = 'end' }: { readonly after?: string | null; readonly tell?: Tell } = {},
): ProxmoxCheck {
  return {
    appliance: 'proxmox',
    name,
    call,
    kind: 'write',
    does,
    ...(after === null ? {} : { after }),
    run: async (subject, signal) => {
      const { own, node } = subject;
      if (own === undefined) throw new Error('no VM ID was given for it: --vm-id NUMBER');
      const { value, ...seen } = await observe(subject, make(subject, own, { node, vmid: own.vmId }), signal);
      const upid = typeof value === 'string' ? parseUpid(value) : undefined;
      if (upid === undefined) return seen;
      const end = await awaitTask(subject, upid, signal);
      return { kind: 'answer', fields: { task: tell === 'kind' ? upid.type : `${upid.type}: ${end}` }, isRead: true };
    },
  };
}

async function awaitTask(subject: ProxmoxSubject, upid: Upid, signal: AbortSignal): Promise<string> {
  try {
    await followTask(subject.connection, upid, { signal, awaited: upid.type, timeoutMs: 120_000 });
    return 'OK';
  } catch (error) {
    if (!(error instanceof LabwrightError) || error.code !== 'LW2005') throw error;
    return withoutNames(error.why ?? '', subject);
  }
}

/** It never boots: its disk is empty, its card has no link, and its firmware finds nothing else. */
function createOwn({ node, storage }: ProxmoxSubject, own: OwnVm): ProxmoxCall<Upid> {
  const machine = hostName('labwright-conformance');
  const call = vm.createVmCall(node, {
    mark: { lab: own.lab, machine, vmId: own.vmId, pool: 'conformance', generation: 1 },
    cores: 1,
    memoryMiB: 256,
    cpuType: 'x86-64-v2-AES',
    mac: mac('02:00:5e:00:53:01'),
    bridge: own.bridge,
    storage,
    diskGiB: 1,
    firmware: 'bios',
    identity: { uuid: own.uuid, phoneHomeKey: new Secret('conformance') },
    startWithHost: false,
  });
  const net0 = `${String(call.parameters['net0'])},link_down=1`;
  return { ...call, parameters: { ...call.parameters, net0 } };
}

/** What Proxmox made of our parameters, text by text; what is random or of the moment is told by its type alone. */
const ownConfiguration: ProxmoxCheck = {
  appliance: 'proxmox',
  name: 'own VM configuration',
  call: 'GET /nodes/{node}/qemu/{vmid}/config',
  kind: 'read',
  after: 'create',
  run: async (subject, signal) => {
    const { own, node, found } = subject;
    const call = vm.vmConfigCall({ node, vmid: own?.vmId ?? absentVm });
    const { value, ...seen } = await observe(subject, call, signal);
    if (seen.kind === 'refusal' || typeof value !== 'object' || value === null) return seen;
    const config = value as Readonly<Record<string, unknown>>;
    if (typeof config['digest'] === 'string') found.digest = config['digest'];
    const random = ['digest', 'meta', 'vmgenid', 'smbios1', 'description', 'tags'];
    const fields = Object.entries(config).map(([name, one]) => [
      name,
      random.includes(name) ? typeof one : `${typeof one} ${withoutNames(String(one), subject)}`,
    ]);
    return { ...seen, fields: Object.fromEntries(fields) as Readonly<Record<string, string>> };
  },
};

const ownStatus: ProxmoxCheck = {
  ...read('own VM status', 'GET /nodes/{node}/qemu/{vmid}/status/current', ({ node, own }) =>
    own === undefined ? undefined : vm.vmStatusCall({ node, vmid: own.vmId }),
  ),
  after: 'create',
};

const power = '/nodes/{node}/qemu/{vmid}/status';
const writes: readonly ProxmoxCheck[] = [
  write('create', 'POST /nodes/{node}/qemu', 'makes a VM with an empty disk of 1 GiB', createOwn, { after: null }),
  write('create again', 'POST /nodes/{node}/qemu', 'asks for the same VM once more, which is refused', createOwn),
  ownConfiguration,
  ownStatus,
  write('change', 'PUT /nodes/{node}/qemu/{vmid}/config', 'gives that VM 2 processors', (subject, _own, place) =>
    vm.updateVmCall(place, { cores: 2 }, subject.found.digest ?? ''),
  ),
  write(
    'change of what moved',
    'PUT /nodes/{node}/qemu/{vmid}/config',
    'changes that VM with a digest that is old by now, which is refused',
    (subject, _own, place) => vm.updateVmCall(place, { cores: 1 }, subject.found.digest ?? ''),
  ),
  write('grow', 'PUT /nodes/{node}/qemu/{vmid}/resize', 'grows its disk to 2 GiB', (_subject, _own, place) =>
    vm.resizeDiskCall(place, 2),
  ),
  write(
    'start',
    `POST ${power}/start`,
    'starts that VM; its disk is empty and its card has no link',
    (_, _own, place) => vm.startVmCall(place),
  ),
  write(
    'destroy while it runs',
    'DELETE /nodes/{node}/qemu/{vmid}',
    'asks for its removal while it runs, which is refused',
    (_subject, _own, place) => vm.destroyVmCall(place),
    { after: 'start' },
  ),
  write('reset', `POST ${power}/reset`, 'presses its reset button', (_subject, _own, place) => vm.resetVmCall(place), {
    after: 'start',
  }),
  write(
    'reboot',
    `POST ${power}/reboot`,
    'asks it to reboot, which nothing in it hears',
    (_subject, _own, place) => vm.rebootVmCall(place, 1),
    { after: 'start', tell: 'kind' },
  ),
  write(
    'shutdown',
    `POST ${power}/shutdown`,
    'asks it to shut down, which nothing in it hears',
    (_, _own, place) => vm.shutdownVmCall(place, 1),
    { after: 'start', tell: 'kind' },
  ),
  write('stop', `POST ${power}/stop`, 'pulls its plug', (_subject, _own, place) => vm.stopVmCall(place), {
    after: 'start',
  }),
  write('destroy', 'DELETE /nodes/{node}/qemu/{vmid}', 'removes that VM and its disk', (_subject, _own, place) =>
    vm.destroyVmCall(place),
  ),
];

export const proxmoxChecks: readonly ProxmoxCheck[] = [...reads, ...writes];

/** Removes the VM of the checks where it is still there: the one that was made here, known by its UUID, and no other. */
export async function removeOwnVm(subject: ProxmoxSubject, signal: AbortSignal): Promise<boolean> {
  const { own, node, connection } = subject;
  if (own === undefined) return false;
  const place = { node, vmid: own.vmId };
  const config = await connection.attempt(vm.vmConfigCall(place), signal);
  if (config.kind === 'failed') {
    if (config.refusal !== undefined) return false;
    throw config.error;
  }
  if (!(config.value['smbios1'] ?? '').includes(own.uuid)) return false;
  for (const call of [vm.stopVmCall(place), vm.destroyVmCall(place)]) {
    await awaitTask(subject, await connection.request(call, { signal }), signal);
  }
  return true;
}
