// What hosts tell each other: that they are there, and every ten seconds how they and their guests are. Clients see that
// delay in /cluster/resources: a new VM is "unknown" and has no name there at first.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { isMissingFile } from './error.ts';
import type { ClusterFiles } from './pmxcfs.ts';

export interface VmReport {
  readonly name: string;
  readonly status: 'running' | 'stopped';
  readonly cpus: number;
  readonly maxMemoryBytes: number;
  readonly memoryBytes: number;
  readonly maxDiskBytes: number;
  readonly uptimeSeconds: number;
  readonly isTemplate: boolean;
}

export interface HostReport {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly maxMemoryBytes: number;
  readonly uptimeSeconds: number;
  readonly vms: Readonly<Record<string, VmReport>>;
  readonly storages: Readonly<Record<string, { readonly usedBytes: number; readonly totalBytes: number }>>;
}

export interface TaskReport {
  readonly upid: string;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly starttime: number;
  readonly endtime?: number;
  readonly status?: string;
}

const heartbeatSeconds = 1;
const reportSeconds = 10;
/** Beats that may be missed before a host counts as gone. */
const patienceSeconds = 4;

export interface Broadcast {
  isOnline(node: string): Promise<boolean>;
  readReport(node: string): Promise<HostReport | undefined>;
  readTasks(node: string): Promise<readonly TaskReport[]>;
  writeTasks(node: string, tasks: readonly TaskReport[]): Promise<void>;
  /** Beats and reports until the signal. */
  run(node: string, makeReport: () => Promise<HostReport>, signal: AbortSignal): Promise<void>;
}

export function makeBroadcast(stateDirectory: string, files: ClusterFiles, clock: Clock): Broadcast {
  const file = (node: string, what: string): string => `.broadcast/${node}.${what}`;

  async function readJson<T>(path: string): Promise<T | undefined> {
    const text = await files.readText(path);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  return {
    isOnline: async (node) => {
      try {
        const { mtimeMs } = await stat(join(stateDirectory, 'pmxcfs', file(node, 'beat')));
        return clock.nowMs() - mtimeMs < Math.max(clock.scaledMs(patienceSeconds), 1_000);
      } catch (error) {
        if (isMissingFile(error)) return false;
        throw error;
      }
    },
    readReport: (node) => readJson<HostReport>(file(node, 'report')),
    readTasks: async (node) => (await readJson<TaskReport[]>(file(node, 'tasks'))) ?? [],
    writeTasks: (node, tasks) => files.writeText(file(node, 'tasks'), JSON.stringify(tasks)),
    run: async (node, makeReport, signal) => {
      let nextReportMs = 0;
      while (!signal.aborted) {
        await files.writeText(file(node, 'beat'), '');
        if (clock.nowMs() >= nextReportMs) {
          await files.writeText(file(node, 'report'), JSON.stringify(await makeReport()));
          nextReportMs = clock.nowMs() + clock.scaledMs(reportSeconds);
        }
        await clock
          .sleep(Math.min(clock.scaledMs(reportSeconds), clock.scaledMs(heartbeatSeconds) + 50), signal)
          .catch(() => undefined);
      }
    },
  };
}
