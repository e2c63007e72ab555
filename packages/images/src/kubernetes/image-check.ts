// Whether the container images of a version are to be had, asked before anything is made: of the release only kubeadm is fetched.
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { acquireBuildLock, isErrno } from '../build-lock.ts';
import type { BuildContext } from '../debian-root.ts';
import { readPulled } from './cluster-images.ts';
import { Unavailable } from './download.ts';
import { canBePacked, parseImageNames, readImageNames, type ClusterImageNames } from './image-names.ts';
import { assertInPlaces, triesOfNeeded, type ImagePlace } from './image-place.ts';
import { ImageStore } from './image-store.ts';
import { missingImage } from './missing-image.ts';
import { findRelease, releaseFolder, searchSources, type ReleaseSpec } from './release.ts';
import type { ReleaseSource } from './release-sources.ts';

interface WantedImages {
  readonly names: ClusterImageNames;
  readonly places: readonly ImagePlace[];
  /** Of the release in the cache, or where it will be. */
  readonly directory: string;
}

/**
 * For a cluster that needs all of them, CoreDNS too. Throws LW4004 for one that is neither here, nor to be packed here, nor to be had,
 * and what ensureKubernetesRelease throws for a version that nobody has.
 */
export async function assertImagesToBeHad(spec: ReleaseSpec, context: BuildContext): Promise<void> {
  const { names, places, directory } = await findWantedImages(spec, context);
  const store = await ImageStore.open(context.cacheDir);
  const pulled = (await readPulled(store, { directory })) ?? new Map<string, unknown>();
  for (const name of names.all) {
    const isCoreDns = name === names.coreDns;
    if (isCoreDns ? (await store.findManifest(name)) !== undefined : canBePacked(names) || pulled.has(name)) continue;
    try {
      await assertInPlaces(name, { places, tries: triesOfNeeded }, context.signal);
    } catch (error) {
      if (error instanceof Unavailable) throw missingImage(name, spec.version, error);
      throw error;
    }
  }
}

async function findWantedImages(spec: ReleaseSpec, context: BuildContext): Promise<WantedImages> {
  const { version } = spec;
  const wantedOf = (source: ReleaseSource, names: ClusterImageNames): WantedImages => ({
    names,
    places: source.imagePlaces,
    directory: releaseFolder(context, version, source),
  });
  return await searchSources(spec, context, {
    findKnown: async (source) => {
      const names = await findNames(source, version, context);
      return names === undefined ? undefined : wantedOf(source, names);
    },
    get: async (source) => wantedOf(source, await askForNames(source, version, context)),
  });
}

/** By the release in the cache, or by what its kubeadm said when it was asked before. */
async function findNames(
  source: ReleaseSource,
  version: KubernetesVersion,
  context: BuildContext,
): Promise<ClusterImageNames | undefined> {
  const release = await findRelease(source, version, context);
  if (release !== undefined) return await readImageNames(release.binaries.kubeadm, version, context.signal);
  try {
    return parseImageNames(await readFile(listOf(releaseFolder(context, version, source)), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const listOf = (directory: string): string => `${directory}.image-names`;

async function askForNames(
  source: ReleaseSource,
  version: KubernetesVersion,
  context: BuildContext,
): Promise<ClusterImageNames> {
  const own = source.listOwnImages?.(version);
  if (own !== undefined) return parseImageNames(own.join('\n'));
  const directory = releaseFolder(context, version, source);
  await ensureFolder(join(context.cacheDir, 'kubernetes'));
  const lock = await acquireBuildLock(`${directory}.lock`, context.signal, () =>
    context.onProgress(`waiting for another Labwright, which is getting Kubernetes ${version}`),
  );
  const asking = `${directory}.asking`;
  try {
    const known = await findNames(source, version, context);
    if (known !== undefined) return known;
    await rm(asking, { recursive: true, force: true });
    await mkdir(asking);
    await source.fill(version, asking, context, ['kubeadm']);
    const kubeadm = join(asking, 'kubeadm');
    await chmod(kubeadm, 0o755);
    const names = await readImageNames(kubeadm, version, context.signal);
    await writeFile(join(asking, 'list'), names.all.map((name) => `${name}\n`).join(''));
    await rename(join(asking, 'list'), listOf(directory));
    return names;
  } finally {
    await rm(asking, { recursive: true, force: true });
    await lock.release();
  }
}
