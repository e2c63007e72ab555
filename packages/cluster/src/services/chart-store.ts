// Charts at hand: packages from a repository kept in the cache, and the user's own folders, each with its version and digest.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { LabwrightError } from '@labwright/core/errors/error';
import { decodeArchiveEntry } from '@labwright/drivers/helm/archive-entry';
import type { Helm, HelmCall } from '@labwright/drivers/helm/helm';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ChartPlace } from './wanted-release.ts';

export interface ChartStore {
  readonly cacheDirectory: string;
  /** Folder of the lab file. */
  readonly directory: string;
}

export interface ChartAtHand {
  /** For helm. */
  readonly path: string;
  readonly version: string;
  /** SHA-256 of its content, in hexadecimal. */
  readonly digest: string;
}

/** From the cache, or fetched into it. Throws LW7002. */
export async function ensureChart(
  place: ChartPlace,
  store: ChartStore,
  helm: Helm,
  call: HelmCall,
): Promise<ChartAtHand> {
  if (place.kind === 'file') return await readChart(resolve(store.directory, place.path), 'kubernetes');
  const key = createHash('sha256').update([place.repository, place.chart, place.version].join('\n')).digest('hex');
  const folder = join(store.cacheDirectory, 'charts', key.slice(0, 32));
  const cached = await findPackage(folder);
  if (cached !== undefined) return await readChart(cached, place.repository);
  await ensureFolder(join(store.cacheDirectory, 'charts'));
  const draft = await mkdtemp(`${folder}.`);
  try {
    await helm.pullChart(place, draft, call);
    await rename(draft, folder).catch((error: NodeJS.ErrnoException) => {
      // Another process was first.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  const fetched = await findPackage(folder);
  if (fetched === undefined) throw noChart(place.chart, place.repository, 'helm fetched nothing');
  return await readChart(fetched, place.repository);
}

async function findPackage(folder: string): Promise<string | undefined> {
  try {
    const name = (await readdir(folder)).find((each) => each.endsWith('.tgz'));
    return name === undefined ? undefined : join(folder, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readChart(path: string, source: string): Promise<ChartAtHand> {
  try {
    const { description, digest } = (await stat(path)).isDirectory() ? await readFolder(path) : await readPackage(path);
    const chart = z.looseObject({ version: z.string() }).safeParse(parse(description));
    if (!chart.success) throw noChart(basename(path), source, `${path}: its Chart.yaml has no version`);
    return { path, version: chart.data.version, digest };
  } catch (error) {
    if (error instanceof LabwrightError) throw error;
    throw noChart(basename(path), source, error instanceof Error ? error.message : String(error), error);
  }
}

interface ChartContent {
  readonly description: string;
  readonly digest: string;
}

async function readPackage(path: string): Promise<ChartContent> {
  const content = await readFile(path);
  // The chart's own one, not those of the charts inside it.
  const description = decodeArchiveEntry(content, (name) => /^[^/]+\/Chart\.yaml$/.test(name));
  if (description === undefined) throw noChart(basename(path), path, 'it is no packed chart');
  return {
    description: Buffer.from(description).toString('utf8'),
    digest: createHash('sha256').update(content).digest('hex'),
  };
}

async function readFolder(path: string): Promise<ChartContent> {
  const hash = createHash('sha256');
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.toSorted()) {
    const content = await readFile(file);
    // The length keeps the end of one file from being the start of the next.
    hash.update(`${relative(path, file)}\n${content.length}\n`).update(content);
  }
  return { description: await readFile(join(path, 'Chart.yaml'), 'utf8'), digest: hash.digest('hex') };
}

function noChart(chart: string, source: string, why: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW7002', {
    what: `the chart ${chart} is not there`,
    where: { source },
    why,
    fix: ['check its path or repository in the lab file', 'helm package makes a package of a folder'],
    cause,
  });
}
