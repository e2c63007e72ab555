// The helm program for a cluster: the user's own, else one from a mirror, else from get.helm.sh, kept by its content.
import { createHash } from 'node:crypto';
import { access, chmod, constants, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { type KubernetesVersion, minorOf } from '@labwright/core/addresses/kubernetes-version';
import { LabwrightError } from '@labwright/core/errors/error';
import { type Random, randomHex } from '@labwright/core/ports/random';
import { decodeArchiveEntry } from './archive-entry.ts';
import {
  formatHelmVersion,
  type HelmVersion,
  helmToFetch,
  parseHelmVersion,
  servedMinors,
  servesMinor,
} from './helm-version.ts';
import { runHelm } from './run-helm.ts';

export interface HelmProgram {
  readonly path: string;
  readonly version: HelmVersion;
  readonly source: 'installed' | 'cache' | 'mirror' | 'upstream';
}

export interface HelmProgramContext {
  /** Of the caller: PATH, and proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder (relative to `directory`) or URL laid out like get.helm.sh, asked before it. */
  readonly mirror?: string;
  /** Folder of the lab file. */
  readonly directory: string;
  readonly cacheDirectory: string;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
  /** Where releases are, when there is no mirror. */
  readonly upstream?: string;
}

const upstreamUrl = 'https://get.helm.sh';
const mostArchiveBytes = 256 * 1024 * 1024;
const fetchTimeoutMs = 10 * 60_000;

/**
 * A helm that serves the cluster. Throws LW7001 when there is none and none can be had, LW4001 for an archive that is not
 * what its checksum says.
 */
export async function ensureHelm(kubernetes: KubernetesVersion, context: HelmProgramContext): Promise<HelmProgram> {
  const minor = minorOf(kubernetes);
  const installed = await findInstalled(context);
  if (installed !== undefined && servesMinor(installed.version, minor)) return installed;
  const wanted = helmToFetch(minor);
  if (wanted === undefined) {
    throw noHelm(kubernetes, installed, `no version of helm that Labwright knows serves Kubernetes ${kubernetes}`);
  }
  const cached = await findCached(wanted, context);
  if (cached !== undefined) return cached;
  const failures: string[] = [];
  const sources = context.mirror === undefined ? [] : [{ base: context.mirror, source: 'mirror' as const }];
  for (const { base, source } of [...sources, { base: context.upstream ?? upstreamUrl, source: 'upstream' as const }]) {
    context.onProgress(`fetching helm ${formatHelmVersion(wanted)} from ${base}`);
    const archive = await readArchive(base, wanted, context);
    if (typeof archive === 'string') failures.push(archive);
    else return { path: await keep(archive, wanted, context), version: wanted, source };
  }
  throw noHelm(kubernetes, installed, failures.join('; '));
}

/** The first one on PATH, whichever version it is. */
async function findInstalled(context: HelmProgramContext): Promise<HelmProgram | undefined> {
  for (const folder of (context.environment['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, 'helm');
    if (!(await isExecutable(path))) continue;
    const version = await readVersion(path, context);
    return version === undefined ? undefined : { path, version, source: 'installed' };
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not for us.
  }
}

async function readVersion(program: string, context: HelmProgramContext): Promise<HelmVersion | undefined> {
  const { environment, signal, cacheDirectory } = context;
  await ensureFolder(cacheDirectory);
  const args = ['version', '--template', '{{.Version}}'];
  const { exitCode, stdout } = await runHelm({
    program,
    args,
    environment,
    signal,
    temporaryDirectory: cacheDirectory,
  });
  return exitCode === 0 ? parseHelmVersion(stdout) : undefined;
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const platform = (): string => `linux-${architectures[process.arch] ?? process.arch}`;
const archiveName = (version: HelmVersion): string => `helm-v${formatHelmVersion(version)}-${platform()}.tar.gz`;
/** Has the sum of the program that is kept for a version, and is written last. */
const indexFile = (version: HelmVersion, { cacheDirectory }: HelmProgramContext): string =>
  join(cacheDirectory, 'helm', `${formatHelmVersion(version)}-${platform()}`);
const programFile = (sum: string, { cacheDirectory }: HelmProgramContext): string =>
  join(cacheDirectory, 'helm', `sha256-${sum}`);

async function findCached(version: HelmVersion, context: HelmProgramContext): Promise<HelmProgram | undefined> {
  const sum = (await readOptional(indexFile(version, context)))?.toString('utf8').trim();
  if (sum === undefined || !/^[0-9a-f]{64}$/.test(sum)) return undefined;
  const path = programFile(sum, context);
  const content = await readOptional(path);
  // A file cut short by a full disk has the right name and the wrong content.
  return content !== undefined && sha256(content) === sum ? { path, version, source: 'cache' } : undefined;
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The archive with its sum checked, or why it cannot be had from there. */
async function readArchive(
  base: string,
  version: HelmVersion,
  context: HelmProgramContext,
): Promise<Uint8Array | string> {
  const name = archiveName(version);
  const sums = await readFrom(base, `${name}.sha256sum`, context);
  if (typeof sums === 'string') return sums;
  const expected = /^([0-9a-f]{64})\b/i.exec(Buffer.from(sums).toString('utf8').trim())?.[1]?.toLowerCase();
  if (expected === undefined) return `${name}.sha256sum of ${base} has no SHA-256 sum`;
  const archive = await readFrom(base, name, context);
  if (typeof archive === 'string') return archive;
  const actual = sha256(archive);
  if (actual === expected) return archive;
  throw new LabwrightError('LW4001', {
    what: `the archive of helm ${formatHelmVersion(version)} is not what its checksum says`,
    where: { source: base, file: name },
    why: `its SHA-256 is ${actual}, and ${name}.sha256sum has ${expected}`,
    fix: ['run the command again', 'or install helm yourself'],
  });
}

async function readFrom(base: string, name: string, context: HelmProgramContext): Promise<Uint8Array | string> {
  if (!/^https?:\/\//.test(base)) {
    const folder = resolve(context.directory, base);
    return (await readOptional(join(folder, name))) ?? `${folder} has no ${name}`;
  }
  const url = `${base.replace(/\/+$/, '')}/${name}`;
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(fetchTimeoutMs)]);
  try {
    const response = await fetch(url, { signal, redirect: 'follow' });
    if (!response.ok) return `${url} answers ${response.status}`;
    if (Number(response.headers.get('content-length') ?? 0) > mostArchiveBytes) return `${url} is far too large`;
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    context.signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${url}: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

/** Written beside, then renamed into place: another process never starts half a program. */
async function keep(archive: Uint8Array, version: HelmVersion, context: HelmProgramContext): Promise<string> {
  const program = decodeArchiveEntry(archive, (name) => /(^|\/)helm$/.test(name));
  if (program === undefined) {
    throw new LabwrightError('LW4001', {
      what: `the archive of helm ${formatHelmVersion(version)} has no helm in it`,
      where: { file: archiveName(version) },
      fix: ['use another mirror', 'or install helm yourself'],
    });
  }
  const sum = sha256(program);
  const path = programFile(sum, context);
  await ensureFolder(join(context.cacheDirectory, 'helm'));
  await replace(path, program, context, 0o755);
  await replace(indexFile(version, context), Buffer.from(`${sum}\n`), context, 0o644);
  return path;
}

async function replace(path: string, content: Uint8Array, { random }: HelmProgramContext, mode: number): Promise<void> {
  const draft = `${path}.${randomHex(random, 8)}`;
  try {
    await writeFile(draft, content, { mode, flush: true });
    await chmod(draft, mode);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

function noHelm(kubernetes: KubernetesVersion, installed: HelmProgram | undefined, why: string): LabwrightError {
  const minor = minorOf(kubernetes);
  const served = installed === undefined ? undefined : servedMinors(installed.version);
  const passedOver =
    installed === undefined
      ? ''
      : `; ${installed.path} is ${formatHelmVersion(installed.version)}, ${served === undefined ? 'which Labwright does not know' : `for Kubernetes 1.${served.oldest} to 1.${served.newest}`}`;
  const wanted = helmToFetch(minor);
  return new LabwrightError('LW7001', {
    what: `there is no helm here that serves Kubernetes ${kubernetes}`,
    why: `${why}${passedOver}`,
    fix: [
      wanted === undefined
        ? `install a helm that is compiled for Kubernetes 1.${minor}, and run the command again`
        : `install helm ${formatHelmVersion(wanted)}, so that \`helm version\` answers`,
      'or put its archive with the .sha256sum into a folder and name it: kubernetes.helmMirror',
    ],
  });
}
