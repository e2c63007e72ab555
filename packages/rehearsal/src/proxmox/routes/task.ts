// Tasks of a node: their list, their state, their log, and ending them.
import type { TaskReport } from '../broadcast.ts';
import { parameterError } from '../error.ts';
import type { NodeContext } from '../node-context.ts';
import { anyUser, flag, getNumber, isSet, node, type Call, type Route } from '../route.ts';
import { splitList } from '../property-formats.ts';
import type { TaskRecord } from '../task.ts';

/** A task as lists show it. */
export function formatTaskRow(record: TaskRecord): TaskReport & { readonly pid: number; readonly pstart: number } {
  return {
    upid: record.upid,
    node: record.node,
    pid: record.pid,
    pstart: record.processStart,
    type: record.type,
    id: record.id,
    user: record.user,
    starttime: record.startTime,
    ...(record.endTime === undefined ? {} : { endtime: record.endTime }),
    ...(record.status === undefined ? {} : { status: record.status }),
  };
}

export async function readTaskRows(context: NodeContext, name: string): Promise<readonly TaskReport[]> {
  if (name !== context.host.name) return context.broadcast.readTasks(name);
  return getRecentTasks(await context.tasks.list()).map(formatTaskRow);
}

/** All that run, and the newest finished ones up to 25 in total. */
export function getRecentTasks(records: readonly TaskRecord[]): TaskRecord[] {
  const running = records.filter((record) => record.status === undefined);
  const finished = records.filter((record) => record.status !== undefined);
  return [...running, ...finished.slice(0, Math.max(0, 25 - running.length))];
}

async function findTask(
  { context, caller, parameters }: Call,
  privilege: 'Sys.Audit' | 'Sys.Modify',
): Promise<TaskRecord> {
  const upid = parameters['upid'] ?? '';
  if (!/^UPID:[^:]+:(?:[0-9A-Fa-f]+:){3}[^:]+:[^:]*:[^:]+:$/.test(upid))
    throw parameterError({ upid: 'unable to parse worker upid' });
  const record = await context.tasks.find(upid);
  if (record === undefined) throw parameterError({ upid: 'no such task' });
  const isOwn = record.user === caller.user || record.user.split('!')[0] === caller.user;
  if (!isOwn) caller.privileges.require(`/nodes/${context.host.name}`, [privilege]);
  return record;
}

function matchesStatus(record: TaskRecord, filter: readonly string[]): boolean {
  const { status } = record;
  const kind =
    status === undefined ? 'running' : status === 'OK' ? 'ok' : status.startsWith('WARNINGS') ? 'warning' : 'error';
  return filter.length === 0 || filter.includes(kind);
}

async function listTasks({ context, caller, parameters, setTotal }: Call): Promise<unknown> {
  const source = parameters['source'] ?? 'archive';
  const [since, until] = [getNumber(parameters, 'since'), getNumber(parameters, 'until')];
  const wantedStatus = splitList(parameters['statusfilter'] ?? '');
  const canAudit = caller.privileges.has(`/nodes/${context.host.name}`, 'Sys.Audit');
  const rows = (await context.tasks.list()).filter(
    (record) =>
      (canAudit || record.user === caller.user || record.user.split('!')[0] === caller.user) &&
      (source === 'all' || (source === 'active') === (record.status === undefined)) &&
      (parameters['vmid'] === undefined || record.id === parameters['vmid']) &&
      (parameters['typefilter'] === undefined || record.type === parameters['typefilter']) &&
      (parameters['userfilter'] === undefined || record.user.includes(parameters['userfilter'])) &&
      (since === undefined || record.startTime >= since) &&
      (until === undefined || record.startTime <= until) &&
      (!isSet(parameters, 'errors') || (record.status !== undefined && record.status !== 'OK')) &&
      matchesStatus(record, wantedStatus),
  );
  setTotal(rows.length);
  const start = getNumber(parameters, 'start') ?? 0;
  return rows.slice(start, start + (getNumber(parameters, 'limit') ?? 50)).map(formatTaskRow);
}

const upid = { type: 'string' } as const;
const offset = { type: 'integer', optional: true, minimum: 0 } as const;

export const taskRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes/{node}/tasks',
    parameters: {
      node,
      errors: flag,
      limit: offset,
      since: { type: 'integer', optional: true },
      source: { type: 'string', optional: true, enum: ['archive', 'active', 'all'] },
      start: offset,
      statusfilter: { type: 'string', optional: true },
      typefilter: { type: 'string', optional: true },
      until: { type: 'integer', optional: true },
      userfilter: { type: 'string', optional: true },
      vmid: { type: 'integer', optional: true, minimum: 100, maximum: 999_999_999 },
    },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    answer: listTasks,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/tasks/{upid}',
    parameters: { node, upid },
    permission: anyUser,
    returns: 'array',
    answer: async () => [{ name: 'log' }, { name: 'status' }],
  },
  {
    method: 'DELETE',
    path: '/nodes/{node}/tasks/{upid}',
    parameters: { node, upid },
    permission: anyUser,
    returns: 'null',
    isProxied: true,
    isProtected: true,
    answer: async (call) => {
      const record = await findTask(call, 'Sys.Modify');
      call.context.tasks.stop(record.upid);
      return null;
    },
  },
  {
    method: 'GET',
    path: '/nodes/{node}/tasks/{upid}/status',
    parameters: { node, upid },
    permission: anyUser,
    returns: 'object',
    isProxied: true,
    isProtected: true,
    answer: async (call) => {
      const record = await findTask(call, 'Sys.Audit');
      const [user = '', tokenId] = record.user.split('!');
      const { endtime: _, ...row } = formatTaskRow(record);
      return {
        ...row,
        user,
        ...(tokenId === undefined ? {} : { tokenid: tokenId }),
        status: record.status === undefined ? 'running' : 'stopped',
        ...(record.status === undefined ? {} : { exitstatus: record.status }),
      };
    },
  },
  {
    method: 'GET',
    path: '/nodes/{node}/tasks/{upid}/log',
    parameters: { node, upid, start: offset, limit: offset, download: flag },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    isProtected: true,
    answer: async (call) => {
      const record = await findTask(call, 'Sys.Audit');
      const lines = await call.context.tasks.readLog(record.upid);
      const start = getNumber(call.parameters, 'start') ?? 0;
      const limit = getNumber(call.parameters, 'limit') ?? 50;
      call.setTotal(Math.max(1, lines.length));
      if (lines.length === 0) return [{ n: 1, t: 'no content' }];
      return lines
        .slice(start, limit === 0 ? undefined : start + limit)
        .map((t, index) => ({ n: start + index + 1, t }));
    },
  },
];
