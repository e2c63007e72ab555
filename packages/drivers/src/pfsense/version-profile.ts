// Which pfSense this is, and what follows from its version. A version that was not checked is read and never written to.
export interface VersionProfile {
  /** As the router says it: "2.7.2-RELEASE", "25.07.1-RELEASE". */
  readonly version: string;
  readonly edition: 'CE' | 'Plus';
  /** The community edition whose code it has. */
  readonly line: '2.5.2' | '2.6' | '2.7.0' | '2.7.2' | '2.8' | 'unknown';
  /** Why nothing is written to it; undefined when it is. */
  readonly readOnly?: string;
}

type Line = Exclude<VersionProfile['line'], 'unknown'>;

// Newest first; a version is of the first line that is not newer. config_version goes with them: 21.7, 22.2, 22.9, 23.3, 23.9.
const lines: readonly {
  readonly line: Line;
  readonly edition: VersionProfile['edition'];
  readonly from: readonly number[];
}[] = [
  { line: '2.8', edition: 'CE', from: [2, 8] },
  { line: '2.7.2', edition: 'CE', from: [2, 7, 1] },
  { line: '2.7.0', edition: 'CE', from: [2, 7] },
  { line: '2.6', edition: 'CE', from: [2, 6] },
  { line: '2.5.2', edition: 'CE', from: [2, 5, 2] },
  { line: '2.8', edition: 'Plus', from: [25, 7] },
  { line: '2.7.2', edition: 'Plus', from: [23, 9] },
  { line: '2.7.0', edition: 'Plus', from: [23, 5] },
  { line: '2.6', edition: 'Plus', from: [22, 1] },
  { line: '2.5.2', edition: 'Plus', from: [21, 7] },
];

/** The first versions that were not checked. */
const unknownFrom = { CE: [2, 9], Plus: [25, 12] } as const;

/** `platform` is pfSense's product label: "pfSense" or "pfSense Plus". */
export function profileOf(version: string, platform: string): VersionProfile {
  const numbers = /^(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?(?:[-_][A-Za-z0-9_.-]*)?$/.exec(version);
  const parts = (numbers?.slice(1, 4) ?? []).map((part) => Number(part ?? 0));
  const isPlus = /plus/i.test(platform) || (parts[0] ?? 0) >= 21;
  const edition = isPlus ? 'Plus' : 'CE';
  const known = lines.find((line) => line.edition === edition && isAtLeast(parts, line.from));
  if (numbers === null || known === undefined || isAtLeast(parts, unknownFrom[edition])) {
    const reason = `pfSense ${version === '' ? 'without a version' : version} was not checked with this Labwright`;
    return { version, edition, line: 'unknown', readOnly: reason };
  }
  if (/ALPHA|BETA|RC|DEVELOPMENT/i.test(version)) {
    return { version, edition, line: known.line, readOnly: `${version} is not a release` };
  }
  return { version, edition, line: known.line };
}

function isAtLeast(parts: readonly number[], from: readonly number[]): boolean {
  for (const [index, number] of from.entries()) {
    const part = parts[index] ?? 0;
    if (part !== number) return part > number;
  }
  return true;
}
