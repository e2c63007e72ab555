// Background work of a host: every task has a UPID and a log on disk whose last line is its result. A task whose emulator was
// killed has no such line and reads as "unexpected status", as one of Proxmox whose worker died.
//
//   started ──log lines──► TASK OK | TASK WARNINGS: n | TASK ERROR: text
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { nowSeconds, type Clock } from './clock.ts';
import { isMissingFile, messageOf } from './error.ts';
import { formatUpid, parseUpid, type Upid } from './upid.ts';

export interface TaskLog {
  readonly line: (text: string) => void;
  /** A warning does not fail the task, but it ends as WARNINGS with their number. */
  readonly warn: (text: string) => void;
  /** Ends with the emulator and when the task is stopped. */
  readonly signal: AbortSignal;
}

export interface TaskStart {
  readonly type: string;
  readonly id: string;
  readonly user: string;
}

export interface TaskRecord extends Upid {
  readonly upid: string;
  readonly endTime?: number;
  /** Absent while it runs. */
  readonly status?: string;
}

export interface Tasks {
  /** Starts the work and returns its UPID at once. */
  start(task: TaskStart, work: (log: TaskLog) => Promise<void>): Promise<string>;
  /** Newest first; the running ones too. */
  list(): Promise<TaskRecord[]>;
  find(upid: string): Promise<TaskRecord | undefined>;
  readLog(upid: string): Promise<string[]>;
  stop(upid: string): void;
  /** Ends every running task and waits for it. */
  close(): Promise<void>;
}

export interface TaskOptions {
  readonly node: string;
  readonly directory: string;
  readonly clock: Clock;
  /** Called before the work starts: faults make tasks slow or add warnings. */
  readonly beforeWork?: (task: TaskStart, log: TaskLog) => Promise<void>;
  /** The list changed: other hosts show it under /cluster/tasks. */
  readonly onChange?: () => Promise<void>;
}

export async function openTasks(options: TaskOptions): Promise<Tasks> {
  const { node, directory, clock } = options;
  await mkdir(directory, { recursive: true });
  const index = join(directory, 'index');
  const records = await readRecords(directory, index);
  const running = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>();
  const firstPid = randomInt(2_000, 30_000);
  let started = 0;

  const logFile = (upid: string): string => join(directory, upid);

  async function start(task: TaskStart, work: (log: TaskLog) => Promise<void>): Promise<string> {
    started += 1;
    const name: Upid = {
      node,
      pid: firstPid + started,
      processStart: Math.floor(performance.now() / 10) + firstPid,
      startTime: nowSeconds(clock),
      ...task,
    };
    const upid = formatUpid(name);
    await writeFile(logFile(upid), '');
    records.set(upid, { ...name, upid });
    const abort = new AbortController();
    running.set(upid, { abort, ended: run(upid, task, abort, work) });
    await options.onChange?.();
    return upid;
  }

  async function run(
    upid: string,
    task: TaskStart,
    abort: AbortController,
    work: (log: TaskLog) => Promise<void>,
  ): Promise<void> {
    let warnings = 0;
    let writing = Promise.resolve();
    const line = (text: string): void => {
      writing = writing.then(() => appendFile(logFile(upid), `${text.trimEnd()}\n`));
    };
    const warn = (text: string): void => {
      warnings += 1;
      line(`WARN: ${text}`);
    };
    const log: TaskLog = { line, warn, signal: abort.signal };
    let result: string;
    try {
      await options.beforeWork?.(task, log);
      await Promise.race([work(log), whenAborted(abort.signal)]);
      result = warnings === 0 ? 'OK' : `WARNINGS: ${warnings}`;
      line(`TASK ${result}`);
    } catch (error) {
      result = abort.signal.aborted ? 'received interrupt' : messageOf(error);
      line(`TASK ERROR: ${result}`);
    }
    await writing;
    const endTime = nowSeconds(clock);
    const status = result.replaceAll('\n', ' ');
    await appendFile(index, `${upid} ${endTime.toString(16).toUpperCase().padStart(8, '0')} ${status}\n`);
    const record = records.get(upid);
    if (record !== undefined) records.set(upid, { ...record, endTime, status });
    running.delete(upid);
    await options.onChange?.();
  }

  async function list(): Promise<TaskRecord[]> {
    return [...records.values()].sort((left, right) => right.startTime - left.startTime || right.pid - left.pid);
  }

  return {
    start,
    list,
    find: async (upid) => records.get(upid),
    readLog: async (upid) => {
      const text = await readTextOrNothing(logFile(upid));
      return text === '' ? [] : text.trimEnd().split('\n');
    },
    stop: (upid) => running.get(upid)?.abort.abort(),
    close: async () => {
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new Error('received interrupt'));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** The tasks of earlier runs of this host: those without a result were cut off. */
async function readRecords(directory: string, index: string): Promise<Map<string, TaskRecord>> {
  const records = new Map<string, TaskRecord>();
  for (const upid of await readdir(directory)) {
    const parsed = parseUpid(upid);
    if (parsed !== undefined) records.set(upid, { ...parsed, upid, status: 'unexpected status' });
  }
  for (const entry of (await readTextOrNothing(index)).split('\n')) {
    const [upid = '', ended = '', ...status] = entry.split(' ');
    const record = records.get(upid);
    if (record !== undefined)
      records.set(upid, { ...record, endTime: Number.parseInt(ended, 16), status: status.join(' ') });
  }
  return records;
}

async function readTextOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissingFile(error)) return '';
    throw error;
  }
}
