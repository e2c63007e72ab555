// Calls about tasks: the work a node does after it has answered.
import { z } from 'zod';
import { type ProxmoxCall, proxmoxCall } from '../call.ts';
import { looseNumber } from '../reading.ts';
import type { Upid } from '../upid.ts';

const taskStatus = z.object({
  status: z.string(),
  /** "OK", "WARNINGS: 2", otherwise what went wrong; absent while it runs. */
  exitstatus: z.string().optional(),
});
export type TaskStatus = z.infer<typeof taskStatus>;

export function taskStatusCall(upid: Upid): ProxmoxCall<TaskStatus> {
  return proxmoxCall('GET', '/nodes/{node}/tasks/{upid}/status', taskStatus, {
    path: { node: upid.node, upid: upid.text },
  });
}

const logLine = z.object({ n: looseNumber, t: z.string() });
export type TaskLogLine = z.infer<typeof logLine>;

/** Lines after the first `start`. An empty log is answered as the one line "no content". */
export function taskLogCall(upid: Upid, start: number, limit: number): ProxmoxCall<TaskLogLine[]> {
  return proxmoxCall('GET', '/nodes/{node}/tasks/{upid}/log', z.array(logLine), {
    path: { node: upid.node, upid: upid.text },
    parameters: { start, limit },
  });
}

const taskRow = z.object({ upid: z.string(), type: z.string(), status: z.string().optional() });
export type TaskRow = z.infer<typeof taskRow>;

/** What runs now on a VM. A token sees its own tasks, and others with Sys.Audit on the node. */
export function runningTasksCall(node: string, vmid: number): ProxmoxCall<TaskRow[]> {
  return proxmoxCall('GET', '/nodes/{node}/tasks', z.array(taskRow), {
    path: { node },
    parameters: { vmid, source: 'active' },
  });
}

/**
 * What was ever done to a VM, newest first, without the first `start`. From all sources: what has just ended is for some seconds
 * no longer active and not yet in the archive. Rows without a status, or with RUNNING, run.
 */
export function tasksCall(
  node: string,
  vmid: number,
  { start, limit }: { readonly start: number; readonly limit: number },
): ProxmoxCall<TaskRow[]> {
  return proxmoxCall('GET', '/nodes/{node}/tasks', z.array(taskRow), {
    path: { node },
    parameters: { vmid, source: 'all', start, limit },
  });
}
