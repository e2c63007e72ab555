// A folder with an OCI image layout (image-spec v1.0, image-layout.md) as a repository of one image: what `skopeo copy … oci:FOLDER:NAME`
// writes, what `ctr images export` writes once it is unpacked, and what a cache of ours has in container-images.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../build-lock.ts';
import { copyChecked, Unavailable } from './download.ts';
import { mediaTypes, parseDigest, type Digest } from './image-store.ts';
import type { ImageRepository } from './image-transfer.ts';

/** Where the image's whole name stands: containerd's own key, and what others write in its place. */
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

export function openLayout(folder: string, name: string, signal: AbortSignal): ImageRepository {
  const blob = (digest: Digest): string => join(folder, 'blobs/sha256', digest.slice('sha256:'.length));
  const types = new Map<Digest, string>();
  const find = async (): Promise<Digest> => {
    for (const { digest, mediaType, annotations } of await readIndex(folder)) {
      if (!nameAnnotations.some((key) => annotations?.[key] === name)) continue;
      const parsed = parseDigest(digest ?? '');
      if (parsed === undefined || mediaType === undefined) break;
      types.set(parsed, mediaType);
      return parsed;
    }
    throw new Unavailable(`${folder} has no image ${name}`);
  };
  return {
    readManifest: async (wanted) => {
      const digest = wanted ?? (await find());
      const bytes = await readIfThere(blob(digest));
      if (bytes === undefined) throw new Unavailable(`${folder} lists ${name} and does not have all of it (${digest})`);
      return { bytes, mediaType: types.get(digest) ?? typeOf(bytes) };
    },
    saveBlob: async ({ digest, size }, file) => {
      const from = blob(digest);
      const expected = { sha256: digest.slice('sha256:'.length), maxBytes: size, from };
      return await copyChecked(from, file, expected, signal).catch((error: unknown) => {
        if (!isErrno(error, 'ENOENT')) throw error;
        throw new Unavailable(`${folder} lists ${name} and does not have all of it (${digest})`, { cause: error });
      });
    },
  };
}

interface LayoutEntry {
  readonly digest?: string;
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function readIndex(folder: string): Promise<readonly LayoutEntry[]> {
  const file = join(folder, 'index.json');
  const bytes = await readIfThere(file);
  if (bytes === undefined) throw new Unavailable(`there are no container images in ${folder}`);
  try {
    const { manifests } = JSON.parse(bytes.toString('utf8')) as { readonly manifests?: readonly LayoutEntry[] };
    if (Array.isArray(manifests)) return manifests;
  } catch {
    // Said below.
  }
  throw new Unavailable(`${file} is not the index of an image layout`);
}

/** A manifest says itself what it is, as the entry that led to it does. */
function typeOf(bytes: Buffer): string {
  try {
    return (JSON.parse(bytes.toString('utf8')) as { readonly mediaType?: string }).mediaType ?? mediaTypes.manifest;
  } catch {
    return '';
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
