// Helm for one cluster: what is installed, charts and their CRDs, and changes that either succeed or leave what was there.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ErrorCode } from '@labwright/core/errors/table';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Json } from '@labwright/core/plan/step';
import type { Secret } from '@labwright/core/ports/secret';
import { z } from 'zod';
import type { HelmProgram } from './helm-program.ts';
import { type HelmResult, type HelmRun, runHelm } from './run-helm.ts';

export interface HelmOptions {
  readonly program: HelmProgram;
  /** Text of a kubeconfig with rights for everything the charts make. */
  readonly kubeconfig: Secret;
  /** Existing folder; each run has a private one in it, which goes with it. */
  readonly temporaryDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ReleaseName {
  readonly name: string;
  readonly namespace: string;
}

/** As Helm names them; the pending ones are of a run that was killed, or is under way. */
export type ReleaseStatus =
  | 'deployed'
  | 'failed'
  | 'superseded'
  | 'uninstalled'
  | 'uninstalling'
  | 'pending-install'
  | 'pending-upgrade'
  | 'pending-rollback'
  | 'unknown';

export interface Release extends ReleaseName {
  /** Grows by one with every change, rollbacks included. */
  readonly revision: number;
  readonly status: ReleaseStatus;
  readonly chart: string;
  readonly chartVersion: string;
}

export interface Revision {
  readonly revision: number;
  readonly status: ReleaseStatus;
}

/** A chart in a repository, by https:// or oci://. */
export interface ChartSource {
  readonly chart: string;
  readonly repository: string;
  readonly version: string;
}

export interface ReleaseChange extends ReleaseName {
  /** Path of a packed chart or a folder. */
  readonly chart: string;
  /** YAML or JSON; goes in by standard input and is never on a disk. */
  readonly values: Secret;
  /** The secrets in the values: dots in all that helm says. */
  readonly secrets: readonly Secret[];
  /** For each thing that helm waits for. */
  readonly timeoutMs: number;
}

export interface HelmCall {
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** Throws LW7002 for charts that cannot be had and LW7003 for everything else that helm does not do, with helm's own words. */
export interface Helm {
  readonly program: HelmProgram;
  /** Of all namespaces, whoever installed them. */
  listReleases(call: HelmCall): Promise<readonly Release[]>;
  /** What was given at the last change, without the chart's own defaults. Has secrets. */
  fetchValues(release: ReleaseName, call: HelmCall): Promise<Readonly<Record<string, Json>>>;
  /** Oldest first; empty when there is no such release. */
  fetchHistory(release: ReleaseName, call: HelmCall): Promise<readonly Revision[]>;
  /** Installs, or upgrades with nothing kept of earlier values. When it fails, what was there is there again. */
  upgrade(change: ReleaseChange, call: HelmCall): Promise<void>;
  rollback(release: ReleaseName, revision: number, options: HelmCall & { readonly timeoutMs: number }): Promise<void>;
  /** With its history; a release that is not there is fine. */
  uninstall(release: ReleaseName, options: HelmCall & { readonly timeoutMs: number }): Promise<void>;
  /** Downloads the package into the folder, which must be empty; gives its path. */
  pullChart(source: ChartSource, folder: string, call: HelmCall): Promise<string>;
  /** The documents of the chart's crds folders, as one YAML stream; '' for none. */
  showCrds(change: Omit<ReleaseChange, 'timeoutMs'>, call: HelmCall): Promise<string>;
  /** The objects that it would make, as a YAML stream, without asking the cluster. Has secrets. */
  template(change: Omit<ReleaseChange, 'timeoutMs'>, kubernetes: string, call: HelmCall): Promise<string>;
}

export function connectHelm(options: HelmOptions): Helm {
  const { program, kubeconfig, temporaryDirectory, environment } = options;
  const isHelm4 = program.version.major >= 4;
  const run = async (args: readonly string[], call: HelmCall, more: Partial<HelmRun> = {}): Promise<HelmResult> => {
    const onLine = call.onLine === undefined ? {} : { onLine: call.onLine };
    const base = { program: program.path, temporaryDirectory, environment, signal: call.signal };
    return await runHelm({ ...base, ...onLine, args, ...more });
  };
  const inCluster = { kubeconfig };
  const of = ({ name, namespace }: ReleaseName): readonly string[] => [name, '--namespace', namespace];

  return {
    program,
    async listReleases(call) {
      // Without a limit; helm 4 shows releases of every status by itself.
      const args = ['list', '--all-namespaces', '--max', '0', '--output', 'json', ...(isHelm4 ? [] : ['--all'])];
      const result = orFail(
        await run(args, call, inCluster),
        'LW7003',
        'the releases of the cluster could not be listed',
      );
      return parseOutput(releaseList, result, args);
    },
    async fetchValues(release, call) {
      const args = ['get', 'values', ...of(release), '--output', 'json'];
      const result = await run(args, call, inCluster);
      return (
        parseOutput(valuesMap, orFail(result, 'LW7003', `the values of ${release.name} could not be read`), args) ?? {}
      );
    },
    async fetchHistory(release, call) {
      const args = ['history', ...of(release), '--output', 'json'];
      const result = await run(args, call, inCluster);
      if (isNotFound(result)) return [];
      return parseOutput(history, orFail(result, 'LW7003', `the history of ${release.name} could not be read`), args);
    },
    async upgrade(change, call) {
      const args = [
        ...['upgrade', change.name, change.chart, '--namespace', change.namespace, '--install', '--values', '-'],
        // CRDs were applied before; helm itself would install but never upgrade them.
        ...['--skip-crds', '--reset-values', '--history-max', '10', '--timeout', formatSeconds(change.timeoutMs)],
        ...(isHelm4 ? ['--rollback-on-failure', '--wait=watcher'] : ['--atomic', '--cleanup-on-fail']),
      ];
      const { secrets } = change;
      const result = await run(args, call, { ...inCluster, stdin: change.values, secrets });
      orFail(result, 'LW7003', `${change.name} could not be brought to what the lab file says`, change);
    },
    async rollback(release, revision, { timeoutMs, ...call }) {
      const wait = isHelm4 ? '--wait=watcher' : '--wait';
      const args = ['rollback', release.name, String(revision), '--namespace', release.namespace, wait];
      const result = await run([...args, '--timeout', formatSeconds(timeoutMs)], call, inCluster);
      orFail(result, 'LW7003', `${release.name} could not be rolled back to revision ${revision}`, release);
    },
    async uninstall(release, { timeoutMs, ...call }) {
      const args = [
        'uninstall',
        ...of(release),
        '--timeout',
        formatSeconds(timeoutMs),
        ...(isHelm4 ? ['--wait=watcher'] : []),
      ];
      const result = await run(args, call, inCluster);
      if (!isNotFound(result)) orFail(result, 'LW7003', `${release.name} could not be removed`, release);
    },
    async pullChart(source, folder, call) {
      const { repository, chart, version } = source;
      const isOci = repository.startsWith('oci://');
      const place = isOci ? [`${repository.replace(/\/+$/, '')}/${chart}`] : [chart, '--repo', repository];
      const result = await run(['pull', ...place, '--version', version, '--destination', folder], call);
      if (result.exitCode !== 0) throw noChart(source, result);
      const [file] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
      if (file === undefined) throw noChart(source, result);
      return join(folder, file);
    },
    async showCrds(change, call) {
      const { chart, name, namespace, values, secrets } = change;
      const what = `the CRDs of ${name} could not be read`;
      // "show crds" came with 3.7; before, it printed a help text and ended well.
      const isOld = program.version.major === 3 && program.version.minor < 7;
      if (!isOld) return orFail(await run(['show', 'crds', chart], call), 'LW7003', what, change).stdout;
      const args = ['template', name, chart, '--namespace', namespace, '--include-crds', '--values', '-'];
      const { stdout } = orFail(await run(args, call, { stdin: values, secrets }), 'LW7003', what, change);
      return definitionsOf(stdout);
    },
    async template(change, kubernetes, call) {
      const args = [
        'template',
        change.name,
        change.chart,
        '--namespace',
        change.namespace,
        '--values',
        '-',
        '--skip-tests',
      ];
      const { values: stdin, secrets } = change;
      const result = await run([...args, '--kube-version', `v${kubernetes}`], call, { stdin, secrets });
      return orFail(result, 'LW7003', `the chart of ${change.name} does not take its values`, change).stdout;
    },
  };
}

const statuses = [
  ...['deployed', 'failed', 'superseded', 'uninstalled', 'uninstalling'],
  ...['pending-install', 'pending-upgrade', 'pending-rollback'],
] as const;
const status = z.string().transform((text): ReleaseStatus => {
  const known = text.toLowerCase();
  return (statuses as readonly string[]).includes(known) ? (known as ReleaseStatus) : 'unknown';
});

const releaseList = z.array(
  z
    .looseObject({
      name: z.string(),
      namespace: z.string(),
      revision: z.coerce.number(),
      status,
      // "traefik-41.3.0": the version is what begins with a number and two dots.
      chart: z.string(),
    })
    .transform(({ name, namespace, revision, status, chart }): Release => {
      const [, bare = chart, chartVersion = ''] = /^(.*?)-(v?\d+\.\d+\.\d+.*)$/.exec(chart) ?? [];
      return { name, namespace, revision, status, chart: bare, chartVersion };
    }),
);
const history = z.array(
  z
    .looseObject({ revision: z.coerce.number(), status })
    .transform(({ revision, status }): Revision => ({ revision, status })),
);
const valuesMap = z.record(z.string(), z.json()).nullable() as z.ZodType<Readonly<Record<string, Json>> | null>;

function parseOutput<Value>(schema: z.ZodType<Value>, { stdout }: HelmResult, args: readonly string[]): Value {
  try {
    return schema.parse(JSON.parse(stdout));
  } catch (cause) {
    // Not the words of the parser: they quote what they could not read, and that may be a secret.
    throw new LabwrightError('LW7003', {
      what: `the answer of helm ${args[0] ?? ''} is not what its documentation says`,
      where: { command: formatCommand(args) },
      why: cause instanceof z.ZodError ? `${cause.issues.length} of its fields have another form` : 'it is no JSON',
      fix: ['install the version of helm that labwright doctor names'],
    });
  }
}

/** The documents of crds folders in the output of template; only the first one of a file says where it is from. */
function definitionsOf(stream: string): string {
  let isDefinition = false;
  const documents = stream.split(/^---$/m).filter((document) => {
    const source = /^# Source: (\S+)/m.exec(document)?.[1];
    if (source !== undefined) isDefinition = /(^|\/)crds\//.test(source);
    return isDefinition;
  });
  return documents.map((document) => `---${document}`).join('');
}

function isNotFound({ exitCode, log }: HelmResult): boolean {
  return exitCode !== 0 && log.some((line) => /release:? not found/i.test(line));
}

const formatSeconds = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1000))}s`;
const formatCommand = (args: readonly string[]): string => ['helm', ...args].join(' ');

/** The result, or the error with helm's words: the last line is the reason, the others are kept beside it. */
function orFail(
  result: HelmResult,
  code: ErrorCode,
  what: string,
  where: { name?: string; namespace?: string; chart?: string } = {},
): HelmResult {
  if (result.exitCode === 0) return result;
  const { name, namespace, chart } = where;
  throw new LabwrightError(code, {
    what,
    where: {
      ...(name === undefined ? {} : { release: namespace === undefined ? name : `${namespace}/${name}` }),
      ...(chart === undefined ? {} : { chart }),
    },
    why: reasonOf(result),
    log: result.log,
    fix: ['correct what helm names, in the lab file where it is from there', 'labwright up'],
  });
}

/** "Error: UPGRADE FAILED: …" without what every message starts with. */
function reasonOf({ log, exitCode }: HelmResult): string {
  const line = log.findLast((each) => each.startsWith('Error:')) ?? log.at(-1);
  return line === undefined ? `helm ended with exit code ${exitCode}` : line.replace(/^Error: /, '');
}

function noChart({ chart, repository, version }: ChartSource, result: HelmResult): LabwrightError {
  return new LabwrightError('LW7002', {
    what: `the chart ${chart} ${version} could not be fetched`,
    where: { repository },
    why: reasonOf(result),
    log: result.log,
    fix: [
      'without Internet: put its package into a folder and name that: kubernetes.chartMirror',
      'or switch it off in the lab file',
    ],
  });
}
