// One run of the helm program: arguments as an array, secrets by standard input and private files only.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Secret } from '@labwright/core/ports/secret';

export interface HelmRun {
  /** Path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  readonly stdin?: Secret;
  /** Text of a kubeconfig; for the time of the run in a file that only this user can read. */
  readonly kubeconfig?: Secret;
  /** What must not show in anything helm says: it quotes what it cannot use. */
  readonly secrets?: readonly Secret[];
  /** Existing folder under which the run gets one of its own. */
  readonly temporaryDirectory: string;
  /** Of the caller; only what leads out of this network is handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

export interface HelmResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** The last lines of its standard error, secrets as dots. */
  readonly log: readonly string[];
}

const passedOn = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'no_proxy', 'SSL_CERT_FILE'];
const logLines = 20;
const mostOutputBytes = 64 * 1024 * 1024;
/** After SIGTERM helm rolls back what it has begun; then it is ended. */
const graceMs = 20_000;

/** Any exit code is a result. Throws LW0004 when the program is gone, and the signal's reason when it is aborted. */
export async function runHelm(run: HelmRun): Promise<HelmResult> {
  run.signal.throwIfAborted();
  const folder = await mkdtemp(join(run.temporaryDirectory, 'helm-'));
  try {
    const result = await execute(run, folder, await writeKubeconfig(run, folder));
    run.signal.throwIfAborted();
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** mkdtemp made the folder 0700; the file is 0600 on top. */
async function writeKubeconfig({ kubeconfig }: HelmRun, folder: string): Promise<readonly string[]> {
  if (kubeconfig === undefined) return [];
  const file = join(folder, 'kubeconfig');
  await writeFile(file, kubeconfig.reveal(), { mode: 0o600, flag: 'wx' });
  return ['--kubeconfig', file];
}

async function execute(run: HelmRun, folder: string, more: readonly string[]): Promise<HelmResult> {
  const child = spawn(run.program, [...run.args, ...more], {
    env: helmEnvironment(run.environment, folder),
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const hide = makeRedaction(run.secrets ?? []);
  const stdout: Buffer[] = [];
  let size = 0;
  const log: string[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= mostOutputBytes) stdout.push(chunk);
    else child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8');
  const say = (line: string): void => {
    if (line.trim() === '') return;
    const shown = hide(line.trimEnd());
    log.push(shown);
    if (log.length > logLines) log.shift();
    run.onLine?.(shown);
  };
  child.stderr.on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) say(line);
  });
  // helm may end before it has read everything; its exit code tells what happened.
  child.stdin.on('error', () => undefined);
  child.stdin.end(run.stdin?.reveal() ?? '');
  const grace = new AbortController();
  const onAbort = (): void => {
    child.kill('SIGTERM');
    AbortSignal.any([grace.signal, AbortSignal.timeout(graceMs)]).addEventListener('abort', () =>
      child.kill('SIGKILL'),
    );
  };
  run.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 128));
    });
    say(rest);
    return { exitCode, stdout: Buffer.concat(stdout).toString('utf8'), log };
  } catch (error) {
    throw new LabwrightError('LW0004', {
      what: `helm could not be started`,
      where: { program: run.program },
      why: error instanceof Error ? error.message : String(error),
      fix: ['labwright doctor'],
      cause: error,
    });
  } finally {
    run.signal.removeEventListener('abort', onAbort);
    grace.abort();
  }
}

function helmEnvironment(environment: HelmRun['environment'], folder: string): Record<string, string> {
  const given = passedOn.flatMap((name): [string, string][] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    HOME: folder,
    HELM_CACHE_HOME: join(folder, 'cache'),
    HELM_CONFIG_HOME: join(folder, 'config'),
    HELM_DATA_HOME: join(folder, 'data'),
    // Until 3.8 charts from OCI registries were on trial.
    HELM_EXPERIMENTAL_OCI: '1',
    ...Object.fromEntries(given),
  };
}

/** Shorter ones are in too many words to be told from them. */
const shortestHidden = 4;

/** Dots for every secret, also in base64, as the API server's words have it. */
export function makeRedaction(secrets: readonly Secret[]): (text: string) => string {
  const needles = secrets
    .map((secret) => secret.reveal())
    .flatMap((value) => [value, Buffer.from(value).toString('base64'), JSON.stringify(value).slice(1, -1)])
    .filter((value) => value.length >= shortestHidden)
    .toSorted((one, other) => other.length - one.length);
  return (text) => needles.reduce((shown, needle) => shown.replaceAll(needle, '•••'), text);
}
