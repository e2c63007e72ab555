// The package sources of this computer's own apt configuration, so that a build asks the mirror its owner chose.
import { LabwrightError } from '@labwright/core/errors/error';
import { runOrFail } from './program.ts';

/** One line for the command below: where, which suite, which component. */
const indexTargetFormat = '$(REPO_URI) $(RELEASE) $(COMPONENT)';

const suites = ['bookworm', 'trixie'];

/**
 * sources.list lines for the suite and its updates and security suites, without duplicates, in apt's order. Where apt knows
 * only another suite of Debian, that mirror is asked for this one: a mirror carries all that are supported.
 */
export function formatSources(indexTargets: string, suite: string): readonly string[] {
  const linesFrom = (known: string): readonly string[] =>
    indexTargets.split('\n').flatMap((line) => {
      const [uri, release, component] = line.trim().split(/\s+/);
      if (uri === undefined || release === undefined || component !== 'main') return [];
      if (![known, `${known}-updates`, `${known}-security`].includes(release)) return [];
      return [`deb ${uri} ${suite}${release.slice(known.length)} main`];
    });
  const found = [suite, ...suites].map(linesFrom).find((lines) => lines.length > 0);
  return [...new Set(found)];
}

/** LW0004 without apt, LW4002 where apt knows no source of the suite. */
export async function readAptSources(suite: string, signal: AbortSignal): Promise<readonly string[]> {
  const targets = await runOrFail(
    {
      program: 'apt-get',
      args: ['indextargets', '--format', indexTargetFormat, 'Created-By: Packages'],
      signal,
      install: 'run Labwright on Debian or Ubuntu, where apt is part of the system',
    },
    'the package sources of this computer could not be read',
  );
  const sources = formatSources(Buffer.from(targets).toString('utf8'), suite);
  if (sources.some((line) => line.endsWith(` ${suite} main`))) return sources;
  throw new LabwrightError('LW4002', {
    what: `this computer knows no package source for Debian ${suite}`,
    where: { configuration: '/etc/apt/sources.list and /etc/apt/sources.list.d' },
    fix: [`add a source for ${suite} there, then run: apt-get update`],
  });
}
