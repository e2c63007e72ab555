// One image for linux/amd64 out of a repository into the store, wherever the repository is: a registry, a folder. Every blob is
// checked against its digest on the way.
import { createHash } from 'node:crypto';
import { Unavailable } from './download.ts';
import { mediaTypes, parseDigest, type Descriptor, type Digest, type ImageStore } from './image-store.ts';

/** Docker's own names for the same things; images that are older than OCI have them. */
export const indexTypes = [mediaTypes.index, 'application/vnd.docker.distribution.manifest.list.v2+json'];
export const manifestTypes = [mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json'];

export const largestManifestBytes = 4 * 2 ** 20;
const largestLayerBytes = 2 ** 30;
const mostLayers = 128;

export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What one image is taken out of. Both throw Unavailable for what it does not have. */
export interface ImageRepository {
  /** By digest, or without one what the image's name stands for. */
  readonly readManifest: (digest?: Digest) => Promise<StoredManifest>;
  /** Writes a new file; LW4001, and no file, when it is not what its digest says. Gives its size. */
  readonly saveBlob: (blob: Descriptor, file: string) => Promise<number>;
}

/** Tells what the repository has under the name, and takes nothing. Throws Unavailable when that is no image for linux/amd64. */
export async function findImage(name: string, repository: ImageRepository): Promise<ImageManifest> {
  const found = await repository.readManifest();
  const manifest = isIndex(found)
    ? await readChecked(repository, choosePlatform(parseJson(found, name), name), name)
    : found;
  if (!manifestTypes.includes(manifest.mediaType)) {
    throw new Unavailable(`${name} is of type ${manifest.mediaType}, which is no image`);
  }
  return { ...manifest, ...parseManifest(parseJson(manifest, name), name) };
}

export interface ImageManifest extends StoredManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Throws Unavailable when the repository does not have the image or cannot be asked, LW4001 for a blob that is another. */
export async function takeImage(
  store: ImageStore,
  name: string,
  repository: ImageRepository,
  signal: AbortSignal,
): Promise<Descriptor> {
  const { mediaType, bytes, config, layers } = await findImage(name, repository);
  for (const blob of [config, ...layers]) {
    if ((await store.findBlob(blob.digest)) !== undefined) continue;
    await store.putFile(blob.mediaType, async (file) => ({
      digest: blob.digest,
      size: await repository.saveBlob(blob, file),
    }));
  }
  // Last: a manifest in the store has all it names.
  const descriptor = await store.putBytes(mediaType, bytes);
  await store.tag(name, descriptor, signal);
  return descriptor;
}

const isIndex = ({ mediaType }: StoredManifest): boolean => indexTypes.includes(mediaType);

async function readChecked(repository: ImageRepository, digest: Digest, name: string): Promise<StoredManifest> {
  const manifest = await repository.readManifest(digest);
  const found = `sha256:${createHash('sha256').update(manifest.bytes).digest('hex')}`;
  if (found !== digest)
    throw new Unavailable(`the manifest of ${name} is ${found}, not the ${digest} that it was asked for`);
  if (isIndex(manifest)) throw new Unavailable(`${name} lists a list of images`);
  return manifest;
}

function parseJson({ bytes }: StoredManifest, name: string): unknown {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // Said below.
  }
  throw new Unavailable(`the manifest of ${name} is not JSON`);
}

function choosePlatform(index: unknown, name: string): Digest {
  const { manifests } = index as {
    readonly manifests?: readonly {
      readonly digest?: string;
      readonly platform?: { readonly os?: string; readonly architecture?: string };
    }[];
  };
  const fitting = manifests?.find(({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64');
  const digest = parseDigest(fitting?.digest ?? '');
  if (digest === undefined) throw new Unavailable(`${name} is not made for linux/amd64`);
  return digest;
}

function parseManifest(
  manifest: unknown,
  name: string,
): { readonly config: Descriptor; readonly layers: readonly Descriptor[] } {
  const { config, layers } = manifest as { readonly config?: unknown; readonly layers?: unknown };
  if (!isDescriptor(config) || !Array.isArray(layers) || layers.length > mostLayers || !layers.every(isDescriptor)) {
    throw new Unavailable(`the manifest of ${name} is not one of an image`);
  }
  return { config, layers };
}

function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, size, mediaType } = value as Readonly<Record<string, unknown>>;
  if (typeof digest !== 'string' || parseDigest(digest) === undefined || typeof mediaType !== 'string') return false;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && size <= largestLayerBytes;
}
