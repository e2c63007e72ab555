// The mark that makes a VM ours: two tags and a block in its description. Anything without both is never changed or removed.
import { type HostName, type LabId, type VmId, labId, parseHostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';

export interface Mark {
  readonly lab: LabId;
  readonly machine: HostName;
  readonly pool: string;
  /** A clone made by hand copies tags and description; its own number tells it apart. */
  readonly vmId: VmId;
  /** The generation the disk should have; raising it has the machine provisioned again. */
  readonly generation: number;
  /** Written as a tag (formatTags), so the block does not have it and parseMark does not give it. */
  readonly replaces?: VmId;
}

const productTag = 'labwright';

const replacesTag = /^replaces-([1-9]\d{2,8})$/;

/**
 * Lower case, which every tag-style keeps. A replacement says in a tag which machine it stands in for, and not in the block:
 * tags are told by every host of the cluster, also those of VMs whose host is down.
 */
export function formatTags(lab: LabId, replaces?: VmId): readonly string[] {
  return [productTag, `lab-${lab}`, ...(replaces === undefined ? [] : [`replaces-${replaces}`])].toSorted();
}

/** The machine that a VM stands in for; undefined for all others. */
export function parseReplaces(tags: readonly string[]): VmId | undefined {
  const [number] = tags.flatMap((tag) => replacesTag.exec(tag)?.[1] ?? []);
  return number === undefined ? undefined : (Number(number) as VmId);
}

// The block in the description, a fenced block so that Proxmox's notes panel shows it as it is:
//
//   **node101** of the lab *home*, pool workers. Made and kept by Labwright.
//
//   ```labwright
//   lab=home
//   machine=node101
//   pool=workers
//   vm=101
//   generation=1
//   ```
const opening = '```labwright';
const closing = '```';

export function formatMark(mark: Mark): string {
  return [
    `**${mark.machine}** of the lab *${mark.lab}*, pool ${mark.pool}. Made and kept by Labwright,`,
    'which knows it by the lines below and leaves alone what does not have them.',
    '',
    opening,
    `lab=${mark.lab}`,
    `machine=${mark.machine}`,
    `pool=${mark.pool}`,
    `vm=${mark.vmId}`,
    `generation=${mark.generation}`,
    closing,
  ].join('\n');
}

/** The mark in a description; undefined when there is none, more than one, or a damaged one. Other text is ignored. */
export function parseMark(description: string): Mark | undefined {
  const lines = description.split(/\r?\n/).map((line) => line.trimEnd());
  const start = lines.indexOf(opening);
  if (start < 0 || lines.indexOf(opening, start + 1) >= 0) return undefined;
  const end = lines.indexOf(closing, start);
  if (end < 0) return undefined;
  const fields = new Map<string, string>();
  for (const line of lines.slice(start + 1, end)) {
    const match = /^([a-z]+)=(\S+)$/.exec(line);
    if (match === null || fields.has(match[1] ?? '')) return undefined;
    fields.set(match[1] ?? '', match[2] ?? '');
  }
  return readFields(fields);
}

function readFields(fields: ReadonlyMap<string, string>): Mark | undefined {
  const [lab, machine, pool, vm, generation] = ['lab', 'machine', 'pool', 'vm', 'generation'].map((key) =>
    fields.get(key),
  );
  const name = parseHostName(machine ?? '');
  if (!isLabId(lab) || name === undefined || pool === undefined || !isCount(vm) || !isCount(generation))
    return undefined;
  return { lab: labId(lab), machine: name, pool, vmId: Number(vm) as VmId, generation: Number(generation) };
}

const isCount = (text: string | undefined): text is string => text !== undefined && /^[1-9]\d{0,8}$/.test(text);
const isLabId = (text: string | undefined): text is string =>
  text !== undefined && parseHostName(text.replace(/\+rehearsal$/, '')) !== undefined;

/** What the question of ownership is decided on. */
export interface Markable {
  readonly vmId: VmId;
  readonly tags: readonly string[];
  readonly description: string;
}

/** Both tags and the description's block must agree with the lab and the VM ID. */
export function isOurs(vm: Markable, lab: LabId): boolean {
  return findForeignReason(vm, lab) === undefined;
}

/** Why a VM is not ours, for the user; undefined when it is. */
export function findForeignReason(vm: Markable, lab: LabId): string | undefined {
  const mark = parseMark(vm.description);
  const missing = formatTags(lab).filter((tag) => !vm.tags.includes(tag));
  if (mark === undefined && missing.length > 0) return 'it does not carry the mark of Labwright';
  if (mark === undefined) return 'its description does not hold the block that Labwright wrote, or holds it damaged';
  if (mark.lab !== lab) return `it belongs to the lab "${mark.lab}", this is "${lab}"`;
  if (mark.vmId !== vm.vmId) return `its mark was made for VM ${mark.vmId}: it looks like a copy of that machine`;
  if (missing.length > 0) return `it does not have the tag ${missing.map((tag) => `"${tag}"`).join(' and ')}`;
  return undefined;
}

/** The refusal to touch what is not ours (LW2008). */
export function notOurs(vm: Markable & { readonly host: string }, lab: LabId): LabwrightError | undefined {
  const why = findForeignReason(vm, lab);
  if (why === undefined) return undefined;
  return new LabwrightError('LW2008', {
    what: `VM ${vm.vmId} on host ${vm.host} is not a machine of the lab "${lab}", so it is left as it is`,
    where: { host: vm.host, vm: String(vm.vmId) },
    why,
    fix: [
      'give the pool another first VM ID in the lab file (pools.NAME.firstVmId)',
      `or, if nobody needs that VM, remove it yourself: qm destroy ${vm.vmId} on ${vm.host}`,
    ],
  });
}
