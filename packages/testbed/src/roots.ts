// Debian root trees that tests run programs of other people from: clients as peers, QEMU as hardware. Built once, in the cache.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianRoot, type BuildContext } from '@labwright/images/debian-root';
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';
import { clusterNodeRoot } from '@labwright/images/kubernetes/node-image';
import { nasPackages, toolPackages } from 'labwright/rehearsal/tool-packages';

const peerPackages = [
  ...['udhcpc', 'busybox', 'isc-dhcp-client', 'dhcpcd-base', 'dnsmasq-base', 'kea-admin'],
  ...['atftp', 'tftp-hpa', 'curl', 'tshark', 'tcpdump', 'dnsutils', 'iputils-ping', 'iproute2', 'procps'],
  ...['openssh-client', 'openssh-server', 'python3-proxmoxer', 'python3-requests', 'ansible'],
];

/** Clients and diagnostic tools of other people. LABWRIGHT_PEERS_ROOT names a tree made before. */
export async function peersRoot(): Promise<string> {
  return process.env['LABWRIGHT_PEERS_ROOT'] ?? (await buildRoot('peers', peerPackages));
}

/** QEMU with its firmware, as the rehearsal has it. LABWRIGHT_TOOLS_ROOT names a tree made before. */
export async function toolsRoot(): Promise<string> {
  return process.env['LABWRIGHT_TOOLS_ROOT'] ?? (await buildRoot('tools', toolPackages));
}

/** The NAS of a rehearsal. */
export async function nasRoot(): Promise<string> {
  return await buildRoot('nas', nasPackages);
}

/** What cluster machines are installed from. */
export async function nodeRoot(): Promise<string> {
  await ensureHostPrograms(imagePrograms, { ...context(), environment: process.env });
  return (await ensureDebianRoot(clusterNodeRoot, context())).directory;
}

/** Somebody else's registry of container images; unpacked only. */
export async function registryRoot(): Promise<string> {
  return (await ensureDebianRoot({ name: 'registry', packages: ['docker-registry'], kind: 'files' }, context()))
    .directory;
}

/** What uses a NAS: libnfs in the place of a kernel's NFS client, which namespaces do not have, and MariaDB's client. */
export async function nasClientsRoot(): Promise<string> {
  return await buildRoot('nas-clients', ['libnfs-utils', 'mariadb-client', 'curl', 'openssh-client']);
}

/** iPXE of Debian 13, the first that looks for an autoexec.ipxe beside itself. The folder with its files. */
export async function newIpxeFolder(): Promise<string> {
  const root = await ensureDebianRoot({ name: 'ipxe', packages: ['ipxe'], suite: 'trixie', kind: 'files' }, context());
  return join(root.directory, 'usr/lib/ipxe');
}

export function testCacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'labwright');
}

async function buildRoot(name: string, packages: readonly string[]): Promise<string> {
  await ensureHostPrograms(imagePrograms, { ...context(), environment: process.env });
  return (await ensureDebianRoot({ name, packages }, context())).directory;
}

function context(): BuildContext {
  return {
    cacheDir: testCacheDirectory(),
    signal: new AbortController().signal,
    onProgress: (message) => console.log(message),
  };
}
