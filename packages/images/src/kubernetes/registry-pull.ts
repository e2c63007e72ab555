// Pulls one image for linux/amd64 out of a registry into the store, by the OCI distribution specification 1.0. Every blob is
// checked against its digest while it streams to disk.
import { createHash } from 'node:crypto';
import type { BuildContext } from '../debian-root.ts';
import { fetchAnswer, fetchText, readBounded, saveAnswer, Unavailable } from './download.ts';
import { mediaTypes, parseDigest, type Descriptor, type Digest, type ImageStore } from './image-store.ts';

/** Docker's own names for the same things; registries of images that are older than OCI's answer with them. */
const indexTypes = [mediaTypes.index, 'application/vnd.docker.distribution.manifest.list.v2+json'];
const manifestTypes = [mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json'];

const largestManifestBytes = 4 * 2 ** 20;
const largestLayerBytes = 2 ** 30;
const mostLayers = 128;

interface ImageName {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** Whole names only: "registry.k8s.io/coredns/coredns:v1.12.4". */
function parseImageName(name: string): ImageName | undefined {
  const [, registry, repository, tag] = /^([\w.-]+(?::\d+)?)\/([\w./-]+):([\w.-]{1,128})$/.exec(name) ?? [];
  return registry === undefined || repository === undefined || tag === undefined
    ? undefined
    : { registry, repository, tag };
}

/**
 * `registry` is the server to ask, "https://registry.k8s.io", which may stand for the one in the name. Throws Unavailable when it
 * does not have the image or cannot be asked, LW4001 when a blob is not what its digest says.
 */
export async function pullImage(
  store: ImageStore,
  name: string,
  registry: string,
  context: BuildContext,
): Promise<Descriptor> {
  const parsed = parseImageName(name);
  if (parsed === undefined) throw new Unavailable(`${name} is not a whole name of an image`);
  const { signal, onProgress } = context;
  onProgress(`pulling ${name} from ${new URL(registry).host}`);
  const repository = openRepository(registry, parsed, signal);
  const found = await repository.fetchManifest(parsed.tag);
  const manifest = found.kind === 'index' ? await repository.fetchManifest(choosePlatform(found.content, name)) : found;
  if (manifest.kind === 'index') throw new Unavailable(`${name} lists a list of images`);
  const { config, layers } = parseManifest(manifest.content, name);
  for (const blob of [config, ...layers]) {
    if ((await store.findBlob(blob.digest)) === undefined) await pullBlob(store, blob, repository, signal);
  }
  // Last: a manifest in the store has all it names.
  const descriptor = await store.putBytes(manifest.mediaType, manifest.bytes);
  await store.tag(name, descriptor, signal);
  return descriptor;
}

interface FetchedManifest {
  readonly kind: 'index' | 'manifest';
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly content: unknown;
}

interface Repository {
  readonly fetchManifest: (reference: string) => Promise<FetchedManifest>;
  readonly fetchBlob: (digest: Digest) => Promise<Response>;
}

function openRepository(registry: string, { registry: meant, repository }: ImageName, signal: AbortSignal): Repository {
  let token: string | undefined;
  const get = async (path: string, accept: string): Promise<Response> => {
    const url = new URL(`/v2/${repository}/${path}`, registry);
    if (url.host !== meant) url.searchParams.set('ns', meant);
    const ask = async (): Promise<Response> =>
      await fetchAnswer(url, signal, {
        accept,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      });
    let answer = await ask();
    if (answer.status === 401 && token === undefined) {
      await answer.body?.cancel();
      token = await fetchToken(answer.headers.get('www-authenticate') ?? '', repository, signal);
      answer = await ask();
    }
    if (answer.ok) return answer;
    await answer.body?.cancel();
    throw new Unavailable(`${url.host} answered ${answer.status} for ${repository}/${path}`);
  };
  return {
    fetchManifest: async (reference) => {
      const answer = await get(`manifests/${reference}`, [...indexTypes, ...manifestTypes].join(', '));
      const bytes = await readBounded(answer, largestManifestBytes, signal);
      const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (parseDigest(reference) !== undefined && found !== reference) {
        throw new Unavailable(`${answer.url} is ${found}, not what its name says`);
      }
      const content: unknown = JSON.parse(new TextDecoder().decode(bytes));
      const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
      if (indexTypes.includes(mediaType)) return { kind: 'index', mediaType, bytes, content };
      if (manifestTypes.includes(mediaType)) return { kind: 'manifest', mediaType, bytes, content };
      throw new Unavailable(`${answer.url} is of type ${mediaType}, which is no image`);
    },
    fetchBlob: async (digest) => await get(`blobs/${digest}`, '*/*'),
  };
}

/** For anybody, as registries of public images give it out (distribution's token specification). */
async function fetchToken(challenge: string, repository: string, signal: AbortSignal): Promise<string> {
  const parameter = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
  const realm = parameter('realm');
  if (!challenge.startsWith('Bearer ') || realm === undefined || !/^https?:\/\//.test(realm)) {
    throw new Unavailable(`a login is needed for ${repository}`);
  }
  const url = new URL(realm);
  url.searchParams.set('scope', parameter('scope') ?? `repository:${repository}:pull`);
  const service = parameter('service');
  if (service !== undefined) url.searchParams.set('service', service);
  const parsed: unknown = JSON.parse((await fetchText(url, 2 ** 16, signal)) ?? '{}');
  const field = (name: string): unknown =>
    typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>)[name] : undefined;
  const token = field('token') ?? field('access_token');
  if (typeof token === 'string') return token;
  throw new Unavailable(`a login is needed for ${repository}`);
}

async function pullBlob(
  store: ImageStore,
  { mediaType, digest, size }: Descriptor,
  repository: Repository,
  signal: AbortSignal,
): Promise<void> {
  const answer = await repository.fetchBlob(digest);
  await store.putFile(mediaType, async (file) => {
    const expected = { sha256: digest.slice('sha256:'.length), maxBytes: size, from: answer.url };
    return { digest, size: await saveAnswer(answer, file, expected, signal) };
  });
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
