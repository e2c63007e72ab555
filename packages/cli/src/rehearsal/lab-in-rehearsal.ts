// From a lab file's blueprint to its rehearsal: which devices stand on the emulated LAN and what each of them runs.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prefixLength, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { formatSshConfig } from '@labwright/core/identity/ssh-config';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { randomHex, type Random } from '@labwright/core/ports/random';
import { writeGateway } from '@labwright/rehearsal/gateway/gateway-device';
import { writeLaptopFiles } from '@labwright/rehearsal/keeper/laptop';
import { topologyFile, type DeviceInput, type TopologyInput } from '@labwright/rehearsal/lab/topology';
import { writeLaptop } from '@labwright/rehearsal/laptop/laptop-device';
import type { TopologyInput as ProxmoxTopology } from '@labwright/rehearsal/proxmox/topology';
import { ensureCertificates } from '@labwright/rehearsal/proxmox/tls';
import { privilegeNames } from '../privilege-needs.ts';
import { listApplianceNames, listManagedNames, resolverOf } from './names-in-rehearsal.ts';
import { writeNasDevices, type RehearsedNas } from './nas-in-rehearsal.ts';
import { serveSocket } from './record.ts';
import { listPossibleControlPlanes } from './rehearsed-lab.ts';
import { writeSecretSeed } from './rehearsed-secret.ts';
import { rehearsedRouter, writeRouter } from './router-in-rehearsal.ts';

export interface RehearsalPlan {
  /** In the shape it is rehearsed in, as the blueprint. */
  readonly lab: Lab;
  readonly blueprint: Blueprint;
  readonly labFile: string;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  /** Debian root with QEMU, firmware, iPXE, unbound, HAProxy and systemd-resolved. */
  readonly toolsRoot: string;
  /** Debian root with the QEMU that runs the machines. */
  readonly emulatorRoot: string;
  /** Debian root of the NAS; undefined when none is rehearsed. */
  readonly nasRoot?: string;
  /** Debian root of the router; undefined when none is rehearsed. */
  readonly routerRoot?: string;
  readonly laptopAddress: Ipv4;
  readonly random: Random;
}

const proxmoxMain = fileURLToPath(import.meta.resolve('@labwright/rehearsal/proxmox/main'));
const cliMain = join(import.meta.dirname, '../main.ts');

export const rehearsalTokenId = 'labwright@pve!rehearsal';

/** Files that `serve` finds in the state of a rehearsal. */
export function rehearsalFiles(stateDirectory: string) {
  return {
    serveState: join(stateDirectory, 'serve'),
    proxmoxSecret: join(stateDirectory, 'proxmox-token'),
    knownHosts: join(stateDirectory, 'serve', 'known_hosts'),
    sshIdentity: join(stateDirectory, 'serve', 'ssh_ed25519'),
    nas: join(stateDirectory, 'nas'),
    router: join(stateDirectory, 'router'),
    proxmox: join(stateDirectory, 'proxmox'),
    proxmoxTopology: join(stateDirectory, 'proxmox', 'topology.json'),
  };
}

/** Writes everything the keeper and its processes read. The state directory is new and the user's alone. */
export async function writeRehearsal(plan: RehearsalPlan): Promise<Pick<RehearsedNas, 'hostKeys'>> {
  const { blueprint, stateDirectory } = plan;
  const files = rehearsalFiles(stateDirectory);
  for (const directory of [files.serveState, files.proxmox]) await mkdir(directory, { recursive: true, mode: 0o700 });
  const secret = makeTokenSecret(plan.random);
  await writeFile(files.proxmoxSecret, `${secret}\n`, { mode: 0o600 });
  await chmod(files.proxmoxSecret, 0o600);
  await writeJson(files.proxmoxTopology, await makeProxmoxTopology(plan, secret));
  await writeLaptopFiles(stateDirectory, {
    searchDomain: blueprint.domain,
    sshConfig: formatSshConfig(blueprint.machines, {
      user: blueprint.ssh.user,
      identityFile: files.sshIdentity,
      knownHostsFile: files.knownHosts,
      domain: blueprint.domain,
    }),
  });
  await writeSecretSeed(stateDirectory, plan.random);
  const { devices, hostKeys } = await writeNasDevices(plan);
  await writeJson(topologyFile(stateDirectory), await writeDevices(plan, devices));
  return { hostKeys };
}

/** The topology, once every device has its files. */
async function writeDevices(plan: RehearsalPlan, nasDevices: readonly DeviceInput[]): Promise<TopologyInput> {
  const { blueprint, stateDirectory } = plan;
  const { network, cluster } = blueprint;
  const files = rehearsalFiles(stateDirectory);
  const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
  return {
    version: 1,
    lab: blueprint.lab,
    stateDirectory,
    prefixLength: prefixLength(network.cidr),
    devices: [
      await writeGatewayOf(plan),
      ...blueprint.hosts.map((host) => ({
        name: host.name,
        address: host.address,
        gateway: network.gateway,
        bridge: network.bridge,
        processes: [
          {
            name: 'proxmox',
            command: [...node, proxmoxMain, files.proxmoxTopology, host.name],
            readySocket: proxmoxControlSocket(stateDirectory, host.name),
          },
        ],
      })),
      {
        name: 'labwright',
        address: blueprint.netboot.address,
        gateway: network.gateway,
        processes: [
          {
            name: 'serve',
            command: [...node, cliMain, '--lab', plan.labFile, 'serve', '--rehearsal', stateDirectory],
            readySocket: serveSocket(stateDirectory),
          },
        ],
      },
      ...nasDevices,
      await writeLaptop({
        address: plan.laptopAddress,
        gateway: network.gateway,
        resolver: resolverOf(plan.lab, blueprint),
        domain: blueprint.domain,
        directory: stateDirectory,
        tree: plan.toolsRoot,
        ...(cluster && { loopback: { address: cluster.endpoint.address, port: cluster.endpoint.port } }),
      }),
    ],
  };
}

export function proxmoxControlSocket(stateDirectory: string, host: string): string {
  return join(rehearsalFiles(stateDirectory).proxmox, 'hosts', host, 'control.sock');
}

async function makeProxmoxTopology(plan: RehearsalPlan, secret: string): Promise<ProxmoxTopology> {
  const { blueprint, stateDirectory, toolsRoot, emulatorRoot } = plan;
  const { proxmox } = rehearsalFiles(stateDirectory);
  const certificates = await ensureCertificates(
    join(proxmox, 'tls'),
    blueprint.hosts.map(({ name, address }) => ({ name, address })),
  );
  const storages = new Set([blueprint.proxmox.storage, ...blueprint.machines.map((machine) => machine.storage)]);
  return {
    cluster: 'rehearsal',
    profile: '9.2',
    stateDirectory: proxmox,
    hosts: blueprint.hosts.map((host) => ({
      name: host.name,
      address: host.address,
      port: blueprint.proxmox.port,
      cores: host.cores,
      memoryMiB: host.memoryMiB,
      bridges: [blueprint.network.bridge],
      tls: certificates.host(host.name),
    })),
    certificateAuthorityFile: certificates.authorityFile,
    storages: [...storages].map((id) => ({ id, type: 'lvmthin', content: ['images', 'rootdir'], totalGiB: 500 })),
    // No more than `doctor` has its user grant, so a missing one shows here first.
    users: [{ id: 'labwright@pve', acl: [{ path: '/', privileges: [...privilegeNames(blueprint)] }] }],
    tokens: [
      {
        id: rehearsalTokenId,
        secret: { sha256: createHash('sha256').update(secret).digest('hex') },
        privilegeSeparation: false,
      },
    ],
    guests: { kind: 'qemu', toolsRoot, emulatorRoot, accelerator: 'tcg' },
  };
}

async function writeGatewayOf(plan: RehearsalPlan): Promise<DeviceInput> {
  const { lab, blueprint, stateDirectory, toolsRoot } = plan;
  const { network, domain, cluster } = blueprint;
  const router = rehearsedRouter(lab);
  if (router !== undefined) return await writeRouter(plan, router);
  return await writeGateway({
    directory: stateDirectory,
    tree: toolsRoot,
    resolver: {
      address: network.gateway,
      network: network.cidr,
      domain,
      names: [...listApplianceNames(blueprint), ...listManagedNames(blueprint)],
    },
    ...(cluster && {
      balancer: {
        address: cluster.endpoint.address,
        port: cluster.endpoint.port,
        serverName: cluster.endpoint.name,
        controlPlanes: listPossibleControlPlanes(lab),
      },
    }),
  });
}

function makeTokenSecret(random: Random): string {
  const hex = randomHex(random, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}
