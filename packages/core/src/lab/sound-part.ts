// What is left of a lab file to check when some of its values have the wrong form: so that a typo hides nothing else.
import type { LabPath, Problem } from './diagnostic.ts';

/** What zod says about a value, as far as it is needed to work around it. */
export interface ShapeIssue {
  readonly code: string;
  readonly path: LabPath;
  readonly keys?: readonly string[];
}

export interface SoundPart {
  /** The file's value with every broken part left out or replaced by one that no check objects to. */
  readonly value: unknown;
  /** Without what would only be found because of what was left out; paths as they are in the file. */
  keepSound(problems: readonly Problem[]): readonly Problem[];
}

interface Repair {
  /** Keys from the top; "*" is any name. */
  readonly at: string;
  /** What stands in; nothing: the part is left out. */
  readonly put?: (count: number) => unknown;
  /** Where findings are not to be trusted then, beside the broken part itself. */
  readonly hides?: readonly string[];
  /** Without it no machine can be given an address. */
  readonly breaksAddresses?: true;
}

// Not an address anybody has, and another one each time: no check finds it twice.
const someAddress = (count: number): string => `0.0.0.${(count % 250) + 1}`;
// Every address is in it, so nothing is found outside.
const everywhere = '0.0.0.0/0';
const someNetwork = (count: number) => ({ cidr: everywhere, gateway: someAddress(count) });
const someHost = (count: number) => ({ address: someAddress(count), cores: 1024, memory: '16TiB' });

/** More exact places first. A part of the file that is in none of them is left out as a whole. */
const repairs: readonly Repair[] = [
  { at: 'version', put: () => 1 },
  { at: 'lab', put: () => 'lab' },
  { at: 'networks.*.cidr', put: () => everywhere, hides: ['kubernetes'] },
  { at: 'networks.*.gateway', put: someAddress },
  { at: 'networks.*.machines', hides: ['networks'], breaksAddresses: true },
  { at: 'networks.*.*', hides: ['kubernetes', 'exposures'] },
  { at: 'networks.*', put: someNetwork, hides: ['networks', 'exposures'], breaksAddresses: true },
  { at: 'networks', put: (count) => ({ lan: someNetwork(count) }), breaksAddresses: true },
  { at: 'hosts.*.address', put: someAddress },
  { at: 'hosts.*.cores', put: () => 1024 },
  { at: 'hosts.*.memory', put: () => '16TiB' },
  { at: 'hosts.*.*' },
  { at: 'hosts.*', put: someHost },
  { at: 'hosts', put: () => ({}), hides: ['pools.*.hosts'] },
  { at: 'proxmox.storage', hides: ['pools.*.disk'] },
  { at: 'proxmox.storages', hides: ['pools.*.disk'] },
  { at: 'proxmox.*', hides: ['proxmox'] },
  { at: 'proxmox', put: () => ({}), hides: ['pools.*.disk'] },
  { at: 'router.address', put: someAddress },
  { at: 'router.kind', put: () => 'pfsense' },
  { at: 'router.manage', hides: ['router', 'exposures'] },
  { at: 'router.*', hides: ['router.manage'] },
  { at: 'router', hides: ['exposures'] },
  { at: 'nas.*.address', put: someAddress },
  { at: 'nas.*.kind', put: () => 'linux' },
  { at: 'nas.*.*', hides: ['kubernetes', 'services'] },
  { at: 'nas.*', hides: ['kubernetes', 'services'] },
  { at: 'switches.*.ports', put: () => 1 },
  { at: 'switches.*.*' },
  { at: 'switches.*' },
  { at: 'accessPoints.*.address', put: someAddress },
  { at: 'accessPoints.*' },
  { at: 'ups.*.server', put: someAddress },
  { at: 'ups.*.*' },
  { at: 'ups.*' },
  { at: 'services.*', hides: ['kubernetes'] },
  { at: 'services', hides: ['kubernetes'] },
  { at: 'netboot.address', put: someAddress },
  { at: 'netboot.*', hides: ['exposures.nameServer'] },
  { at: 'netboot', put: (count) => ({ address: someAddress(count) }) },
  { at: 'identity.name', put: () => 'vm{vmId}' },
  { at: 'identity.baseVmId', breaksAddresses: true },
  { at: 'identity.*' },
  { at: 'identity', breaksAddresses: true },
  { at: 'ssh.*' },
  { at: 'secrets.*' },
  { at: 'exposures.*' },
  { at: 'kubernetes', hides: ['pools.*.role', 'exposures'] },
  // As small as can be: what is not known must not be too much for a host.
  { at: 'pools.*.cores', put: () => 1 },
  { at: 'pools.*.memory', put: () => '256MiB' },
  { at: 'pools.*.count', put: () => 0, hides: ['pools.*.machines', 'pools.*.role', 'kubernetes'] },
  { at: 'pools.*.role', hides: ['kubernetes', 'pools.*.role'] },
  { at: 'pools.*.name', put: () => '{pool}-vm{vmId}' },
  { at: 'pools.*.machines.*.*' },
  { at: 'pools.*.machines.*' },
  // From it follow all VM IDs of the pool, and perhaps the base of all addresses.
  { at: 'pools.*.firstVmId', put: () => 999_999, hides: ['pools.*.machines'], breaksAddresses: true },
  { at: 'pools.*.*' },
  {
    at: 'pools.*',
    put: (count) => ({ count: 0, firstVmId: 999_999 - count }),
    hides: ['kubernetes'],
    breaksAddresses: true,
  },
  { at: 'pools', put: () => ({}), hides: ['kubernetes'], breaksAddresses: true },
];

/** Leaves out or replaces what the issues name. The value itself stays as it is. */
export function soundPart(value: unknown, issues: readonly ShapeIssue[]): SoundPart {
  const rest: unknown = structuredClone(value);
  const hidden: LabPath[] = [];
  const shifts: ListShift[] = [];
  const misnamed: LabPath[] = [];
  let breaksAddresses = false;
  for (const [count, { code, path, keys = [] }] of issues.entries()) {
    if (code === 'unrecognized_keys') {
      for (const key of keys) removeAt(rest, [...path, key]);
      continue;
    }
    if (code === 'invalid_key') {
      misnamed.push(path);
      continue;
    }
    const repair = repairs.find(({ at }) => matches(path, at.split('.')));
    hidden.push(...(repair?.hides ?? []).map((at) => at.split('.')));
    const item = path.findIndex((step) => typeof step === 'number');
    if (item > 0 && Array.isArray(valueAt(rest, path.slice(0, item)))) {
      shifts.push({ list: path.slice(0, item), removed: Number(path[item]) });
      continue;
    }
    const broken = path.slice(0, repair?.at.split('.').length ?? 1);
    hidden.push(broken);
    breaksAddresses ||= repair?.breaksAddresses === true;
    if (repair?.put === undefined) removeAt(rest, broken);
    else putAt(rest, broken, repair.put(count));
  }
  for (const { list, removed } of shifts) emptyAt(rest, [...list, removed]);
  for (const list of shifts.map((shift) => shift.list)) compactAt(rest, list);
  for (const [count, path] of misnamed.entries()) {
    const named = [...path.slice(0, -1), `misnamed-${count}`];
    putAt(rest, named, valueAt(rest, path));
    removeAt(rest, path);
    hidden.push(named, path);
    // Pools may name the host as it should be called.
    if (path[0] === 'hosts') hidden.push(['pools', '*', 'hosts']);
  }
  if (breaksAddresses) {
    leaveOutBlocks(rest);
    hidden.push(['networks'], ['kubernetes']);
  }
  return {
    value: rest,
    keepSound: (problems) =>
      problems
        .map((problem) => shiftBack(problem, shifts))
        .filter(({ path, related = [] }) => ![path, ...related.map((each) => each.path)].some(isHidden)),
  };

  function isHidden(path: LabPath): boolean {
    return hidden.some((each) => matches(path, each.map(String)));
  }
}

/** A network without a block: then names, VM IDs and room on hosts are checked, and addresses of machines are not. */
function leaveOutBlocks(rest: unknown): void {
  const networks = valueAt(rest, ['networks']);
  if (typeof networks !== 'object' || networks === null) return;
  for (const name of Object.keys(networks)) removeAt(rest, ['networks', name, 'machines']);
}

/** An item taken out of a list: those after it move up by one. */
interface ListShift {
  readonly list: LabPath;
  readonly removed: number;
}

function shiftBack(problem: Problem, shifts: readonly ListShift[]): Problem {
  const related = problem.related?.map((place) => ({ ...place, path: pathInFile(place.path, shifts) }));
  return { ...problem, path: pathInFile(problem.path, shifts), ...(related === undefined ? {} : { related }) };
}

function pathInFile(path: LabPath, shifts: readonly ListShift[]): LabPath {
  const at = path.findIndex((step) => typeof step === 'number');
  if (at < 0) return path;
  const removed = shifts.filter(({ list }) => list.length === at && matches(path, list.map(String)));
  let index = Number(path[at]);
  for (const each of removed.map((shift) => shift.removed).toSorted((one, other) => one - other)) {
    if (each <= index) index += 1;
  }
  return path.with(at, index);
}

/** The pattern is the path's beginning. */
function matches(path: LabPath, pattern: readonly string[]): boolean {
  return pattern.length <= path.length && pattern.every((step, at) => step === '*' || step === String(path[at]));
}

function valueAt(root: unknown, path: LabPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function removeAt(root: unknown, path: LabPath): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && last !== undefined) Reflect.deleteProperty(parent, last);
}

function putAt(root: unknown, path: LabPath, value: unknown): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && last !== undefined) Reflect.set(parent, last, value);
}

const gap = Symbol('taken out of a list');

function emptyAt(root: unknown, path: LabPath): void {
  putAt(root, path, gap);
}

function compactAt(root: unknown, path: LabPath): void {
  const list = valueAt(root, path);
  if (!Array.isArray(list)) return;
  const kept = list.filter((item) => item !== gap);
  if (kept.length > 0) putAt(root, path, kept);
  else removeAt(root, path);
}
