// Every call we can send, held against the schema of Proxmox's own API. The schema is not part of this repository.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import { mac } from '@labwright/core/addresses/mac';
import { Secret } from '@labwright/core/ports/secret';
import { describe, expect, it } from 'vitest';
import { type ProxmoxCall, formatWireCall } from './call.ts';
import { permissionsCall, rolesCall } from './calls/access.ts';
import {
  clusterStatusCall,
  guestsCall,
  hostStatusCall,
  hostsCall,
  storagesCall,
  versionCall,
} from './calls/cluster.ts';
import { runningTasksCall, taskLogCall, taskStatusCall } from './calls/task.ts';
import * as vm from './calls/vm.ts';
import { loginCall } from './credentials.ts';
import { parsePropertyString } from './property-string.ts';
import { parseUpid } from './upid.ts';
import type { VmSpec } from './vm-config.ts';

const schemaFile = fileURLToPath(new URL('../../../../../shared/proxmox/api-schema.json', import.meta.url));
const there = existsSync(schemaFile);
if (!there)
  console.warn("skipped: calls against Proxmox's API schema, because ../shared/proxmox/api-schema.json is not there");

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly optional?: number;
  readonly format?:
    | string
    | Readonly<Record<string, Schema & { alias?: string; keyAlias?: string; default_key?: number }>>;
}
type Api = Record<
  string,
  Record<string, { parameters: { properties?: Record<string, Schema>; additionalProperties?: number } }>
>;

/** What pveproxy would say about these parameters, after PVE::JSONSchema. */
function findProblems(api: Api, call: ProxmoxCall<unknown>): readonly string[] {
  const method = api[call.route]?.[call.method];
  if (method === undefined) return [`${call.method} ${call.route} does not exist`];
  const wire = formatWireCall(call);
  const sent = new URLSearchParams(wire.form ?? wire.path.split('?')[1] ?? '');
  const given = new Map<string, string>([
    ...Object.entries(call.path).map(([key, value]) => [key, String(value)] as const),
    ...sent,
  ]);
  const known = method.parameters.properties ?? {};
  const missing = Object.entries(known)
    .filter(([name, schema]) => schema.optional !== 1 && !given.has(name))
    .map(([name]) => `${name}: property is missing and it is not optional`);
  const wrong = [...given].flatMap(([name, text]) => {
    const schema = known[name] ?? known[name.replace(/\d+$/, '[n]')];
    return schema === undefined
      ? [`${name}: property is not defined in schema`]
      : findValueProblems(name, schema, text);
  });
  return [...missing, ...wrong];
}

function findValueProblems(name: string, schema: Schema, text: string): readonly string[] {
  const problems: string[] = [];
  if (schema.type === 'boolean' && !/^[01]$/.test(text)) problems.push('type check (boolean)');
  if (schema.type === 'integer' && !/^-?\d+$/.test(text)) problems.push('type check (integer)');
  if (schema.minimum !== undefined && Number(text) < schema.minimum) problems.push(`minimum ${schema.minimum}`);
  if (schema.maximum !== undefined && Number(text) > schema.maximum) problems.push(`maximum ${schema.maximum}`);
  if (schema.maxLength !== undefined && text.length > schema.maxLength) problems.push(`only ${schema.maxLength} long`);
  if (schema.enum !== undefined && !schema.enum.includes(text)) problems.push(`not one of ${schema.enum.join(', ')}`);
  // Perl's way to print a compiled pattern, which JavaScript does not read.
  const pattern = schema.pattern?.replaceAll('(?^:', '(?:');
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(text)) problems.push(`pattern ${pattern}`);
  if (typeof schema.format === 'object') problems.push(...findPropertyProblems(schema.format, text));
  return problems.map((problem) => `${name}: ${problem}: '${text}'`);
}

function findPropertyProblems(format: Extract<Schema['format'], object>, text: string): readonly string[] {
  const parts = parsePropertyString(text);
  if (parts === undefined) return ['format error'];
  const lead = Object.entries(format).find(([, schema]) => schema.default_key === 1)?.[0];
  const pairs = [...parts.properties, ...(parts.first === undefined ? [] : [[lead ?? '', parts.first] as const])];
  const used = new Set<string>();
  const wrong = pairs.flatMap(([key, value]) => {
    const schema = format[key];
    if (schema === undefined) return [`invalid key in comma-separated list property: ${key}`];
    // virtio=MAC stands for model=virtio and macaddr=MAC.
    for (const name of [key, schema.alias, schema.keyAlias]) if (name !== undefined) used.add(name);
    const { type, ...aliased } = schema.alias === undefined ? schema : { ...format[schema.alias] };
    // Inside a property string Proxmox takes on, yes and true as well.
    const boolean = type === 'boolean' ? /^(1|0|on|off|yes|no|true|false)$/i.test(value) : true;
    const rest = findValueProblems(
      key,
      type === undefined || type === 'boolean' ? aliased : { ...aliased, type },
      value,
    );
    return boolean ? rest : [...rest, `${key}: not a boolean`];
  });
  const missing = Object.entries(format).filter(
    ([key, schema]) => schema.optional !== 1 && schema.alias === undefined && !used.has(key),
  );
  return [...wrong, ...missing.map(([key]) => `${key} is missing`)];
}

const place = { node: 'pve1', vmid: 101 };
const mark = {
  lab: labId('home+rehearsal'),
  machine: hostName('node101'),
  pool: 'workers',
  vmId: vmId(101),
  generation: 3,
};
const identity = { uuid: '7b0c2f54-0f1e-4b1c-9a55-5e2b8c0d1f11', phoneHomeKey: new Secret('k'.repeat(64)) };
const bios: VmSpec = {
  mark,
  cores: 2,
  memoryMiB: 2048,
  cpuType: 'host',
  mac: mac('bc:24:11:00:01:01'),
  bridge: 'vmbr0',
  storage: 'local-lvm',
  diskGiB: 32,
  firmware: 'bios',
  identity,
  startWithHost: false,
};
const upid = parseUpid('UPID:pve1:0003D0F5:00A1B2C3:65F0A1B2:qmcreate:101:labwright@pve!cli:');
if (upid === undefined) throw new Error('the UPID of this test is one');
const update = { cores: 4, memoryMiB: 4096, mark, identity, startWithHost: true };

const calls: readonly ProxmoxCall<unknown>[] = [
  versionCall(),
  clusterStatusCall(),
  guestsCall(),
  hostsCall(),
  hostStatusCall('pve1'),
  storagesCall('pve1'),
  permissionsCall(),
  permissionsCall('/vms/101'),
  rolesCall(),
  loginCall('root@pam', new Secret('a password')),
  taskStatusCall(upid),
  taskLogCall(upid, 0, 500),
  runningTasksCall('pve1', 101),
  vm.vmsCall('pve1'),
  vm.vmConfigCall(place),
  vm.vmStatusCall(place),
  vm.createVmCall('pve1', bios),
  vm.createVmCall('pve1', { ...bios, firmware: 'uefi', vlan: 20, startOrder: 2, startWithHost: true }),
  vm.updateVmCall(place, { ...update, startOrder: 7 }, '0'.repeat(40)),
  vm.updateVmCall(place, { startOrder: 'none' }, '0'.repeat(40)),
  vm.startVmCall(place),
  vm.stopVmCall(place),
  vm.shutdownVmCall(place, 120),
  vm.rebootVmCall(place, 120),
  vm.resetVmCall(place),
  vm.resizeDiskCall(place, 64),
  vm.destroyVmCall(place),
];

describe.runIf(there)('against the schema of Proxmox VE', () => {
  const api = there ? (JSON.parse(readFileSync(schemaFile, 'utf8')) as Api) : {};

  it('every call of calls/vm.ts is in this test', () => {
    const tested = new Set(calls.map((call) => `${call.method} ${call.route}`));
    expect(Object.keys(vm).length).toBe([...tested].filter((name) => name.includes('/qemu')).length);
  });

  it.each(calls.map((call) => ({ name: `${call.method} ${call.route}`, call })))('$name is valid', ({ call }) => {
    expect(findProblems(api, call)).toEqual([]);
  });

  it('what is wrong is found (so that the above can fail)', () => {
    const wrong = {
      ...vm.createVmCall('pve1', bios),
      parameters: { vmid: 7, scsihw: 'scsi', net0: 'bridge=vmbr0,speed=9', onboot: 'yes', x: 1 },
    };
    expect(findProblems(api, wrong).map((problem) => problem.split(':')[0])).toEqual(
      ['vmid', 'net0', 'net0', 'onboot', 'x'].toSpliced(1, 0, 'scsihw'),
    );
  });
});
