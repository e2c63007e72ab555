// Container images on disk, as an OCI image layout (image-spec v1.0, image-layout.md): blobs by digest, and an index of names.
//
//   container-images/
//     oci-layout                    {"imageLayoutVersion": "1.0.0"}
//     index.json                    descriptor of each image, its whole name as an annotation
//     blobs/sha256/HEX              layers, configurations, manifests
//     incoming-*                    not whole yet
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acquireBuildLock, isErrno } from '../build-lock.ts';

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  /** Not compressed: a machine without KVM would pay more for unpacking than for the bytes. */
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** "sha256:HEX" */
export type Digest = `sha256:${string}`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

interface NamedDescriptor extends Descriptor {
  readonly annotations: { readonly [nameAnnotation]: string };
}

interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly NamedDescriptor[];
}

/** containerd takes the whole name from here; `org.opencontainers.image.ref.name` may hold a tag only. */
const nameAnnotation = 'io.containerd.image.name';

export interface StoredBlob {
  readonly path: string;
  readonly size: number;
}

export class ImageStore {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** The one of a cache; made when it is not there. */
  static async open(cacheDir: string): Promise<ImageStore> {
    const directory = join(cacheDir, 'container-images');
    await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
    await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}\n');
    return new ImageStore(directory);
  }

  /** A manifest (or index) by the image's whole name, "registry.k8s.io/pause:3.10". */
  async findManifest(name: string): Promise<Descriptor | undefined> {
    return (await this.#readIndex()).manifests.find((each) => each.annotations[nameAnnotation] === name);
  }

  async listNames(): Promise<readonly string[]> {
    return (await this.#readIndex()).manifests.map((each) => each.annotations[nameAnnotation]);
  }

  async findBlob(digest: Digest): Promise<StoredBlob | undefined> {
    const path = this.blobPath(digest);
    try {
      return { path, size: (await stat(path)).size };
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Of the image's configuration; none for a manifest that lists others. */
  async readLabels(manifest: Descriptor): Promise<Readonly<Record<string, string>>> {
    const { config } = (await this.#readJson(manifest.digest)) as { readonly config?: Descriptor };
    if (config === undefined) return {};
    const image = (await this.#readJson(config.digest)) as {
      readonly config?: { readonly Labels?: Readonly<Record<string, string>> };
    };
    return image.config?.Labels ?? {};
  }

  /** Every blob of an image of one platform, the manifest first. */
  async listBlobs(manifest: Descriptor): Promise<readonly Descriptor[]> {
    const { config, layers } = (await this.#readJson(manifest.digest)) as {
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    };
    return [manifest, config, ...layers];
  }

  async #readJson(digest: Digest): Promise<unknown> {
    return JSON.parse(new TextDecoder().decode(await this.readBlob(digest)));
  }

  async readBlob(digest: Digest): Promise<Uint8Array> {
    return await readFile(this.blobPath(digest));
  }

  blobPath(digest: Digest): string {
    return join(this.directory, 'blobs/sha256', digest.slice('sha256:'.length));
  }

  async putBytes(mediaType: string, content: Uint8Array): Promise<Descriptor> {
    const digest: Digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    return await this.putFile(mediaType, async (file) => {
      await writeFile(file, content);
      return { digest, size: content.length };
    });
  }

  /** `write` fills a new file and says what it is; a blob that is there already is left as it is. */
  async putFile(
    mediaType: string,
    write: (file: string) => Promise<{ readonly digest: Digest; readonly size: number }>,
  ): Promise<Descriptor> {
    const folder = await mkdtemp(join(this.directory, 'incoming-'));
    try {
      const file = join(folder, 'blob');
      const { digest, size } = await write(file);
      await rename(file, this.blobPath(digest));
      return { mediaType, digest, size };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** From now on the name means this manifest, whose blobs are all there. */
  async tag(name: string, manifest: Descriptor, signal: AbortSignal): Promise<void> {
    const file = join(this.directory, 'index.json');
    const lock = await acquireBuildLock(`${file}.lock`, signal, () => undefined);
    try {
      const { mediaType, digest, size } = manifest;
      const others = (await this.#readIndex()).manifests.filter((each) => each.annotations[nameAnnotation] !== name);
      const manifests = [...others, { mediaType, digest, size, annotations: { [nameAnnotation]: name } }];
      const index: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
      await writeFile(`${file}.new`, `${JSON.stringify(index, undefined, 2)}\n`);
      await rename(`${file}.new`, file);
    } finally {
      await lock.release();
    }
  }

  async #readIndex(): Promise<Index> {
    try {
      // Ours, and whole: it is only ever renamed into place.
      return JSON.parse(await readFile(join(this.directory, 'index.json'), 'utf8')) as Index;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
      throw error;
    }
  }
}

export function parseDigest(text: string): Digest | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as Digest) : undefined;
}
