// Debian root trees that tests run programs of other people from: clients as peers, QEMU as hardware. Built once, in the cache.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianRoot } from '@labwright/images/debian-root';
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';
import { toolPackages } from 'labwright/rehearsal/tool-packages';

const peerPackages = [
  ...['udhcpc', 'busybox', 'isc-dhcp-client', 'dhcpcd-base', 'dnsmasq-base', 'kea-admin'],
  ...['atftp', 'tftp-hpa', 'curl', 'tshark', 'tcpdump', 'dnsutils', 'iputils-ping', 'iproute2', 'procps'],
  ...['openssh-client', 'python3-proxmoxer', 'python3-requests', 'ansible'],
];

/** Clients and diagnostic tools of other people. LABWRIGHT_PEERS_ROOT names a tree made before. */
export async function peersRoot(): Promise<string> {
  return process.env['LABWRIGHT_PEERS_ROOT'] ?? (await buildRoot('peers', peerPackages));
}

/** QEMU with its firmware, as the rehearsal has it. LABWRIGHT_TOOLS_ROOT names a tree made before. */
export async function toolsRoot(): Promise<string> {
  return process.env['LABWRIGHT_TOOLS_ROOT'] ?? (await buildRoot('tools', toolPackages));
}

export function testCacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'labwright');
}

async function buildRoot(name: string, packages: readonly string[]): Promise<string> {
  const context = {
    cacheDir: testCacheDirectory(),
    signal: new AbortController().signal,
    onProgress: (message: string) => console.log(message),
  };
  await ensureHostPrograms(imagePrograms, { ...context, environment: process.env });
  return (await ensureDebianRoot({ name, packages }, context)).directory;
}
