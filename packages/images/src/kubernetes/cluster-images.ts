// The container images of a cluster, named as the pinned kubeadm names them: pulled from where it was published, or packed from
// its programs and Debian's.
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureDebianRoot, type BuildContext } from '../debian-root.ts';
import { readProgramsWithLibraries } from '../debian/foreign-program.ts';
import { acquireBuildLock, isErrno } from '../build-lock.ts';
import { runOrFail } from '../program.ts';
import { imageBinaries } from './binaries.ts';
import { packImage, type ImageEntry, type ImageSpec } from './container-image.ts';
import { Unavailable } from './download.ts';
import { ImageStore, type Descriptor } from './image-store.ts';
import { partPackages } from './packages.ts';
import { pullImage } from './registry-pull.ts';
import type { KubernetesRelease } from './release.ts';

/** Changes whenever the way the images are packed does. */
const recipe = 2;

/** Whole names, in the order kubeadm lists them. */
export interface ClusterImageNames {
  readonly all: readonly string[];
  readonly pause: string;
  readonly etcd: string;
  readonly kubeProxy: string;
  readonly coreDns: string;
}

export interface ClusterImages {
  readonly names: ClusterImageNames;
  /** By name; without CoreDNS where no source has it. */
  readonly manifests: ReadonlyMap<string, Descriptor>;
}

/** What this very kubeadm would pull. LW4002 when it does not run here. */
export async function readImageNames(release: KubernetesRelease, signal: AbortSignal): Promise<ClusterImageNames> {
  const listed = await runOrFail(
    {
      program: release.binaries.kubeadm,
      args: ['config', 'images', 'list', '--kubernetes-version', `v${release.version}`],
      signal,
      install: 'clear the image cache',
    },
    `kubeadm ${release.version} did not say which images it wants`,
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

/** `node` is the root that cluster machines are installed from: kube-proxy gets the iptables that their kubelet uses. */
export async function ensureClusterImages(
  release: KubernetesRelease,
  node: { readonly directory: string; readonly key: string },
  context: BuildContext,
): Promise<ClusterImages> {
  const { signal, onProgress } = context;
  const names = await readImageNames(release, signal);
  const store = await ImageStore.open(context.cacheDir);
  const parts = await ensureDebianRoot({ name: 'kubernetes-parts', packages: partPackages, kind: 'files' }, context);
  // One image a machine's cache has under the same name may be of another source; the record says which it is of.
  const key = createHash('sha256')
    .update(JSON.stringify([recipe, release.sums, parts.key, node.key]))
    .digest('hex');
  const lock = await acquireBuildLock(join(store.directory, 'pack.lock'), signal, () =>
    onProgress('waiting for another Labwright, which is packing container images'),
  );
  try {
    const pulled = await findPulled(store, release, names, context);
    if (pulled !== undefined) return { names, manifests: pulled };
    const known = await findPacked(store, names, key);
    if (known !== undefined) return { names, manifests: known };
    onProgress(`packing the container images of Kubernetes ${release.version}`);
    const manifests = new Map<string, Descriptor>();
    for (const spec of await describeImages(release, names, { parts: parts.directory, node: node.directory }, signal)) {
      const labelled = { ...spec, labels: { ...spec.labels, [keyLabel]: key } };
      const manifest = await packImage(store, labelled, signal);
      for (const name of spec.names) manifests.set(name, manifest);
    }
    return { names, manifests };
  } finally {
    await lock.release();
  }
}

/** As they are published, when the release's source has a registry with all of them; in the cache from then on. */
async function findPulled(
  store: ImageStore,
  { registry, directory }: KubernetesRelease,
  names: ClusterImageNames,
  context: BuildContext,
): Promise<ReadonlyMap<string, Descriptor> | undefined> {
  if (registry === undefined) return undefined;
  const record = join(directory, 'images.json');
  const known = await readPulled(record, store);
  if (known !== undefined) return known;
  const manifests = new Map<string, Descriptor>();
  try {
    for (const name of names.all) manifests.set(name, await pullImage(store, name, registry, context));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    context.onProgress(`container images are packed here, because ${error.message}`);
    return undefined;
  }
  await writeFile(`${record}.new`, JSON.stringify([...manifests]));
  await rename(`${record}.new`, record);
  return manifests;
}

async function readPulled(record: string, store: ImageStore): Promise<ReadonlyMap<string, Descriptor> | undefined> {
  try {
    const manifests = new Map(JSON.parse(await readFile(record, 'utf8')) as readonly [string, Descriptor][]);
    const found = await Promise.all([...manifests.values()].map(async ({ digest }) => await store.findBlob(digest)));
    return found.includes(undefined) ? undefined : manifests;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const keyLabel = 'dev.labwright.packed-from';

/** The images of the store when every one that can be packed is there, packed from the same. */
async function findPacked(
  store: ImageStore,
  names: ClusterImageNames,
  key: string,
): Promise<ReadonlyMap<string, Descriptor> | undefined> {
  const manifests = new Map<string, Descriptor>();
  for (const name of names.all) {
    if (name === names.coreDns) continue;
    const manifest = await store.findManifest(name);
    if (manifest === undefined || (await store.readLabels(manifest))[keyLabel] !== key) return undefined;
    manifests.set(name, manifest);
  }
  return manifests;
}

async function describeImages(
  release: KubernetesRelease,
  names: ClusterImageNames,
  roots: { readonly parts: string; readonly node: string },
  signal: AbortSignal,
): Promise<readonly ImageSpec[]> {
  const tmp: ImageEntry = { kind: 'directory', path: 'tmp', mode: 0o1777 };
  const programs = imageBinaries.map((binary): ImageSpec => ({
    names: names.all.filter((name) => name.replace(/:[^:/]*$/, '').endsWith(`/${binary}`)),
    entries: [tmp, { kind: 'copy', path: `usr/local/bin/${binary}`, mode: 0o755, from: release.binaries[binary] }],
  }));
  const proxyTools = await readPacketFilter(roots.node, signal);
  return [
    ...programs.map((spec) =>
      spec.names.includes(names.kubeProxy) ? { ...spec, entries: [...spec.entries, ...proxyTools] } : spec,
    ),
    {
      names: [names.etcd],
      entries: [tmp, ...(await readPrograms(roots.parts, ['/usr/bin/etcd', '/usr/bin/etcdctl'], signal))],
      labels: { 'org.opencontainers.image.source': 'Debian etcd-server' },
    },
    {
      names: [names.pause],
      // -P: do nothing but wait and reap, as the usual pause program does. It is linked statically.
      entries: [{ kind: 'copy', path: 'pause', mode: 0o755, from: join(roots.parts, 'usr/bin/catatonit') }],
      entrypoint: ['/pause', '-P'],
      labels: { 'org.opencontainers.image.source': 'Debian catatonit' },
    },
  ];
}

const packetFilterPrograms = ['/usr/sbin/xtables-nft-multi', '/usr/sbin/conntrack'];
const packetFilterNames = ['iptables', 'iptables-save', 'iptables-restore'].flatMap((name) => [
  name,
  name.replace('iptables', 'ip6tables'),
]);
const extensions = '/usr/lib/x86_64-linux-gnu/xtables';

/** iptables and conntrack of the machines themselves: two kinds of iptables on one machine do not see each other's rules. */
export async function readPacketFilter(node: string, signal: AbortSignal): Promise<readonly ImageEntry[]> {
  const modules = (await readdir(join(node, extensions))).filter((name) => name.endsWith('.so'));
  const links = packetFilterNames.map((name): ImageEntry => ({
    kind: 'link',
    path: `usr/sbin/${name}`,
    target: 'xtables-nft-multi',
  }));
  // The modules have libraries of their own: the one that spreads connections over a Service's pods computes with libm.
  const opened = modules.map((name) => `${extensions}/${name}`);
  return [...(await readPrograms(node, [...packetFilterPrograms, ...opened], signal)), ...links];
}

export async function readPrograms(
  root: string,
  programs: readonly string[],
  signal: AbortSignal,
): Promise<readonly ImageEntry[]> {
  const entries = await readProgramsWithLibraries(root, programs, signal);
  return entries.flatMap((entry): ImageEntry[] => (entry.kind === 'file' ? [entry] : []));
}
