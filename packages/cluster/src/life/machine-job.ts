// Work on a machine that takes a while, under systemd there: started over SSH, followed over SSH, and alive without either.
// (Runs of kubeadm that form or join are formation/kubeadm-job.ts's; these are of a machine that is in the cluster.)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import { packFiles, readLines } from '../formation/kubeadm-job.ts';
import type { Shell } from '../formation/shell.ts';

export interface MachineJob {
  /** At most one of a name runs on a machine at a time. */
  readonly unit: 'labwright-fetch' | 'labwright-upgrade' | 'labwright-restore' | 'labwright-renew';
  readonly description: string;
  /** What it does, run by sh in a folder of its own in memory, with the settings as variables. */
  readonly script: string;
  readonly settings: Readonly<Record<string, string>>;
  /** By relative path, below `files/`; removed when the job ends. */
  readonly files?: readonly JobFile[];
}

export interface JobFile {
  readonly path: string;
  readonly mode: number;
  readonly content: string | Uint8Array;
}

export interface MachineJobOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: (words: string) => void;
  /** The machine may be silent for this long in the middle. */
  readonly patienceMs: number;
  readonly timeoutMs: number;
}

const reconnectMs = 2_000;
const keptLines = 20;

/**
 * Runs the job to its end; gives its last lines. One of its kind that is under way is followed first and then done again,
 * which has to be harmless. Throws LW6036 when it fails or is gone without a last word, LW3003 for a machine that stays silent.
 */
export async function runMachineJob(
  shell: Shell,
  machine: string,
  job: MachineJob,
  options: MachineJobOptions,
): Promise<readonly string[]> {
  const { clock, signal, patienceMs, progress } = options;
  const archive = await packJob(job);
  let heardAt = clock.monotonic();
  for (;;) {
    try {
      const heard = (): void => void (heardAt = clock.monotonic());
      const outcome = await followOnce(shell, job, archive, { ...options, heard });
      if (outcome.kind === 'failed') throw failed(machine, job, outcome);
      // What was under way may have been begun for something else.
      if (!outcome.wasAttached) return outcome.log;
    } catch (error) {
      signal.throwIfAborted();
      const isSilent = error instanceof LabwrightError && error.code === 'LW3003';
      if (!isSilent || clock.monotonic() - heardAt > patienceMs) throw error;
      progress('the connection is lost; the machine goes on without it');
      await clock.sleep(reconnectMs, signal);
    }
  }
}

type Outcome =
  | { readonly kind: 'done'; readonly wasAttached: boolean; readonly log: readonly string[] }
  | { readonly kind: 'failed'; readonly why: string; readonly log: readonly string[] };

async function followOnce(
  shell: Shell,
  job: MachineJob,
  archive: Uint8Array,
  { signal, progress, timeoutMs, heard }: MachineJobOptions & { readonly heard: () => void },
): Promise<Outcome> {
  const ended = new AbortController();
  const log: string[] = [];
  let wasAttached = false;
  let exitCode: number | undefined;
  const read = readLines((line) => {
    heard();
    const [, word = '', rest = ''] = /^labwright: (\w+) ?(.*)$/.exec(line) ?? [];
    if (word === 'attached') wasAttached = true;
    else if (word === 'ended') {
      exitCode = Number(rest);
      ended.abort();
    } else if (word === '') {
      log.push(line);
      log.splice(0, Math.max(0, log.length - keptLines));
      const [, said] = /^\[labwright\] (.+)$/.exec(line) ?? [];
      if (said !== undefined) progress(said);
    }
  });
  try {
    const result = await shell(['sudo', 'sh', '-c', guestFile('job.sh'), 'sh', job.unit, job.description], {
      stdin: archive,
      onStdout: read,
      timeoutMs,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    log.push(...result.stderr.split('\n').filter((line) => line !== ''));
  } catch (error) {
    // After the last line there is nothing to wait for.
    if (!ended.signal.aborted) throw error;
  }
  signal.throwIfAborted();
  if (exitCode === 0) return { kind: 'done', wasAttached, log };
  const why =
    exitCode === undefined
      ? 'it was gone without a last word: the machine was switched off, or somebody stopped it'
      : `it ended with exit code ${exitCode}`;
  return { kind: 'failed', why, log };
}

function failed(machine: string, job: MachineJob, outcome: Extract<Outcome, { kind: 'failed' }>): LabwrightError {
  return new LabwrightError('LW6036', {
    what: `"${job.description}" failed on ${machine}`,
    where: { machine, unit: `${job.unit}.service` },
    why: outcome.why,
    log: outcome.log,
    fix: ['read the lines above', 'run the command again: it goes on from where it is'],
  });
}

async function packJob({ script, settings, files = [] }: MachineJob): Promise<Uint8Array> {
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}\n`);
  return await packFiles([
    { path: 'run.sh', mode: 0o600, content: guestFile('run.sh') },
    { path: 'work.sh', mode: 0o600, content: script },
    { path: 'settings.sh', mode: 0o600, content: variables.join('') },
    ...files.map(({ path, mode, content }) => ({ path: `files/${path}`, mode, content: Buffer.from(content) })),
  ]);
}

const quote = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`;

const guestFile = (name: string): string => readFileSync(join(import.meta.dirname, 'guest', name), 'utf8');
