// The lab with every default filled in, and for each value the line or rule it came from.
import type { Ipv4Range } from '../addresses/ipv4.ts';
import { formatPath, type LabPath, type Position, type Positions } from './diagnostic.ts';
import { baseChartDefaults } from './base-chart-defaults.ts';
import { baseVmId, labIdentities } from './lab-identities.ts';
import type { Lab } from './lab-schema.ts';
import type { BaseChartName } from './service-schema.ts';

export type Origin =
  | { readonly kind: 'file'; readonly position: Position }
  | { readonly kind: 'default' }
  /** Follows from other values; the words say from which. */
  | { readonly kind: 'rule'; readonly rule: string };

export interface ResolvedValue {
  /** "pools.workers.memory". */
  readonly path: string;
  /** As a lab file writes it: "1GiB", "10.1.3.100-10.1.3.200". */
  readonly value: string;
  readonly origin: Origin;
}

/** In the schema's order, then the machines the pools make. Secrets are references, so nothing secret is in it. */
export function resolvedLab({ lab, positions }: { readonly lab: Lab; readonly positions: Positions }): ResolvedValue[] {
  const values: ResolvedValue[] = [];
  collect(lab, [], positions, values);
  return [...values, ...derivedValues(lab), ...machineValues(lab, positions)];
}

export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'file':
      return `${origin.position.file}:${origin.position.line}`;
    case 'default':
      return 'default';
    case 'rule':
      return origin.rule;
  }
}

function collect(value: unknown, path: LabPath, positions: Positions, out: ResolvedValue[]): void {
  if (value === undefined) return;
  const text = textOf(value, path);
  if (text !== undefined) {
    out.push({ path: formatPath(path), value: text, origin: originOf(path, positions) });
    return;
  }
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value as object);
  for (const [key, inner] of entries) collect(inner, [...path, key], positions, out);
}

/** Undefined for what has parts of its own. */
function textOf(value: unknown, path: LabPath): string | undefined {
  if (typeof value === 'number') return (findQuantity(path)?.format ?? String)(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (isRange(value, path)) return value.first === value.last ? value.first : `${value.first}-${value.last}`;
  return Object.keys(value).length === 0 ? (Array.isArray(value) ? '[]' : '{}') : undefined;
}

/** What a chart is given may have any form and means what the chart says; nothing else of the cluster is a range. */
function isRange(value: object, path: LabPath): value is Ipv4Range {
  return 'first' in value && 'last' in value && path[0] !== 'kubernetes';
}

/** The places where the schema has a number with a unit; '*' is any name. */
const quantities: readonly { readonly place: LabPath; readonly format: (value: number) => string }[] = [
  { place: ['hosts', '*', 'memory'], format: formatMemory },
  { place: ['pools', '*', 'memory'], format: formatMemory },
  { place: ['pools', '*', 'disk', 'size'], format: (valueGiB) => `${valueGiB}GiB` },
  { place: ['kubernetes', 'snapshots', 'every'], format: formatDuration },
];

function findQuantity(path: LabPath): (typeof quantities)[number] | undefined {
  return quantities.find(
    ({ place }) => place.length === path.length && place.every((part, at) => part === '*' || part === path[at]),
  );
}

function formatMemory(valueMiB: number): string {
  return valueMiB % 1024 === 0 ? `${valueMiB / 1024}GiB` : `${valueMiB}MiB`;
}

function formatDuration(valueMs: number): string {
  return valueMs % 3_600_000 === 0 ? `${valueMs / 3_600_000}h` : `${valueMs / 60_000}m`;
}

/** `disk: 20GiB` states disk.size: the nearest ancestor that is a single value counts. */
function originOf(path: LabPath, positions: Positions): Origin {
  const isDiskSize = findQuantity(path) !== undefined && path.at(-1) === 'size';
  const stated = [path, ...(isDiskSize ? [path.slice(0, -1)] : [])].find((candidate) => positions.has(candidate));
  return stated === undefined
    ? { kind: 'default' }
    : { kind: 'file', position: positions.positionOf({ path: stated }) };
}

function derivedValues(lab: Lab): ResolvedValue[] {
  const rule = (path: LabPath, value: string, words: string): ResolvedValue => ({
    path: formatPath(path),
    value,
    origin: { kind: 'rule', rule: words },
  });
  const values = Object.entries(lab.networks).flatMap(([name, { resolvers, gateway }]) =>
    resolvers === undefined ? [rule(['networks', name, 'resolvers', 0], gateway, 'the gateway')] : [],
  );
  if (lab.identity.baseVmId === undefined && Object.keys(lab.pools).length > 0) {
    values.push(rule(['identity', 'baseVmId'], String(baseVmId(lab)), 'the lowest firstVmId'));
  }
  for (const [name, pool] of Object.entries(lab.pools)) {
    if (pool.hosts === undefined) {
      values.push(rule(['pools', name, 'hosts'], `[${Object.keys(lab.hosts).join(', ')}]`, 'all hosts'));
    }
    if (pool.disk.storage === undefined) {
      values.push(rule(['pools', name, 'disk', 'storage'], lab.proxmox.storage, 'proxmox.storage'));
    }
    if (pool.name === undefined) values.push(rule(['pools', name, 'name'], lab.identity.name, 'identity.name'));
  }
  const { kubernetes } = lab;
  for (const [name, known] of Object.entries(kubernetes === undefined ? {} : baseChartDefaults(lab, kubernetes))) {
    // The network of pods has a key of its own.
    if (name === 'flannel' || kubernetes?.charts[name as BaseChartName] !== undefined) continue;
    values.push(rule(['kubernetes', 'charts', name], String(known.isOn), known.rule));
  }
  return values;
}

function machineValues(lab: Lab, positions: Positions): ResolvedValue[] {
  const network = Object.values(lab.networks).find(({ machines }) => machines !== undefined);
  const block = network?.machines ?? '';
  return labIdentities(lab).flatMap(({ name, vmId, mac, address, pool }) => {
    const stated = (key: string, rule: string): Origin => {
      const path = ['pools', pool, 'machines', String(vmId), key];
      if (positions.has(path)) return { kind: 'file', position: positions.positionOf({ path }) };
      return { kind: 'rule', rule };
    };
    const path = (key: string): string => formatPath(['machines', name, key]);
    return [
      { path: path('vmId'), value: String(vmId), origin: { kind: 'rule', rule: `pools.${pool}.firstVmId` } },
      { path: path('name'), value: name, origin: stated('name', `pools.${pool}.name`) },
      { path: path('mac'), value: mac, origin: stated('mac', 'identity.macPrefix and the VM ID') },
      { path: path('address'), value: address, origin: stated('address', `the block ${block} and the VM ID`) },
    ] satisfies ResolvedValue[];
  });
}
