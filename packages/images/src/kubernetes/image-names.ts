// The names of the container images that a release of Kubernetes is made of, as its own kubeadm gives them.
import { LabwrightError } from '@labwright/core/errors/error';
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { runOrFail } from '../program.ts';

/** Whole names, in the order kubeadm lists them. */
export interface ClusterImageNames {
  readonly all: readonly string[];
  readonly pause: string;
  readonly etcd: string;
  readonly kubeProxy: string;
  readonly coreDns: string;
}

/** What this very kubeadm would pull. LW4002 when it does not run here. */
export async function readImageNames(
  kubeadm: string,
  version: KubernetesVersion,
  signal: AbortSignal,
): Promise<ClusterImageNames> {
  const listed = await runOrFail(
    {
      program: kubeadm,
      args: ['config', 'images', 'list', '--kubernetes-version', `v${version}`],
      signal,
      install: 'clear the image cache',
    },
    `kubeadm ${version} did not say which images it wants`,
  );
  return parseImageNames(Buffer.from(listed).toString('utf8'));
}

export function parseImageNames(listed: string): ClusterImageNames {
  const all = listed.split('\n').filter((line) => line !== '');
  const named = (word: string): string => {
    const found = all.find((name) => name.replace(/:[^:/]*$/, '').endsWith(`/${word}`));
    if (found !== undefined) return found;
    throw new LabwrightError('LW4002', {
      what: `kubeadm names no image for ${word}`,
      why: `it lists ${all.join(' ')}`,
    });
  };
  return {
    all,
    pause: named('pause'),
    etcd: named('etcd'),
    kubeProxy: named('kube-proxy'),
    coreDns: named('coredns'),
  };
}

/**
 * Whether its images can be packed here: then kubeadm gives etcd flags for 3.4, which is the etcd that Debian has. Later ones get
 * flags that 3.4 does not know, and write data that it does not read.
 */
export function canBePacked({ etcd }: ClusterImageNames): boolean {
  return /:3\.4\.\d+(-|$)/.test(etcd);
}
