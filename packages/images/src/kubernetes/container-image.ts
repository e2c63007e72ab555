// Packs a container image of one layer from files: always the same bytes, and so the same digest, for the same files.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { mediaTypes, type Descriptor, type ImageStore } from './image-store.ts';

/** Paths are those in the image, without the slash in front. */
export type ImageEntry =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  /** A file of this computer. */
  | { readonly kind: 'copy'; readonly path: string; readonly mode: number; readonly from: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number };

export interface ImageSpec {
  /** Whole names: "k8s.gcr.io/pause:3.2". */
  readonly names: readonly string[];
  /** Folders on the way to them are added. */
  readonly entries: readonly ImageEntry[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** Says where the contents are from; no secret. */
  readonly labels?: Readonly<Record<string, string>>;
}

const searchPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Nothing in an image depends on when it was packed. */
const noTime = new Date(0);

/** Puts the image into the store under its names. linux/amd64, run by root. */
export async function packImage(store: ImageStore, spec: ImageSpec, signal: AbortSignal): Promise<Descriptor> {
  const layer = await store.putFile(mediaTypes.layer, async (file) => await writeLayer(spec.entries, file, signal));
  const config = await putJson(store, mediaTypes.config, {
    architecture: 'amd64',
    os: 'linux',
    config: {
      Env: [searchPath],
      ...(spec.entrypoint === undefined ? {} : { Entrypoint: spec.entrypoint }),
      ...(spec.command === undefined ? {} : { Cmd: spec.command }),
      ...(spec.labels === undefined ? {} : { Labels: spec.labels }),
      WorkingDir: '/',
    },
    // Not compressed, so the layer's digest is that of its contents.
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const manifest = await putJson(store, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [layer],
  });
  for (const name of spec.names) await store.tag(name, manifest, signal);
  return manifest;
}

async function putJson(store: ImageStore, mediaType: string, value: object): Promise<Descriptor> {
  return await store.putBytes(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function writeLayer(
  entries: readonly ImageEntry[],
  file: string,
  signal: AbortSignal,
): Promise<{ readonly digest: Descriptor['digest']; readonly size: number }> {
  const tar = pack();
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const written = pipeline(tar, measure, createWriteStream(file), { signal });
  try {
    for (const entry of withFolders(entries)) await addEntry(tar, entry, signal);
    tar.finalize();
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    await written.catch(() => undefined);
    throw error;
  }
  await written;
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

/** Sorted, and every folder before what is in it. */
function withFolders(entries: readonly ImageEntry[]): readonly ImageEntry[] {
  const all = new Map<string, ImageEntry>();
  for (const { path } of entries) {
    const words = path.split('/');
    for (let depth = 1; depth < words.length; depth++) {
      const folder = words.slice(0, depth).join('/');
      all.set(folder, { kind: 'directory', path: folder, mode: 0o755 });
    }
  }
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}

async function addEntry(tar: Pack, entry: ImageEntry, signal: AbortSignal): Promise<void> {
  const common = { name: entry.path, mtime: noTime, uid: 0, gid: 0 };
  switch (entry.kind) {
    case 'directory':
      return void tar.entry({ ...common, type: 'directory', mode: entry.mode });
    case 'link':
      return void tar.entry({ ...common, type: 'symlink', mode: 0o777, linkname: entry.target });
    case 'file':
      return void tar.entry({ ...common, type: 'file', mode: entry.mode }, Buffer.from(entry.content));
    case 'copy': {
      const { size } = await stat(entry.from);
      const sink = tar.entry({ ...common, type: 'file', mode: entry.mode, size });
      await pipeline(createReadStream(entry.from, { highWaterMark: 2 ** 20 }), sink, { signal });
    }
  }
}
