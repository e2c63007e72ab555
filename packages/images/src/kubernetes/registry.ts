// A registry as a repository of one image, by the OCI distribution specification 1.0.
import { fetchAnswer, fetchText, readBounded, saveAnswer, Unavailable } from './download.ts';
import { indexTypes, largestManifestBytes, manifestTypes, type ImageRepository } from './image-transfer.ts';

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
 * `registry` is the server to ask, "https://registry.k8s.io", which may stand for the one in the name. Throws Unavailable for a name
 * that is not whole.
 */
export function openRegistry(registry: string, name: string, signal: AbortSignal): ImageRepository {
  const parsed = parseImageName(name);
  if (parsed === undefined) throw new Unavailable(`${name} is not a whole name of an image`);
  const { registry: meant, repository, tag } = parsed;
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
    readManifest: async (digest) => {
      const answer = await get(`manifests/${digest ?? tag}`, [...indexTypes, ...manifestTypes].join(', '));
      const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
      return { mediaType, bytes: await readBounded(answer, largestManifestBytes, signal) };
    },
    saveBlob: async ({ digest, size }, file) => {
      const answer = await get(`blobs/${digest}`, '*/*');
      const expected = { sha256: digest.slice('sha256:'.length), maxBytes: size, from: answer.url };
      return await saveAnswer(answer, file, expected, signal);
    },
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
