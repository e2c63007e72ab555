// The programs a control plane is made of, for tests: Kubernetes from a folder beside the repository or from where the product
// gets it, etcd from Debian.
import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type KubernetesVersion, kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { LabwrightError } from '@labwright/core/errors/error';
import { acquireBuildLock } from '@labwright/images/build-lock';
import { type BuildContext, ensureDebianRoot } from '@labwright/images/debian-root';
import { binaryPath, kubernetesBinaries, type KubernetesBinary } from '@labwright/images/kubernetes/binaries';
import { ensureKubernetesRelease } from '@labwright/images/kubernetes/release';
import { testCacheDirectory } from '../roots.ts';

export interface ControlPlanePrograms {
  readonly version: KubernetesVersion;
  readonly kubernetes: Readonly<Record<KubernetesBinary, string>>;
  readonly etcd: string;
  readonly etcdctl: string;
}

export type FoundPrograms =
  | { readonly kind: 'there'; readonly programs: ControlPlanePrograms }
  | { readonly kind: 'missing'; readonly why: string };

/** What the fixture runs unless a test asks for another. */
export const testVersion = kubernetesVersion('1.20.2');

/** Compressed binaries with an `unpack.sh`, where a checkout has them. */
const besideRepository = join(import.meta.dirname, '../../../../../shared/kubernetes');

/**
 * Paths of the programs, made ready once in the cache: call it outside tools/in-testbed first, which has no network.
 * LABWRIGHT_KUBERNETES names a folder laid out like dl.k8s.io, LABWRIGHT_ETCD_ROOT a root tree with etcd. A test that finds them missing prints the reason and skips.
 */
export async function findPrograms(version: KubernetesVersion = testVersion): Promise<FoundPrograms> {
  const context: BuildContext = {
    cacheDir: testCacheDirectory(),
    signal: new AbortController().signal,
    onProgress: (message) => console.log(message),
  };
  const root = await findEtcdRoot(context);
  const [etcd, etcdctl] = [join(root, 'usr/bin/etcd'), join(root, 'usr/bin/etcdctl')];
  try {
    const kubernetes = await findKubernetes(version, context);
    return { kind: 'there', programs: { version, kubernetes, etcd, etcdctl } };
  } catch (error) {
    if (!(error instanceof LabwrightError)) throw error;
    const why = `no programs of Kubernetes ${version}: ${error.why ?? error.message}`;
    console.warn(`skipped: ${why}`);
    return { kind: 'missing', why };
  }
}

/** A folder laid out like dl.k8s.io with test releases in it, if there is one: what a lab file names as its mirror. */
export async function findKubernetesMirror(
  context: Pick<BuildContext, 'cacheDir' | 'signal' | 'onProgress'>,
): Promise<string | undefined> {
  const named = process.env['LABWRIGHT_KUBERNETES'];
  if (named !== undefined) return named;
  const script = join(besideRepository, 'unpack.sh');
  if (!(await exists(script))) return undefined;
  const unpacked = join(context.cacheDir, 'kubernetes-unpacked');
  await mkdir(unpacked, { recursive: true });
  const lock = await acquireBuildLock(`${unpacked}.lock`, context.signal, () =>
    context.onProgress('waiting for another Labwright, which is unpacking Kubernetes'),
  );
  try {
    await promisify(execFile)('setpriv', ['--pdeathsig', 'KILL', script, unpacked], { signal: context.signal });
  } finally {
    await lock.release();
  }
  return unpacked;
}

async function findEtcdRoot(context: BuildContext): Promise<string> {
  const packages = ['etcd-server', 'etcd-client'];
  return (
    process.env['LABWRIGHT_ETCD_ROOT'] ??
    (await ensureDebianRoot({ name: 'etcd', packages, kind: 'files' }, context)).directory
  );
}

async function findKubernetes(
  version: KubernetesVersion,
  context: BuildContext,
): Promise<ControlPlanePrograms['kubernetes']> {
  const mirror = await findKubernetesMirror(context);
  if (mirror !== undefined && (await exists(join(mirror, binaryPath(version, 'kube-apiserver'))))) {
    const paths = kubernetesBinaries.map((name) => [name, join(mirror, binaryPath(version, name))] as const);
    return Object.fromEntries(paths) as ControlPlanePrograms['kubernetes'];
  }
  return (await ensureKubernetesRelease({ version }, context)).binaries;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
