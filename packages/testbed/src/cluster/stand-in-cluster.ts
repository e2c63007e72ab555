// A highly available cluster without machines: each control plane is a real etcd member and a real API server on it, as kubeadm
// has them, behind one endpoint that leads to whichever is up. Machines are played: they start, die, lose their disks and join.
import { rm } from 'node:fs/promises';
import { createServer, connect, type Server } from 'node:net';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock } from '@labwright/core/ports/system';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, vmId, type HostName } from '@labwright/core/addresses/names';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { ClusterFacts, DiskFacts } from '@labwright/core/facts/cluster';
import type { HypervisorFacts, VmFacts } from '@labwright/core/facts/hypervisors';
import type { MachineCondition } from '@labwright/core/facts/machines';
import { ensureVoterAdded, fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { makeClusterBlueprint } from '@labwright/cluster/life/sample-cluster.test-data';
import { makeMember, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { labLabel, labLabelValue } from '@labwright/cluster/formation/marks';
import { connectCluster, type ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { getNode, isNodeReady, listNodes } from '@labwright/drivers/kubernetes/nodes';
import { nodeKind } from '@labwright/drivers/kubernetes/kind';
import { formatMark, formatTags } from '@labwright/drivers/proxmox/mark';
import { issueCertificate, makeAuthority, makeServiceAccountKey, readKeyPair } from '../kubernetes/authority.ts';
import { startApiServer, type ApiServer, type ClusterKeys } from '../kubernetes/api-server.ts';
import type { ControlPlanePrograms } from '../kubernetes/binaries.ts';
import type { EtcdMember } from '../kubernetes/etcd-member.ts';
import { freePorts, waitFor } from '../kubernetes/process.ts';
import { startEtcd, type EtcdProcesses } from './etcd-processes.ts';

interface PlayedMachine {
  readonly blueprint: MachineBlueprint;
  host: string;
  running: boolean;
  disk: 'blank' | 'member' | 'gone';
  generation: number;
  stoppedBy: 'itself' | 'somebody';
}

export interface StandInCluster {
  readonly blueprint: Blueprint;
  readonly etcd: EtcdProcesses;
  readonly connection: ClusterConnection;
  /** Hosts that were switched off. */
  readonly hostsOff: Set<string>;
  machine(name: string): PlayedMachine;
  machines(): readonly PlayedMachine[];
  createVm(machine: MachineBlueprint, host: string): void;
  startVm(name: string): Promise<void>;
  stopVm(name: string, by?: 'itself' | 'somebody'): Promise<void>;
  newDisk(name: string, generation: number): Promise<void>;
  destroyVm(name: string): Promise<void>;
  /** What `kubeadm join` does, in its order; goes on from where it was cut off. */
  join(name: string): Promise<void>;
  hypervisors(): HypervisorFacts;
  conditions(): ReadonlyMap<MachineBlueprint['vmId'], MachineCondition>;
  observe(signal: AbortSignal): Promise<ClusterFacts>;
  close(): Promise<void>;
}

/** Control planes node101 … on three hosts, and the identities that follow on them. */
export function makeStandInFile(controlPlanes: number, spares: number): Blueprint {
  const host = { address: ipv4('10.1.0.11'), cores: 1000, memoryMiB: 1_000_000, maintenance: false };
  const following = Array.from({ length: spares }, (_, at) => makeMember(101 + controlPlanes + at, 'control-plane'));
  const hosts = ['pve1', 'pve2', 'pve3'].map((name) => ({ ...host, name: hostName(name) }));
  return { ...makeClusterBlueprint(controlPlanes, 0), cluster: makeSampleCluster('1.20.2'), hosts, spares: following };
}

const names = ['kube.test'];
const serviceNetwork = '10.96.0.0/16';

/** The blueprint's first control plane alone is in it at first. */
export async function makeStandInCluster(
  programs: ControlPlanePrograms,
  blueprint: Blueprint,
): Promise<StandInCluster> {
  const etcd = await startEtcd(programs, []);
  const keys: ClusterKeys = {
    authority: await makeAuthority(etcd.folder, 'kubernetes-ca'),
    etcdAuthority: etcd.authority,
    serviceAccount: await makeServiceAccountKey(etcd.folder),
  };
  const machines = new Map<string, PlayedMachine>();
  const members = new Map<string, EtcdMember>();
  const servers = new Map<string, ApiServer>();
  const hostsOff = new Set<string>();
  const signal = new AbortController().signal;
  const machine = (name: string): PlayedMachine => {
    const found = machines.get(name);
    if (found === undefined) throw new Error(`there is no machine ${name}`);
    return found;
  };
  const isUp = (name: string): boolean => machines.get(name)?.running === true;
  const endpoint = await startEndpoint(() => [...servers].flatMap(([name, { port }]) => (isUp(name) ? [port] : [])));

  const startProcesses = async (name: string, state: 'new' | 'existing'): Promise<void> => {
    const others = state === 'new' ? [] : await listMembers(etcd);
    const member = await etcd.start(name, { state, with: others });
    members.set(name, member);
    const known = servers.get(name);
    if (known === undefined) {
      const directory = `${etcd.folder}/${name}/api-server`;
      servers.set(name, await startApiServer({ programs, directory, keys, etcd: [member], names, serviceNetwork }));
    } else await known.start();
  };
  const stopProcesses = async (name: string): Promise<void> => {
    await servers.get(name)?.kill();
    await etcd.kill(name);
  };
  const setReady = async (name: string, ready: 'True' | 'Unknown'): Promise<void> => {
    if ((await getNode(made.connection, name, { signal })) === undefined) return;
    const time = new Date().toISOString();
    const conditions = [
      { type: 'Ready', status: ready, reason: 'Played', lastTransitionTime: time, lastHeartbeatTime: time },
    ];
    const nodeInfo = { ...noNodeInfo, kubeletVersion: 'v1.20.2', bootID: `boot-${name}` };
    await made.connection.patch(
      nodeKind,
      { name },
      { status: { conditions, nodeInfo } },
      { signal, subresource: 'status' },
    );
  };
  const registerNode = async ({ blueprint: { name, role } }: PlayedMachine): Promise<void> => {
    const labels = {
      [labLabel]: labLabelValue(blueprint.lab),
      ...(role === 'control-plane' ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
    };
    await made.connection.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } }, { signal });
    await setReady(name, 'True');
  };
  /** Without a leader there is no API to tell; the heartbeats stop all the same. */
  const markLost = async (name: string): Promise<void> => {
    if ([...servers.keys()].some(isUp)) await setReady(name, 'Unknown').catch(() => undefined);
  };

  const made: StandInCluster = {
    blueprint,
    etcd,
    connection: connectCluster(
      {
        ...(await issueLogin(keys, etcd.folder)),
        endpoint: { address: '127.0.0.1', port: endpoint.port, serverName: 'kube.test' },
      },
      { clock: systemClock, log: silentLog },
    ),
    hostsOff,
    machine,
    machines: () => [...machines.values()],
    createVm: (of, host) => {
      if (machines.has(of.name)) return;
      machines.set(of.name, { blueprint: of, host, running: false, disk: 'blank', generation: 1, stoppedBy: 'itself' });
    },
    startVm: async (name) => {
      const it = machine(name);
      if (it.running) return;
      if (it.disk === 'gone') throw new Error(`${name} has no disk to start from`);
      it.running = true;
      if (it.disk !== 'member') return;
      if (it.blueprint.role === 'control-plane') await startProcesses(name, 'existing');
      await waitFor('the API', async () => (await made.connection.fetchUnreadiness({ signal })) ?? true, {
        timeoutMs: 30_000,
      });
      if ((await getNode(made.connection, name, { signal })) !== undefined) await setReady(name, 'True');
    },
    stopVm: async (name, by = 'itself') => {
      const it = machine(name);
      it.running = false;
      it.stoppedBy = by;
      await stopProcesses(name);
      await markLost(name);
    },
    newDisk: async (name, generation) => {
      const it = machine(name);
      if (it.generation >= generation) return;
      await rm(`${etcd.folder}/${name}/data`, { recursive: true, force: true });
      Object.assign(it, { disk: 'blank', generation });
    },
    destroyVm: async (name) => {
      if (!machines.has(name)) return;
      await made.stopVm(name);
      await rm(`${etcd.folder}/${name}/data`, { recursive: true, force: true });
      machines.delete(name);
      servers.delete(name);
      etcd.forget(name);
    },
    join: async (name) => {
      const it = machine(name);
      if (!it.running) throw new Error(`${name} does not run`);
      if (it.blueprint.role === 'control-plane' && it.disk !== 'member') {
        if (!etcd.names().includes(name)) await etcd.prepare(name);
        const isFirst = etcd.names().length === 1;
        if (!isFirst) {
          const joining = { name, peerUrl: etcd.peerUrl(name) };
          await ensureVoterAdded(etcd.group(), joining, { signal, clock: systemClock, timeoutMs: 5000 });
        }
        await startProcesses(name, isFirst ? 'new' : 'existing');
        it.disk = 'member';
      }
      it.disk = 'member';
      await registerNode(it);
    },
    hypervisors: () => formatHypervisors(blueprint, [...machines.values()], hostsOff),
    conditions: () => new Map([...machines.values()].map((it) => [it.blueprint.vmId, conditionOf(it, hostsOff)])),
    observe: async (of) => await observe(made, etcd, of),
    close: async () => {
      await made.connection.close();
      endpoint.server.close();
      await Promise.all([...servers.values()].map(async (server) => await server.kill()));
      await etcd.close();
    },
  };
  const [first] = blueprint.machines;
  if (first === undefined) throw new Error('a cluster has a machine');
  made.createVm(first, 'pve1');
  await made.startVm(first.name);
  await made.join(first.name);
  return made;
}

/** Names of those that others have to know of. */
async function listMembers(etcd: EtcdProcesses): Promise<readonly string[]> {
  const { members } = await fetchEtcdGroup(etcd.group(), { signal: AbortSignal.timeout(10_000), timeoutMs: 3000 });
  return members.map(({ name }) => name);
}

const noNodeInfo = {
  architecture: 'amd64',
  containerRuntimeVersion: 'none://0',
  kernelVersion: '0',
  kubeProxyVersion: '',
  machineID: '',
  operatingSystem: 'linux',
  osImage: 'none',
  systemUUID: '',
};

async function issueLogin(keys: ClusterKeys, folder: string) {
  const files = await issueCertificate(folder, 'login', keys.authority, {
    kind: 'client',
    user: 'labwright',
    groups: ['system:masters'],
  });
  const { certificate, key } = await readKeyPair(files);
  return { ca: keys.authority.certificate, certificate, privateKey: new Secret(key) };
}

/** Leads each connection to the first API server that takes it, as the lab's balancer does. */
async function startEndpoint(
  ports: () => readonly number[],
): Promise<{ readonly port: number; readonly server: Server }> {
  const [port = 0] = await freePorts(1);
  const server = createServer((client) => {
    const attempt = ([next, ...rest]: readonly number[]): void => {
      if (next === undefined) {
        client.destroy();
        return;
      }
      const behind = connect(next, '127.0.0.1');
      let isOpen = false;
      behind.once('connect', () => {
        isOpen = true;
        client.pipe(behind).pipe(client);
      });
      behind.on('error', () => (isOpen ? client.destroy() : attempt(rest)));
      behind.on('close', () => void (isOpen && client.destroy()));
      client.on('error', () => behind.destroy());
      client.on('close', () => behind.destroy());
    };
    attempt(ports());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, server };
}

function conditionOf(it: PlayedMachine, hostsOff: ReadonlySet<string>): MachineCondition {
  if (hostsOff.has(it.host)) return { kind: 'unreachable', host: hostName(it.host), power: 'off' };
  const disk = it.disk === 'gone' ? 'gone' : 'there';
  return it.running ? { kind: 'running', disk } : { kind: 'stopped', by: it.stoppedBy, disk };
}

function formatHypervisors(
  blueprint: Blueprint,
  machines: readonly PlayedMachine[],
  hostsOff: ReadonlySet<string>,
): HypervisorFacts {
  const vms = machines.map((it): VmFacts => {
    const { blueprint: of, host, running, generation } = it;
    const mark = { lab: blueprint.lab, machine: of.name, pool: of.pool, vmId: of.vmId, generation };
    const base = { vmId: of.vmId, host: hostName(host), name: of.name, cores: of.cores, memoryMiB: of.memoryMiB };
    const tags = formatTags(blueprint.lab, of.replaces === undefined ? undefined : vmId(of.replaces));
    if (hostsOff.has(host)) return { ...base, tags, status: 'unknown' };
    const config = {
      description: formatMark(mark),
      cores: of.cores,
      memoryMiB: of.memoryMiB,
      diskGiB: of.diskGiB,
      macs: [of.mac],
      firmware: of.firmware,
      bootFirst: 'disk' as const,
    };
    return { ...base, tags, status: running ? 'running' : 'stopped', config };
  });
  const hosts = blueprint.hosts.map(({ name, cores, memoryMiB }) => ({
    name,
    online: !hostsOff.has(name),
    version: '9.2',
    cores,
    memoryMiB,
    memoryUsedMiB: 0,
  }));
  return { asOf: 0, hosts, vms };
}

async function observe(cluster: StandInCluster, etcd: EtcdProcesses, signal: AbortSignal): Promise<ClusterFacts> {
  const disks = cluster
    .machines()
    .flatMap(({ blueprint, disk, running }): readonly DiskFacts[] =>
      running ? [{ name: blueprint.name, state: disk === 'member' ? 'member' : 'blank' }] : [],
    );
  const unready = await cluster.connection
    .fetchUnreadiness({ signal: AbortSignal.any([signal, AbortSignal.timeout(4000)]) })
    .catch(String);
  if (unready !== undefined) return { kind: 'silent', why: unready, hasKeys: true, disks, asOf: 0 };
  const nodes = await listNodes(cluster.connection, { signal });
  const { members } = await fetchEtcdGroup(etcd.group(), { signal, timeoutMs: 2000 });
  return {
    kind: 'answers',
    version: kubernetesVersion('1.20.2'),
    nodes: nodes.map((node) => ({
      name: node.metadata.name as HostName,
      role: Object.hasOwn(node.metadata.labels ?? {}, 'node-role.kubernetes.io/control-plane')
        ? 'control-plane'
        : 'worker',
      ready: isNodeReady(node) ? 'ready' : 'unknown',
      kubelet: kubernetesVersion('1.20.2'),
      schedulable: node.spec.unschedulable !== true,
      ours: node.metadata.labels?.[labLabel] === labLabelValue(cluster.blueprint.lab),
      bootId: node.status?.nodeInfo?.bootID ?? '',
    })),
    disks: disks.filter(({ name }) => !nodes.some((node) => node.metadata.name === name && isNodeReady(node))),
    members,
    asOf: 0,
  };
}
