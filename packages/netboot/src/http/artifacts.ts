// What cluster machines fetch beside their boot: container images, by the pull side of the OCI distribution specification 1.0, and
// the programs of a Kubernetes release.
//
//   GET, HEAD  /v2/                             "this is a registry"
//              /v2/NAME/manifests/TAG|DIGEST    ?ns=REGISTRY names the registry we stand for, as containerd's mirror requests do
//              /v2/NAME/blobs/DIGEST
//              /kubernetes/vVERSION/PROGRAM     and PROGRAM.sha256
import { readFile } from 'node:fs/promises';
import type { BootArtifacts, ImageDigest, ReleaseFile } from '../boot-network.ts';
import { replyBytes, replyFile, replyText, type Exchange } from './reply.ts';

type Route =
  | { readonly kind: 'registry' }
  | { readonly kind: 'manifest'; readonly name: string; readonly reference: string }
  | { readonly kind: 'blob'; readonly digest: ImageDigest }
  | { readonly kind: 'program'; readonly version: string; readonly name: string; readonly isSum: boolean }
  | { readonly kind: 'unknown' };

/** A manifest is small by its specification; what is larger is a blob that somebody asked for by mistake. */
const largestManifestBytes = 4 * 1024 * 1024;
const defaultMediaType = 'application/vnd.oci.image.manifest.v1+json';

/** Undefined for a path of somebody else's. Names are looked up, never joined to a folder. */
export function parseArtifactPath(path: string): Route | undefined {
  if (path === '/v2' || path.startsWith('/v2/')) return parseRegistryPath(path);
  if (!path.startsWith('/kubernetes/')) return undefined;
  const [, version, name, suffix] = /^\/kubernetes\/v(\d[\d.]{2,20})\/([a-z-]{1,40})(\.sha256)?$/.exec(path) ?? [];
  if (version === undefined || name === undefined) return { kind: 'unknown' };
  return { kind: 'program', version, name, isSum: suffix !== undefined };
}

function parseRegistryPath(path: string): Route {
  if (path === '/v2' || path === '/v2/') return { kind: 'registry' };
  const [, name, kind, reference] =
    /^\/v2\/([\w.:-]+(?:\/[\w.-]+){0,8})\/(manifests|blobs)\/([\w.:+-]{1,160})$/.exec(path) ?? [];
  if (name === undefined || reference === undefined) return { kind: 'unknown' };
  if (kind === 'manifests') return { kind: 'manifest', name, reference };
  const digest = parseDigest(reference);
  return digest === undefined ? { kind: 'unknown' } : { kind: 'blob', digest };
}

/** `namespace` is the registry that was meant: "k8s.gcr.io". */
export async function answerArtifact(
  artifacts: BootArtifacts,
  exchange: Exchange,
  route: Route,
  namespace: string | undefined,
): Promise<void> {
  exchange.response.setHeader('docker-distribution-api-version', 'registry/2.0');
  switch (route.kind) {
    case 'registry':
      return replyBytes(exchange, 200, 'application/json', new TextEncoder().encode('{}'));
    case 'manifest':
      return await sendManifest(artifacts, exchange, route, namespace);
    case 'blob': {
      const blob = await artifacts.findBlob(route.digest);
      if (blob === undefined) return replyError(exchange, 'BLOB_UNKNOWN', `there is no blob ${route.digest} here`);
      exchange.response.setHeader('docker-content-digest', route.digest);
      return await sendFile(exchange, blob);
    }
    case 'program': {
      const file = await artifacts.findProgram(route.version, route.name);
      if (file === undefined) return replyText(exchange, 404, `there is no ${route.name} of ${route.version} here`);
      return route.isSum ? replyText(exchange, 200, file.sha256) : await sendFile(exchange, file);
    }
    case 'unknown':
      return replyError(exchange, 'UNSUPPORTED', 'images are only pulled from here: manifests and blobs');
  }
}

async function sendManifest(
  artifacts: BootArtifacts,
  exchange: Exchange,
  { name, reference }: { readonly name: string; readonly reference: string },
  namespace: string | undefined,
): Promise<void> {
  const whole = namespace === undefined ? name : `${namespace}/${name}`;
  const digest = parseDigest(reference) ?? (await artifacts.findManifest(`${whole}:${reference}`))?.digest;
  const blob = digest === undefined ? undefined : await artifacts.findBlob(digest);
  if (digest === undefined || blob === undefined || blob.size > largestManifestBytes) {
    return replyError(exchange, 'MANIFEST_UNKNOWN', `there is no ${whole}:${reference} here`);
  }
  const content = await readFile(blob.path);
  exchange.response.setHeader('docker-content-digest', digest);
  replyBytes(exchange, 200, readMediaType(content), content);
}

async function sendFile(exchange: Exchange, file: Pick<ReleaseFile, 'path' | 'size'>): Promise<void> {
  if ((await replyFile(exchange, { ...file, onSent: () => undefined })) === 'sent') return;
  replyText(exchange, 503, 'the file is changing at this moment');
}

/** A manifest says itself what it is. */
function readMediaType(content: Uint8Array): string {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(content));
  const named = typeof parsed === 'object' && parsed !== null && 'mediaType' in parsed ? parsed.mediaType : undefined;
  return typeof named === 'string' ? named : defaultMediaType;
}

function replyError(exchange: Exchange, code: string, message: string): void {
  const body = JSON.stringify({ errors: [{ code, message }] });
  replyBytes(exchange, 404, 'application/json', new TextEncoder().encode(body));
}

function parseDigest(text: string): ImageDigest | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as ImageDigest) : undefined;
}
