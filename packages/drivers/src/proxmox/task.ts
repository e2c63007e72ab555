// Following a task to its end: what it says last is in every progress report, and its log in every failure.
import { LabwrightError } from '@labwright/core/errors/error';
import type { ProxmoxConnection } from './connection.ts';
import { taskLogCall, taskStatusCall } from './calls/task.ts';
import type { Upid } from './upid.ts';

export interface TaskProgress {
  readonly upid: string;
  /** "create of node101 (VM 101) on pve1" */
  readonly awaited: string;
  /** The newest line of the task's log; empty while there is none. */
  readonly lastLine: string;
  readonly elapsedMs: number;
}

export interface TaskResult {
  readonly upid: string;
  /** The log's warnings: the task counts as done with them. */
  readonly warnings: readonly string[];
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly awaited: string;
  readonly timeoutMs: number;
  readonly onProgress?: (progress: TaskProgress) => void;
}

const firstPollMs = 200;
const slowestPollMs = 2_000;
/** So long a task that was just made may be unknown to the node that is asked about it. */
const birthMs = 5_000;
const keptLines = 20;
const pageLines = 500;

/**
 * Waits for the task's end. Throws LW2005 when it failed (its words as the reason, the log's last lines with it), LW2006
 * when it has not ended in time (it goes on running on the host), the signal's reason when aborted (likewise).
 */
export async function followTask(
  connection: ProxmoxConnection,
  upid: Upid,
  options: FollowOptions,
): Promise<TaskResult> {
  const { clock } = connection;
  const started = clock.monotonic();
  const log = taskLog(connection, upid);
  for (let pollMs = firstPollMs; ; pollMs = Math.min(pollMs * 1.5, slowestPollMs)) {
    const elapsedMs = clock.monotonic() - started;
    const exit = await fetchExit(connection, upid, options.signal, elapsedMs < birthMs);
    await log.read(options.signal);
    const lastLine = log.lines().at(-1) ?? '';
    if (exit !== undefined) return judgeExit(upid, exit, options.awaited, log.lines());
    options.onProgress?.({ upid: upid.text, awaited: options.awaited, lastLine, elapsedMs });
    if (elapsedMs >= options.timeoutMs) throw tooLate(upid, options, lastLine, log.lines());
    await clock.sleep(Math.min(pollMs, Math.max(options.timeoutMs - elapsedMs, 1)), options.signal);
  }
}

/** The exit status, or undefined while the task runs. */
async function fetchExit(
  connection: ProxmoxConnection,
  upid: Upid,
  signal: AbortSignal,
  young: boolean,
): Promise<string | undefined> {
  try {
    const { status, exitstatus } = await connection.request(taskStatusCall(upid), { signal });
    return status === 'stopped' ? (exitstatus ?? 'unexpected status') : undefined;
  } catch (error) {
    if (young && error instanceof LabwrightError && isUnknownTask(error)) return undefined;
    throw error;
  }
}

const isUnknownTask = (error: LabwrightError): boolean =>
  error.code === 'LW2004' && /no such task/.test(error.why ?? '');

interface TaskLog {
  /** Reads what was written since the last time. */
  read(signal: AbortSignal): Promise<void>;
  lines(): readonly string[];
}

function taskLog(connection: ProxmoxConnection, upid: Upid): TaskLog {
  let next = 0;
  let kept: readonly string[] = [];
  return {
    lines: () => kept,
    async read(signal) {
      for (;;) {
        const page = await fetchPage(connection, upid, next, signal);
        next += page.length;
        kept = [...kept, ...page].slice(-keptLines);
        if (page.length < pageLines) return;
      }
    },
  };
}

async function fetchPage(
  connection: ProxmoxConnection,
  upid: Upid,
  start: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const rows = await connection.request(taskLogCall(upid, start, pageLines), { signal });
    const isEmpty = rows.length === 1 && rows[0]?.t === 'no content';
    return isEmpty ? [] : rows.filter((row) => row.n > start).map((row) => row.t);
  } catch (error) {
    // The log is a comfort: a task whose log file is not there yet (or gone) still has a status that decides.
    if (error instanceof LabwrightError && error.code === 'LW2004') {
      connection.log.debug('the log of a Proxmox task could not be read', {
        upid: upid.text,
        reason: error.why ?? error.message,
      });
      return [];
    }
    throw error;
  }
}

function judgeExit(upid: Upid, exit: string, awaited: string, lines: readonly string[]): TaskResult {
  if (exit === 'OK') return { upid: upid.text, warnings: [] };
  if (/^WARNINGS: \d+$/.test(exit)) {
    const warnings = lines
      .filter((line) => /^WARN(ING)?:/i.test(line))
      .map((line) => line.replace(/^WARN(ING)?:\s*/i, ''));
    return { upid: upid.text, warnings: warnings.length > 0 ? warnings : [exit] };
  }
  throw new LabwrightError('LW2005', {
    what: `the ${awaited} failed`,
    where: { host: upid.node, task: upid.text },
    why: exit,
    fix: adviceFor(exit, upid),
    log: lines,
  });
}

function adviceFor(exit: string, upid: Upid): readonly string[] {
  if (/no space left|not enough free space|insufficient free space/i.test(exit)) {
    return [
      `free space on that storage of ${upid.node}: pvesm status`,
      'or name another one in the lab file: pools.NAME.storage',
    ];
  }
  if (/can't allocate memory|cannot allocate memory/i.test(exit)) {
    return [`free memory on ${upid.node}, or lower pools.NAME.memory in the lab file`];
  }
  if (/bridge '[^']+' does not exist/.test(exit)) {
    return [`make the bridge on ${upid.node}, or name one it has in the lab file: networks.NAME.bridge`];
  }
  return [`see the whole log: pvenode task log ${upid.text} on ${upid.node}`];
}

function tooLate(upid: Upid, options: FollowOptions, lastLine: string, lines: readonly string[]): LabwrightError {
  const last = lastLine === '' ? 'it has written no log line' : `the last line of its log is: ${lastLine}`;
  return new LabwrightError('LW2006', {
    what: `the ${options.awaited} did not end within ${Math.round(options.timeoutMs / 1000)} s`,
    where: { host: upid.node, task: upid.text },
    why: `the task still runs; ${last}`,
    fix: [
      'run the same command again: it waits for the task that runs instead of starting another',
      `or stop the task: pvenode task stop ${upid.text} on ${upid.node}`,
    ],
    log: lines,
  });
}
