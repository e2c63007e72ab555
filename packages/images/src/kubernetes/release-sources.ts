// Where a release of Kubernetes can come from: folders and servers laid out like dl.k8s.io. Sums are theirs, and always checked.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { isErrno } from '../build-lock.ts';
import type { BuildContext } from '../debian-root.ts';
import { binaryPath, kubernetesBinaries, type KubernetesBinary } from './binaries.ts';
import { copyChecked, fetchAnswer, fetchText, saveAnswer, Unavailable } from './download.ts';
import type { ImagePlace } from './image-place.ts';

export interface ReleaseSource {
  /** For people: "dl.k8s.io", "the mirror /srv/k8s". */
  readonly name: string;
  /** What may have the release's container images, in the order in which it is asked. */
  readonly imagePlaces: readonly ImagePlace[];
  /** For a source whose programs are not those in the published images: what its kubeadm lists, to be packed here. Throws as fill. */
  readonly listOwnImages?: (version: KubernetesVersion) => readonly string[];
  /**
   * Puts the binaries (all of them, or those that are named) into the folder. Throws Unavailable when it does not have the version,
   * LW4001 for a wrong sum.
   */
  readonly fill: (
    version: KubernetesVersion,
    folder: string,
    context: BuildContext,
    binaries?: readonly KubernetesBinary[],
  ) => Promise<void>;
}

/** The largest of them was 125 MB in Kubernetes 1.35. */
const largestBinaryBytes = 512 * 2 ** 20;
const largestSumBytes = 4096;
export const upstreamUrl = 'https://dl.k8s.io';
/** Also for what older releases call k8s.gcr.io, which it took over in 2023. */
export const upstreamRegistry = 'https://registry.k8s.io';

/** `place` is an absolute folder or an http(s) URL. What it does not have of the images, the registry of `upstream` may have. */
export function mirrorSource(place: string, upstream: string): ReleaseSource {
  const name = `the mirror ${place}`;
  return /^https?:\/\//.test(place)
    ? serverSource(place, name, [new URL(place).origin, registryOf(upstream)])
    : folderSource(place, name, [join(place, imagesFolder), registryOf(upstream)]);
}

export function upstreamSource(url: string): ReleaseSource {
  return serverSource(url, new URL(url).host, [registryOf(url)]);
}

/** Of a folder that is a mirror, beside `release`: an OCI image layout. */
const imagesFolder = 'images';

function registryOf(upstream: string): ImagePlace {
  return upstream === upstreamUrl ? upstreamRegistry : new URL(upstream).origin;
}

function serverSource(base: string, name: string, imagePlaces: readonly ImagePlace[]): ReleaseSource {
  const at = (path: string): URL => new URL(path, base.endsWith('/') ? base : `${base}/`);
  return {
    name,
    imagePlaces,
    fill: async (version, folder, { signal, onProgress }, binaries = kubernetesBinaries) => {
      for (const binary of binaries) {
        const path = binaryPath(version, binary);
        const sha256 = parseSum(await fetchText(at(`${path}.sha256`), largestSumBytes, signal), binary, version);
        onProgress(`Kubernetes ${version}: ${binary} from ${name}`);
        const answer = await fetchAnswer(at(path), signal);
        if (!answer.ok) throw new Unavailable(`it answered ${answer.status} for ${binary}`);
        const expected = { sha256, maxBytes: largestBinaryBytes, from: at(path).href };
        await saveAnswer(answer, join(folder, binary), expected, signal);
      }
    },
  };
}

function folderSource(root: string, name: string, imagePlaces: readonly ImagePlace[]): ReleaseSource {
  return {
    name,
    imagePlaces,
    fill: async (version, folder, { signal, onProgress }, binaries = kubernetesBinaries) => {
      for (const binary of binaries) {
        const path = join(root, binaryPath(version, binary));
        const sha256 = parseSum(await readIfThere(`${path}.sha256`), binary, version);
        onProgress(`Kubernetes ${version}: ${binary} from ${name}`);
        const expected = { sha256, maxBytes: largestBinaryBytes, from: path };
        await copyChecked(path, join(folder, binary), expected, signal).catch((error: unknown) => {
          if (isErrno(error, 'ENOENT')) throw new Unavailable(`it has no ${binary} of ${version}`, { cause: error });
          throw error;
        });
      }
    },
  };
}

/** Bare hex as on dl.k8s.io, or what sha256sum(1) writes. */
function parseSum(text: string | undefined, binary: KubernetesBinary, version: KubernetesVersion): string {
  if (text === undefined) throw new Unavailable(`it has no ${binary}.sha256 of ${version}`);
  const sum = /^([0-9a-f]{64})(\s|$)/i.exec(text.trim())?.[1];
  if (sum === undefined) throw new Unavailable(`its ${binary}.sha256 of ${version} is not a SHA-256`);
  return sum.toLowerCase();
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
