// When the certificates of a cluster end: our authorities, and what each control plane uses.
import type { HostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { getExpiry } from '../pki/authority.ts';
import type { ClusterPki } from '../pki/pki.ts';
import { readGuestFile } from './kubeadm-job.ts';
import type { OpenShell, ShellResult } from './shell.ts';

export interface CertificateExpiry {
  /** "apiserver", "etcd/peer", "admin.conf", "kubelet". */
  readonly name: string;
  /** Milliseconds since 1970 UTC. */
  readonly expiresAt: number;
}

export function listAuthorities(pki: ClusterPki): readonly CertificateExpiry[] {
  const authorities = [
    ['ca', pki.ca],
    ['front-proxy-ca', pki.frontProxyCa],
    ['etcd/ca', pki.etcdCa],
  ] as const;
  return authorities.map(([name, { certificate }]) => ({ name, expiresAt: getExpiry(certificate) }));
}

/**
 * What a control plane uses, the soonest to end first; without the authorities, which are the same everywhere. Throws what the
 * shell throws, and LW6036 when they cannot be read there: that is not the same as none.
 */
export async function fetchCertificates(
  openShell: OpenShell,
  machine: HostName,
  call: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly CertificateExpiry[]> {
  const result = await openShell(machine)(['sudo', 'sh', '-s'], { ...call, stdin: readGuestFile('certificates.sh') });
  if (result.exitCode !== 0) throw unreadable(machine, result);
  return parseCertificates(result.stdout);
}

function unreadable(machine: HostName, { exitCode, stderr }: ShellResult): LabwrightError {
  return new LabwrightError('LW6036', {
    what: `the certificates of ${machine} could not be read, so nobody knows when they end`,
    where: { machine },
    why: stderr.trim() || `the shell there ended with exit code ${exitCode}`,
    fix: [`look what it says: ssh ${machine} sudo ls -l /etc/kubernetes/pki`, 'labwright cluster certs'],
  });
}

export function parseCertificates(text: string): readonly CertificateExpiry[] {
  const found = text.split(/^file /m).flatMap((part) => {
    const path = part.split('\n', 1)[0] ?? '';
    const pem = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(part)?.[0];
    const name = nameOf(path);
    return pem === undefined || /(^|\/)(front-proxy-)?ca$/.test(name) ? [] : [{ name, expiresAt: getExpiry(pem) }];
  });
  return found.toSorted((one, other) => one.expiresAt - other.expiresAt);
}

function nameOf(path: string): string {
  if (path.startsWith('/var/lib/kubelet/')) return 'kubelet';
  return path.replace(/^\/etc\/kubernetes\/(pki\/)?/, '').replace(/\.crt$/, '');
}
