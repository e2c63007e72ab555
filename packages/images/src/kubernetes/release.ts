// The programs of one release of Kubernetes in the cache: from a mirror, from upstream, or built from Debian's source.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { LabwrightError } from '@labwright/core/errors/error';
import { acquireBuildLock, isErrno } from '../build-lock.ts';
import type { BuildContext } from '../debian-root.ts';
import { digestFile } from './digest-file.ts';
import { kubernetesBinaries, type KubernetesBinary } from './binaries.ts';
import { debianSource } from './debian-source.ts';
import { Unavailable } from './download.ts';
import type { ImagePlace } from './image-place.ts';
import { mirrorSource, upstreamSource, upstreamUrl, type ReleaseSource } from './release-sources.ts';

export interface ReleaseSpec {
  readonly version: KubernetesVersion;
  /** Folder (absolute) or http(s) URL laid out like dl.k8s.io; asked first. */
  readonly mirror?: string;
  /** https://dl.k8s.io unless another server is meant. */
  readonly upstream?: string;
}

export interface KubernetesRelease {
  readonly version: KubernetesVersion;
  readonly directory: string;
  /** Paths. */
  readonly binaries: Readonly<Record<KubernetesBinary, string>>;
  /** SHA-256, hex. */
  readonly sums: Readonly<Record<KubernetesBinary, string>>;
  /** For people: "dl.k8s.io", "Debian's source package kubernetes". */
  readonly source: string;
  /** What may have its container images, in the order in which it is asked. */
  readonly imagePlaces: readonly ImagePlace[];
  /** Its programs are not those in the published images: its own are packed here. */
  readonly packsOwn: boolean;
}

/** Written last into a folder that is then renamed, so that what is there is whole. */
interface Manifest {
  readonly source: string;
  readonly sums: Readonly<Record<KubernetesBinary, string>>;
}

const manifestName = 'release.json';

/**
 * Sources in this order: the mirror, dl.k8s.io, and for the versions it can make a build from Debian's source (minutes). What came
 * from a source stays in the cache. Throws LW4003 when no source has the version, LW4001 when a source's file does not have its
 * sum, LW4002 when a build fails.
 */
export async function ensureKubernetesRelease(spec: ReleaseSpec, context: BuildContext): Promise<KubernetesRelease> {
  return await searchSources(spec, context, {
    findKnown: async (source) => await findRelease(source, spec.version, context),
    get: async (source) => await ensureFrom(source, spec.version, context),
  });
}

/** What is in the cache of the release from this source. */
export async function findRelease(
  source: ReleaseSource,
  version: KubernetesVersion,
  context: BuildContext,
): Promise<KubernetesRelease | undefined> {
  return await readRelease(releaseFolder(context, version, source), version, source);
}

/** From the first source, in their order, that has it. Throws LW4003 when every one threw Unavailable. */
export async function searchSources<Found>(
  spec: ReleaseSpec,
  context: BuildContext,
  {
    findKnown,
    get,
  }: {
    readonly findKnown: (source: ReleaseSource) => Promise<Found | undefined>;
    readonly get: (source: ReleaseSource) => Promise<Found>;
  },
): Promise<Found> {
  const { version, mirror, upstream = upstreamUrl } = spec;
  const mirrored = mirror === undefined ? [] : [mirrorSource(mirror, upstream)];
  const refusals: string[] = [];
  // What upstream or Debian gave before is as good as asking again; a mirror that was named since is not passed over.
  for (const sources of [mirrored, [upstreamSource(upstream), debianSource]]) {
    for (const source of sources) {
      const known = await findKnown(source);
      if (known !== undefined) return known;
    }
    for (const source of sources) {
      try {
        return await get(source);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        context.onProgress(`Kubernetes ${version} is not to be had from ${source.name}: ${error.message}`);
        refusals.push(error.message.startsWith(source.name) ? error.message : `${source.name}: ${error.message}`);
      }
    }
  }
  throw new LabwrightError('LW4003', {
    what: `no source has Kubernetes ${version}`,
    where: { version },
    why: refusals.join('; '),
    fix: [
      'connect this computer to the Internet, or name a mirror in the lab file: kubernetes.mirror',
      ...(refusals.length > 0 && debianSource.versions.includes(version)
        ? []
        : [`without either, use ${debianSource.versions[0]}, which is built from Debian's source`]),
    ],
  });
}

async function ensureFrom(
  source: ReleaseSource,
  version: KubernetesVersion,
  context: BuildContext,
): Promise<KubernetesRelease> {
  const directory = releaseFolder(context, version, source);
  await ensureFolder(join(context.cacheDir, 'kubernetes'));
  const lock = await acquireBuildLock(`${directory}.lock`, context.signal, () =>
    context.onProgress(`waiting for another Labwright, which is getting Kubernetes ${version}`),
  );
  const filling = `${directory}.filling`;
  try {
    const known = await readRelease(directory, version, source);
    if (known !== undefined) return known;
    await rm(filling, { recursive: true, force: true });
    await mkdir(filling);
    await source.fill(version, filling, context);
    const sums = await Promise.all(
      kubernetesBinaries.map(async (name) => {
        await chmod(join(filling, name), 0o755);
        return [name, await digestFile(join(filling, name), context.signal)] as const;
      }),
    );
    const manifest: Manifest = { source: source.name, sums: Object.fromEntries(sums) as Manifest['sums'] };
    await writeFile(join(filling, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
    await rename(filling, directory);
    return releaseAt(directory, version, manifest, source);
  } finally {
    await rm(filling, { recursive: true, force: true });
    await lock.release();
  }
}

/** Each source has a folder of its own: the same version built by another is another program. */
export function releaseFolder(context: BuildContext, version: KubernetesVersion, source: ReleaseSource): string {
  const key = createHash('sha256').update(source.name).digest('hex').slice(0, 8);
  return join(context.cacheDir, 'kubernetes', `v${version}-${key}`);
}

async function readRelease(
  directory: string,
  version: KubernetesVersion,
  source: ReleaseSource,
): Promise<KubernetesRelease | undefined> {
  try {
    // Ours, and whole: the directory got its name after the file was written.
    const manifest = JSON.parse(await readFile(join(directory, manifestName), 'utf8')) as Manifest;
    return releaseAt(directory, version, manifest, source);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function releaseAt(
  directory: string,
  version: KubernetesVersion,
  { source: name, sums }: Manifest,
  { imagePlaces, listOwnImages }: ReleaseSource,
): KubernetesRelease {
  const paths = kubernetesBinaries.map((binary) => [binary, join(directory, binary)] as const);
  const binaries = Object.fromEntries(paths) as KubernetesRelease['binaries'];
  const packsOwn = listOwnImages !== undefined;
  return { version, directory, source: name, sums, binaries, imagePlaces, packsOwn };
}
