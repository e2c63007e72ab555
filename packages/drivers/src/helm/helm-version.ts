// Which versions of Helm serve which versions of Kubernetes, and which one is fetched for a cluster.
//
// Helm promises the minor version of Kubernetes that it was compiled against and the three before it
// (https://helm.sh/docs/topics/version_skew/). From Helm 3.5 on, each minor of Helm followed one of Kubernetes:
//
//   Helm        3.5  3.6  3.7  …  3.20   4.0  4.1  4.2
//   Kubernetes  20   21   22   …  35     34   35   36     the newest it serves

export interface HelmVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Takes "v3.6.2", "4.1.4" and "v3.6.2+gee407bd". */
export function parseHelmVersion(text: string): HelmVersion | undefined {
  const match = /^v?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[-+][0-9A-Za-z.+-]*)?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, major, minor, patch] = match;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

export function formatHelmVersion({ major, minor, patch }: HelmVersion): string {
  return `${major}.${minor}.${patch}`;
}

/** Minor versions of Kubernetes; undefined for a Helm that is not known: before 3.5, after 4. */
export function servedMinors({
  major,
  minor,
}: HelmVersion): { readonly oldest: number; readonly newest: number } | undefined {
  const newest = major === 3 && minor >= 5 ? 15 + minor : major === 4 ? 34 + minor : undefined;
  return newest === undefined ? undefined : { oldest: newest - 3, newest };
}

export function servesMinor(version: HelmVersion, kubernetesMinor: number): boolean {
  const served = servedMinors(version);
  return served !== undefined && kubernetesMinor >= served.oldest && kubernetesMinor <= served.newest;
}

/** What is fetched: the newest patch, of as few minors as serve every Kubernetes from 1.20 on. Best first. */
const fetched = ['4.2.3', '4.1.4', '3.16.4', '3.12.3', '3.8.2'];

/** The version to fetch for a cluster; undefined when none that is known here serves it. */
export function helmToFetch(kubernetesMinor: number): HelmVersion | undefined {
  return fetched
    .map((text) => parseHelmVersion(text))
    .find((version) => version !== undefined && servesMinor(version, kubernetesMinor));
}
