// Which version of the Ignition specification to answer with. Ignition announces its newest in the Accept header
// (internal/resource/http.go of Ignition 2: "application/vnd.coreos.ignition+json;version=3.6.0, */*;q=0.1").

/** What we write. 3.3.0 is Debian 12's and Flatcar's since 3185; 3.4.0 is Fedora CoreOS's and Flatcar's since mid-2023. */
export type IgnitionVersion = '3.3.0' | '3.4.0';

export type IgnitionNegotiation =
  | { readonly kind: 'agreed'; readonly version: IgnitionVersion }
  /** Its newest is older than our oldest, or of another major version; `announced` is what it said. */
  | { readonly kind: 'unsupported'; readonly announced: string };

const mediaType = 'application/vnd.coreos.ignition+json';

/**
 * Ignition takes every version up to its own newest of the same major and stops at a newer one. Without a version in the header
 * (a person with a browser, a proxy that drops it) the older one is the safe answer.
 */
export function negotiateIgnitionVersion(accept: string | undefined): IgnitionNegotiation {
  const announced = (accept ?? '').split(',').flatMap(announcedVersion);
  const [first] = announced;
  if (first === undefined) return { kind: 'agreed', version: '3.3.0' };
  const newestMinor = Math.max(...announced.map(supportedMinor));
  if (newestMinor >= 4) return { kind: 'agreed', version: '3.4.0' };
  if (newestMinor === 3) return { kind: 'agreed', version: '3.3.0' };
  return { kind: 'unsupported', announced: first };
}

function announcedVersion(range: string): readonly string[] {
  const [type, ...parameters] = range.split(';').map((part) => part.trim());
  if (type?.toLowerCase() !== mediaType) return [];
  const version = parameters
    .find((parameter) => parameter.toLowerCase().startsWith('version='))
    ?.slice('version='.length);
  return version === undefined ? [] : [version.replaceAll('"', '')];
}

/** The newest released 3.x it takes; -1 for another major or nonsense. "3.4.0-experimental" is before 3.4.0. */
function supportedMinor(version: string): number {
  const match = /^3\.(\d{1,4})\.\d{1,4}(-\S+)?$/.exec(version);
  if (match?.[1] === undefined) return -1;
  return Number(match[1]) - (match[2] === undefined ? 0 : 1);
}
