// From a lab file's blueprint to its rehearsal: which devices stand on the emulated LAN and what each of them runs.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prefixLength, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { formatSshConfig } from '@labwright/core/identity/ssh-config';
import { randomHex, type Random } from '@labwright/core/ports/random';
import { formatResolverConfig } from '@labwright/rehearsal/gateway/resolver';
import { writeLaptopFiles } from '@labwright/rehearsal/keeper/laptop';
import { topologyFile, type Topology } from '@labwright/rehearsal/lab/topology';
import type { TopologyInput } from '@labwright/rehearsal/proxmox/topology';
import { ensureCertificates } from '@labwright/rehearsal/proxmox/tls';
import { serveSocket } from './record.ts';

export interface RehearsalPlan {
  readonly blueprint: Blueprint;
  readonly labFile: string;
  readonly stateDirectory: string;
  readonly cacheDirectory: string;
  /** Debian root with QEMU, firmware, iPXE and unbound. */
  readonly toolsRoot: string;
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
    resolver: join(stateDirectory, 'unbound.conf'),
    proxmox: join(stateDirectory, 'proxmox'),
    proxmoxTopology: join(stateDirectory, 'proxmox', 'topology.json'),
  };
}

/** Writes everything the keeper and its processes read. The state directory is new and the user's alone. */
export async function writeRehearsal(plan: RehearsalPlan): Promise<void> {
  const { blueprint, stateDirectory } = plan;
  const files = rehearsalFiles(stateDirectory);
  for (const directory of [files.serveState, files.proxmox]) await mkdir(directory, { recursive: true, mode: 0o700 });
  const secret = makeTokenSecret(plan.random);
  await writeFile(files.proxmoxSecret, `${secret}\n`, { mode: 0o600 });
  await chmod(files.proxmoxSecret, 0o600);
  await writeJson(files.proxmoxTopology, await makeProxmoxTopology(plan, secret));
  await writeFile(files.resolver, formatResolver(blueprint));
  await writeLaptopFiles(stateDirectory, {
    resolver: blueprint.network.resolvers[0] ?? blueprint.network.gateway,
    searchDomain: blueprint.domain,
    sshConfig: formatSshConfig(blueprint.machines, {
      user: blueprint.ssh.user,
      identityFile: files.sshIdentity,
      knownHostsFile: files.knownHosts,
      domain: blueprint.domain,
    }),
  });
  await writeJson(topologyFile(stateDirectory), makeTopology(plan));
}

function makeTopology(plan: RehearsalPlan): Topology {
  const { blueprint, stateDirectory, toolsRoot } = plan;
  const { network } = blueprint;
  const files = rehearsalFiles(stateDirectory);
  const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
  return {
    version: 1,
    lab: blueprint.lab,
    stateDirectory,
    prefixLength: prefixLength(network.cidr),
    devices: [
      {
        name: 'gateway',
        address: network.gateway,
        processes: [{ name: 'unbound', command: ['sh', '-euc', runUnbound, 'sh', files.resolver, toolsRoot] }],
      },
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
      { name: 'laptop', address: plan.laptopAddress, gateway: network.gateway, processes: [] },
    ],
  };
}

// Its configuration is laid over the package's own for this process alone; the root in the cache stays as it is.
const runUnbound = `
mount --make-rprivate /
mount --bind "$1" "$2/etc/unbound/unbound.conf"
mount --rbind /dev "$2/dev"
exec chroot "$2" unbound -d
`;

export function proxmoxControlSocket(stateDirectory: string, host: string): string {
  return join(rehearsalFiles(stateDirectory).proxmox, 'hosts', host, 'control.sock');
}

async function makeProxmoxTopology(plan: RehearsalPlan, secret: string): Promise<TopologyInput> {
  const { blueprint, stateDirectory, toolsRoot } = plan;
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
    users: [{ id: 'labwright@pve', acl: [{ path: '/', privileges: [...labwrightPrivileges] }] }],
    tokens: [
      {
        id: rehearsalTokenId,
        secret: { sha256: createHash('sha256').update(secret).digest('hex') },
        privilegeSeparation: false,
      },
    ],
    guests: { kind: 'qemu', toolsRoot, accelerator: 'tcg' },
  };
}

// The role `doctor` has its user make; the rehearsal grants no more, so a missing one shows here first.
const labwrightPrivileges = [
  'VM.Allocate',
  'VM.Audit',
  'VM.Config.CPU',
  'VM.Config.Disk',
  'VM.Config.HWType',
  'VM.Config.Memory',
  'VM.Config.Network',
  'VM.Config.Options',
  'VM.Console',
  'VM.PowerMgmt',
  'Datastore.Audit',
  'Datastore.AllocateSpace',
  'SDN.Use',
  'Sys.Audit',
  'Sys.Modify',
] as const;

function formatResolver(blueprint: Blueprint): string {
  const { network, hosts, machines, netboot, domain } = blueprint;
  return formatResolverConfig({
    address: network.gateway,
    network: network.cidr,
    domain,
    names: [
      { name: 'gateway', address: network.gateway },
      { name: 'labwright', address: netboot.address },
      ...hosts.map(({ name, address }) => ({ name, address })),
      ...machines.map(({ name, address }) => ({ name, address })),
    ],
  });
}

function makeTokenSecret(random: Random): string {
  const hex = randomHex(random, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}
