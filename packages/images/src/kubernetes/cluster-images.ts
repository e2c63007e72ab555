// The container images of a cluster, named as the pinned kubeadm names them: as they are published, or, for releases that want the
// etcd that Debian has, packed from the release's programs and Debian's.
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureDebianRoot, type BuildContext } from '../debian-root.ts';
import { readProgramsWithLibraries } from '../debian/foreign-program.ts';
import { acquireBuildLock, isErrno } from '../build-lock.ts';
import { imageBinaries } from './binaries.ts';
import { packImage, type ImageEntry, type ImageSpec } from './container-image.ts';
import { Unavailable } from './download.ts';
import { canBePacked, readImageNames, type ClusterImageNames } from './image-names.ts';
import { takeFromPlaces, triesOfNeeded } from './image-place.ts';
import { ImageStore, type Descriptor } from './image-store.ts';
import { missingImage } from './missing-image.ts';
import { partPackages } from './packages.ts';
import type { KubernetesRelease } from './release.ts';

/** Changes whenever the way the images are packed does. */
const recipe = 2;

export interface ClusterImages {
  readonly names: ClusterImageNames;
  /** By name; without CoreDNS where no source has it. */
  readonly manifests: ReadonlyMap<string, Descriptor>;
}

/**
 * `node` is the root that cluster machines are installed from: kube-proxy gets the iptables that their kubelet uses. LW4004 when an
 * image is neither to be had nor to be packed here.
 */
export async function ensureClusterImages(
  release: KubernetesRelease,
  node: { readonly directory: string; readonly key: string },
  context: BuildContext,
): Promise<ClusterImages> {
  const { signal, onProgress } = context;
  const names = await readImageNames(release.binaries.kubeadm, release.version, signal);
  const store = await ImageStore.open(context.cacheDir);
  const lock = await acquireBuildLock(join(store.directory, 'pack.lock'), signal, () =>
    onProgress('waiting for another Labwright, which is getting container images'),
  );
  try {
    const manifests = canBePacked(names)
      ? await packOrPull(store, release, names, node, context)
      : await pull(store, release, names, context);
    const coreDns = await store.findManifest(names.coreDns);
    return { names, manifests: coreDns === undefined ? manifests : new Map([...manifests, [names.coreDns, coreDns]]) };
  } finally {
    await lock.release();
  }
}

async function packOrPull(
  store: ImageStore,
  release: KubernetesRelease,
  names: ClusterImageNames,
  node: { readonly directory: string; readonly key: string },
  context: BuildContext,
): Promise<ReadonlyMap<string, Descriptor>> {
  const { signal, onProgress } = context;
  const parts = await ensureDebianRoot({ name: 'kubernetes-parts', packages: partPackages, kind: 'files' }, context);
  // One image a machine's cache has under the same name may be of another source; the record says which it is of.
  const key = createHash('sha256')
    .update(JSON.stringify([recipe, release.sums, parts.key, node.key]))
    .digest('hex');
  const known = (await readPulled(store, release)) ?? (await findPacked(store, names, key));
  if (known !== undefined) return known;
  if (!release.packsOwn) {
    try {
      return await pullAll(store, release, names, 1, context);
    } catch (error) {
      if (!(error instanceof LabwrightError) || error.code !== 'LW4004') throw error;
      onProgress(`container images are packed here, because ${error.message}: ${error.why}`);
    }
  }
  onProgress(`packing the container images of Kubernetes ${release.version}`);
  const manifests = new Map<string, Descriptor>();
  for (const spec of await describeImages(release, names, { parts: parts.directory, node: node.directory }, signal)) {
    const labelled = { ...spec, labels: { ...spec.labels, [keyLabel]: key } };
    const manifest = await packImage(store, labelled, signal);
    for (const name of spec.names) manifests.set(name, manifest);
  }
  await tryCoreDns(store, release, names, 1, context);
  return manifests;
}

async function pull(
  store: ImageStore,
  release: KubernetesRelease,
  names: ClusterImageNames,
  context: BuildContext,
): Promise<ReadonlyMap<string, Descriptor>> {
  return (await readPulled(store, release)) ?? (await pullAll(store, release, names, triesOfNeeded, context));
}

/** Every one as it is published, or LW4004; in the cache from then on. Without CoreDNS when only that is not to be had. */
async function pullAll(
  store: ImageStore,
  release: KubernetesRelease,
  names: ClusterImageNames,
  tries: number,
  context: BuildContext,
): Promise<ReadonlyMap<string, Descriptor>> {
  const asked = { places: release.imagePlaces, tries };
  const manifests = new Map<string, Descriptor>();
  for (const name of names.all) {
    if (name === names.coreDns) continue;
    try {
      manifests.set(name, await takeFromPlaces(store, name, asked, context));
    } catch (error) {
      if (error instanceof Unavailable) throw missingImage(name, release.version, error);
      throw error;
    }
  }
  await tryCoreDns(store, release, names, tries, context);
  const record = recordOf(release);
  await writeFile(`${record}.new`, JSON.stringify([...manifests]));
  await rename(`${record}.new`, record);
  return manifests;
}

/** By itself: a cluster can do without it where we resolve names for its pods. */
async function tryCoreDns(
  store: ImageStore,
  { imagePlaces: places }: KubernetesRelease,
  { coreDns }: ClusterImageNames,
  tries: number,
  context: BuildContext,
): Promise<void> {
  try {
    if ((await store.findManifest(coreDns)) === undefined)
      await takeFromPlaces(store, coreDns, { places, tries }, context);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    context.onProgress(`${coreDns} is not to be had: ${error.message}`);
  }
}

/** For a cluster that cannot do without it: in the store, from which machines get what their image does not have. LW4004. */
export async function ensureCoreDns(
  { binaries, version, imagePlaces: places }: KubernetesRelease,
  context: BuildContext,
): Promise<void> {
  const { coreDns } = await readImageNames(binaries.kubeadm, version, context.signal);
  const store = await ImageStore.open(context.cacheDir);
  if ((await store.findManifest(coreDns)) !== undefined) return;
  try {
    await takeFromPlaces(store, coreDns, { places, tries: triesOfNeeded }, context);
  } catch (error) {
    if (error instanceof Unavailable) throw missingImage(coreDns, version, error);
    throw error;
  }
}

const recordOf = ({ directory }: Pick<KubernetesRelease, 'directory'>): string => join(directory, 'images.json');

/** By name, as they were pulled for this very release. */
export async function readPulled(
  store: ImageStore,
  release: Pick<KubernetesRelease, 'directory'>,
): Promise<ReadonlyMap<string, Descriptor> | undefined> {
  try {
    const record = await readFile(recordOf(release), 'utf8');
    const manifests = new Map(JSON.parse(record) as readonly [string, Descriptor][]);
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
