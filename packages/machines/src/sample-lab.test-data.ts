// Blueprints and facts for tests, and a model of the hypervisors that steps are applied to without any.
import { cidr, ipv4, ipv4FromNumber, ipv4ToNumber } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId, vmId } from '@labwright/core/addresses/names';
import type { Blueprint, HostBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Step } from '@labwright/core/plan/step';
import { formatMark, formatTags } from '@labwright/drivers/proxmox/mark';
import type {
  MachineReadyInput,
  VmCreateInput,
  VmInput,
  VmResizeInput,
  VmUpdateInput,
  VmWipeInput,
} from './step-input.ts';

export const lab = labId('home');

export function makeHost(name: string, overrides: Partial<HostBlueprint> = {}): HostBlueprint {
  const host = { name: hostName(name), address: ipv4('10.1.0.11'), cores: 12, memoryMiB: 24_576, maintenance: false };
  return { ...host, ...overrides };
}

export function makeMachine(number: number, overrides: Partial<MachineBlueprint> = {}): MachineBlueprint {
  const digits = String(number).padStart(6, '0');
  return {
    name: hostName(`node${number}`),
    vmId: vmId(number),
    mac: mac(`02:1a:b0:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`),
    address: ipv4FromNumber(ipv4ToNumber(ipv4('10.1.0.0')) + number),
    pool: 'workers',
    cores: 2,
    memoryMiB: 2048,
    diskGiB: 8,
    storage: 'local-lvm',
    firmware: 'bios',
    image: 'debian',
    heal: 'restart',
    hosts: ['pve1', 'pve2', 'pve3'].map(hostName),
    spread: 'even',
    ...overrides,
  };
}

export function makeBlueprint(machines: readonly MachineBlueprint[], hosts?: readonly HostBlueprint[]): Blueprint {
  return {
    lab,
    domain: 'home.arpa',
    network: {
      name: 'servers',
      cidr: cidr('10.1.0.0/16'),
      gateway: ipv4('10.1.0.1'),
      resolvers: [ipv4('10.1.0.1')],
      machines: cidr('10.1.0.0/16'),
      bridge: 'vmbr0',
    },
    hosts: hosts ?? ['pve1', 'pve2', 'pve3'].map((name) => makeHost(name)),
    proxmox: { port: 8006, storage: 'local-lvm', tls: { mode: 'pinned' } },
    exposures: { domains: ['svc'], balancer: 'metallb', ingress: 'traefik', taken: [], reserved: [] },
    netboot: { mode: 'serve', address: ipv4('10.1.0.9'), httpPort: 8080 },
    ssh: { user: 'admin', authorizedKeys: [] },
    nas: [],
    services: [],
    machines,
  };
}

export function makeVm(number: number, overrides: Partial<VmFacts> = {}): VmFacts {
  const machine = makeMachine(number);
  const mark = { lab, machine: machine.name, pool: machine.pool, vmId: machine.vmId, generation: 1 };
  return {
    vmId: machine.vmId,
    host: hostName('pve1'),
    name: machine.name,
    status: 'running',
    cores: machine.cores,
    memoryMiB: machine.memoryMiB,
    tags: formatTags(lab),
    config: {
      description: formatMark(mark),
      cores: machine.cores,
      memoryMiB: machine.memoryMiB,
      diskGiB: machine.diskGiB,
      macs: [machine.mac],
      firmware: machine.firmware,
      bootFirst: 'disk',
    },
    ...overrides,
  };
}

export function makeReport(number: number, generation = 1): MachineReport {
  const bootId = '00000000-0000-4000-8000-000000000000';
  return { name: hostName(`node${number}`), generation, bootId, sshHostKey: 'ssh-ed25519 AAAA', at: 0 };
}

export function makeHypervisors(blueprint: Blueprint, vms: readonly VmFacts[]): HypervisorFacts {
  const hosts = blueprint.hosts.map(({ name, cores, memoryMiB }) => ({
    name,
    online: true,
    version: '9.2',
    cores,
    memoryMiB,
    memoryUsedMiB: 0,
  }));
  return { asOf: 0, hosts, vms };
}

/** What the hypervisors and reports look like after a step, if everything goes well. */
export interface Model {
  readonly vms: ReadonlyMap<number, VmFacts>;
  readonly reports: ReadonlyMap<string, MachineReport>;
}

export function applyStep(model: Model, step: Step): Model {
  const vms = new Map(model.vms);
  const reports = new Map(model.reports);
  const input = step.input as VmInput;
  const vm = vms.get(input.vmId);
  const change = (overrides: Partial<VmFacts>): void => {
    if (vm !== undefined) vms.set(input.vmId, { ...vm, ...overrides });
  };
  const changeConfig = (overrides: Partial<NonNullable<VmFacts['config']>>): void => {
    if (vm?.config !== undefined) change({ config: { ...vm.config, ...overrides } });
  };
  switch (step.kind) {
    case 'vm.create': {
      const { host, cores, memoryMiB, diskGiB, firmware, mac: address, pool } = step.input as VmCreateInput;
      const made = makeVm(input.vmId, { host: hostName(host), status: 'stopped', cores, memoryMiB });
      const mark = { lab, machine: hostName(input.name), pool, vmId: vmId(input.vmId), generation: 1 };
      const config = {
        description: formatMark(mark),
        cores,
        memoryMiB,
        diskGiB,
        firmware,
        macs: [address],
        bootFirst: 'disk' as const,
      };
      vms.set(input.vmId, { ...made, config });
      break;
    }
    case 'vm.start':
    case 'vm.cycle':
      if (vm?.config !== undefined) {
        change({ status: 'running', cores: vm.config.cores, memoryMiB: vm.config.memoryMiB });
      }
      reports.delete(input.name);
      break;
    case 'vm.update': {
      const { cores, memoryMiB } = step.input as VmUpdateInput;
      changeConfig({ cores, memoryMiB });
      break;
    }
    case 'vm.shutdown':
      change({ status: 'stopped' });
      reports.delete(input.name);
      break;
    case 'vm.wipe': {
      const { pool, generation } = step.input as VmWipeInput;
      const mark = { lab, machine: hostName(input.name), pool, vmId: vmId(input.vmId), generation };
      changeConfig({ description: formatMark(mark), bootFirst: 'network' });
      break;
    }
    case 'vm.settle':
      changeConfig({ bootFirst: 'disk' });
      break;
    case 'vm.resize':
      changeConfig({ diskGiB: (step.input as VmResizeInput).diskGiB });
      break;
    case 'vm.destroy':
      vms.delete(input.vmId);
      break;
    case 'machine.ready':
      reports.set(input.name, makeReport(input.vmId, (step.input as MachineReadyInput).generation));
      break;
    default:
      throw new Error(`the model does not know ${step.kind}`);
  }
  return { vms, reports };
}
