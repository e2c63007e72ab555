// Versions of Kubernetes, as the lab file writes them, and the comparisons that its skew policy is made of.
import { invariant } from '../errors/error.ts';
import type { Brand } from './brand.ts';

/** Three numbers without "v": "1.35.4". */
export type KubernetesVersion = Brand<string, 'KubernetesVersion'>;

const pattern = /^1\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,3})$/;

/** Also takes the "v" that Kubernetes itself writes in front. */
export function parseKubernetesVersion(text: string): KubernetesVersion | undefined {
  const bare = text.startsWith('v') ? text.slice(1) : text;
  return pattern.test(bare) ? (bare as KubernetesVersion) : undefined;
}

/** For text known to be a version; anything else is a mistake in the program. */
export function kubernetesVersion(text: string): KubernetesVersion {
  const version = parseKubernetesVersion(text);
  invariant(version !== undefined, `"${text}" is a version of Kubernetes`);
  return version;
}

export function minorOf(version: KubernetesVersion): number {
  return Number(version.split('.')[1]);
}

/** Negative when `one` is older, 0 when equal. */
export function compareVersions(one: KubernetesVersion, other: KubernetesVersion): number {
  const [, oneMinor = 0, onePatch = 0] = one.split('.').map(Number);
  const [, otherMinor = 0, otherPatch = 0] = other.split('.').map(Number);
  return oneMinor - otherMinor || onePatch - otherPatch;
}
