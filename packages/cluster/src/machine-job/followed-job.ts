// A job on a machine that takes a while, under systemd there: started over SSH, followed over SSH, and alive without either.
//
//   no unit of its name ──started──▶ it runs ──▶ its last line, "labwright: ended CODE"
//        │                            │ ▲   ╰──▶ gone without one: switched off, or stopped by somebody
//        ╰─ its check says that there │ │
//           is nothing to do          ╰─╯ the connection is lost, or we are: attached again, from its first line
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Shell } from '../formation/shell.ts';
import { formatSettings, packFiles, type ArchivedFile } from './job-archive.ts';

export interface FollowedJob {
  /** Of systemd: at most one of a name runs on a machine at a time, and has /run/NAME to itself. */
  readonly unit: string;
  /** Of the unit, for whoever looks at the machine. */
  readonly description: string;
  /** What it does, run by sh in /run/UNIT with the settings as variables. */
  readonly work: string;
  /** Looks before the job is made a unit, and leaves with `exit 0` after saying "labwright: WORD" when there is nothing to do. */
  readonly check?: string;
  readonly settings: Readonly<Record<string, string>>;
  /** By path in /run/UNIT; those in `files/` are removed when the job ends. */
  readonly files: readonly ArchivedFile[];
  /** What of a line is told to people; nothing when undefined. */
  readonly describe: (line: string) => string | undefined;
  /** Told when the connection is lost. */
  readonly whileLost: string;
}

export interface FollowOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: (words: string) => void;
  /** The machine may be silent for this long in the middle (a network that is gone for a while). */
  readonly patienceMs: number;
  /** For a job that has fallen silent on a connection that is good. */
  readonly timeoutMs: number;
}

export interface JobEnd {
  /** Undefined when it was gone without a last word, and when its check found nothing to do. */
  readonly exitCode: number | undefined;
  /** "started", "attached" to one of its unit that was under way, or what its check said. */
  readonly word: string;
  /** Of the one that it was attached to. */
  readonly attachedTo?: string;
  /** Its last lines. */
  readonly log: readonly string[];
}

const reconnectMs = 2_000;
/** Timers may be early by a little. */
const slackMs = 50;
const keptLines = 20;

/** Starts the job or finds one of its unit under way, and follows it to its end. Throws LW3003 when the machine stays silent, and LW3004. */
export async function followJob(shell: Shell, job: FollowedJob, options: FollowOptions): Promise<JobEnd> {
  const { clock, signal, patienceMs, progress, timeoutMs } = options;
  const archive = await packJob(job);
  let heardAt = clock.monotonic();
  for (;;) {
    const begunAt = clock.monotonic();
    let wasThere = false;
    const heard = (): void => {
      wasThere = true;
      heardAt = clock.monotonic();
    };
    try {
      return await followOnce(shell, job, archive, { ...options, heard });
    } catch (error) {
      signal.throwIfAborted();
      // A connection that is lost was good until a moment ago, however long the job has had nothing to say.
      const isLost = wasThere && clock.monotonic() - begunAt < timeoutMs - slackMs;
      if (isLost) heardAt = clock.monotonic();
      const isSilent = error instanceof LabwrightError && error.code === 'LW3003';
      if (!isSilent || clock.monotonic() - heardAt > patienceMs) throw error;
      progress(job.whileLost);
      await clock.sleep(reconnectMs, signal);
    }
  }
}

async function followOnce(
  shell: Shell,
  { unit, description, describe }: FollowedJob,
  archive: Uint8Array,
  { signal, progress, timeoutMs, heard }: FollowOptions & { readonly heard: () => void },
): Promise<JobEnd> {
  const ended = new AbortController();
  const log: string[] = [];
  let said = { word: '', rest: '' };
  let exitCode: number | undefined;
  const read = readLines((line) => {
    heard();
    const [, word = '', rest = ''] = /^labwright: (\w+) ?(.*)$/.exec(line) ?? [];
    if (word === 'ended') {
      exitCode = Number(rest);
      ended.abort();
    } else if (word !== '') said = { word, rest };
    else {
      log.push(line);
      const words = describe(line);
      if (words !== undefined) progress(words);
    }
  });
  try {
    const result = await shell(['sudo', 'sh', '-c', readGuestScript('follow.sh'), 'sh', unit, description], {
      stdin: archive,
      onStdout: read,
      timeoutMs,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    log.push(...result.stderr.split('\n').filter((line) => line !== ''));
  } catch (error) {
    // The last line is all there is to wait for; `tail` notices a moment later that nothing follows.
    if (!ended.signal.aborted) throw error;
  }
  signal.throwIfAborted();
  const { word, rest } = said;
  return { exitCode, word, log: log.slice(-keptLines), ...(word === 'attached' ? { attachedTo: rest } : {}) };
}

/** The archive that guest/follow.sh unpacks. */
async function packJob({ work, check, settings, files }: FollowedJob): Promise<Uint8Array> {
  const script = (path: string, content: string): ArchivedFile => ({ path, mode: 0o600, content });
  return await packFiles([
    script('run.sh', readGuestScript('run.sh')),
    script('work.sh', work),
    // Also without one: what an earlier job of the unit left there is not this one's.
    script('check.sh', check ?? ''),
    script('settings.sh', formatSettings(settings)),
    ...files,
  ]);
}

const readGuestScript = (name: string): string => readFileSync(join(import.meta.dirname, 'guest', name), 'utf8');

/** Whole lines of a stream of bytes. */
function readLines(told: (line: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  return (piece) => {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) told(line);
  };
}
