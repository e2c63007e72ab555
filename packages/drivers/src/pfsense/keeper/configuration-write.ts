// One write of the router's configuration, from what it is now to what is wanted.
import { type Change, formatChange } from '../edits/change.ts';
import type { Conflict } from '../edits/plan-edits.ts';
import { type RouterState, fetchRouterState } from '../router-state.ts';
import { type WriteAnswer, balancerAnswer, writeAnswer } from '../snippet.ts';
import { formatOwner, formatWriteRequest } from '../write-request.ts';
import { balancerKeys, narrowBalancer } from './balancer-part.ts';
import { hearBalancer } from './balancer-reload.ts';
import { type DesiredRouter, resolverHosts } from './desired.ts';
import { readOnlyError, refusalError, reloadError, restlessError } from './failure.ts';
import type { KeeperMemory } from './keeper-memory.ts';
import { longestPauseMs, writerSeconds } from './keeper-options.ts';
import { afterWrite } from './write-schedule.ts';

/** Somebody who changes our entries as fast as we read them is given way. */
const triesPerWrite = 4;

/** Gives the time until something may be due again. Throws what the router refuses (LW8004), and LW8007. */
export async function writeConfiguration(memory: KeeperMemory, signal: AbortSignal): Promise<number> {
  const { clock, connection } = memory.options;
  const { desired: wanted, wants: number } = memory;
  let width = Number.POSITIVE_INFINITY;
  let complaint: string | undefined;
  let isWritten = false;
  for (let moves = 0; moves < triesPerWrite;) {
    const state = await fetchRouterState(connection, memory.state, signal);
    memory.see(state);
    const plan = memory.plan(state);
    const { readOnly } = state.profile;
    if (readOnly !== undefined) {
      memory.schedule = afterWrite(memory.schedule, memory.limits, 0, clock.now());
      memory.tell({ kind: 'read-only', conflicts: plan.conflicts, error: readOnlyError(connection, readOnly) });
      return Number.POSITIVE_INFINITY;
    }
    if (wanted === undefined || (plan.changes.length === 0 && !state.isPending)) {
      memory.settle(wanted, 0);
      verifyDoubted(memory);
      tellWritten(memory, number, plan.conflicts);
      return 0;
    }
    const changes = narrowBalancer(plan.changes, width);
    if (complaint !== undefined && width === 0 && changes.length === 0)
      throw refusalError(connection, plan.changes, complaint, 'all else');
    const answer = await send(memory, wanted, state, changes, signal);
    if (answer.kind === 'refused') {
      // HAProxy refuses a configuration as a whole. The entry at fault is found by halves, and the others are not kept waiting.
      const keys = balancerKeys(changes);
      if (keys.length === 0) throw refusalError(connection, changes, answer.message, isWritten ? 'a part' : 'nothing');
      if (complaint === undefined && (await isBalancerBroken(memory, wanted, signal))) width = 0;
      complaint ??= answer.message;
      if (width === 0) continue;
      if (keys.length === 1) memory.giveUp(changes, new Map([[keys[0] ?? '', answer.message]]));
      width = keys.length === 1 ? Number.POSITIVE_INFINITY : Math.ceil(keys.length / 2);
      continue;
    }
    if (answer.kind === 'failed') {
      if (answer.writes > 0) memory.countWrites(answer.writes);
      throw refusalError(connection, changes, answer.message, isWritten || answer.writes > 0 ? 'a part' : 'nothing');
    }
    isWritten ||= answer.kind === 'written';
    const pause = hear(memory, answer, wanted, changes);
    if (pause === 'again' || changes.length < plan.changes.length) {
      moves += pause === 'again' ? 1 : 0;
      continue;
    }
    if (answer.kind === 'held') memory.tell({ kind: 'held', conflicts: plan.conflicts });
    else tellWritten(memory, number, plan.conflicts);
    return pause;
  }
  throw restlessError(connection);
}

/** Whether HAProxy refuses what is on the router already, without a change of ours. */
async function isBalancerBroken(memory: KeeperMemory, desired: DesiredRouter, signal: AbortSignal): Promise<boolean> {
  const request = { owner: formatOwner(desired.owner), action: 'check' };
  const answer = await memory.options.connection.execute('balancer', request, balancerAnswer, signal);
  return answer.kind !== 'done';
}

async function send(
  memory: KeeperMemory,
  desired: DesiredRouter,
  state: RouterState,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<WriteAnswer> {
  const { connection, holder, log } = memory.options;
  const names = memory.planRecords(resolverHosts(memory.plan(state).document));
  log.info('the router is written to', {
    changes: changes.map(formatChange).slice(0, 10).join('; '),
    count: changes.length,
  });
  const request = formatWriteRequest({
    owner: desired.owner,
    version: state.profile.version,
    changes,
    names,
    writer: { holder, seconds: writerSeconds },
  });
  memory.inDoubt = changes;
  const answer = await connection.execute('write', request, writeAnswer, signal);
  memory.inDoubt = [];
  return answer;
}

/** What an answer means for what comes next: a pause, or that it is to be read and tried again. */
function hear(
  memory: KeeperMemory,
  answer: Exclude<WriteAnswer, { kind: 'refused' | 'failed' }>,
  wanted: DesiredRouter,
  changes: readonly Change[],
): number | 'again' {
  const { log, connection } = memory.options;
  switch (answer.kind) {
    case 'written':
    case 'equal': {
      const reloads = Object.entries(answer.reloads);
      const failed = reloads.filter(([, message]) => message !== '');
      if (answer.kind === 'written' && answer.slipped.length > 0) {
        log.info('somebody saved a page on the router while we wrote; both are kept', {
          sections: answer.slipped.join(', '),
        });
      }
      memory.noteWritten(changes);
      memory.settle(wanted, answer.kind === 'written' ? answer.writes : 0);
      for (const [part, message] of reloads) if (part === 'haproxy') hearBalancer(memory, message, changes);
      if (failed.length > 0) throw reloadError(connection, failed);
      // Our own addition to the hosts is live now; what slipped in shows at the next look.
      if (memory.state !== undefined) memory.live = resolverHosts(memory.plan(memory.state).document);
      return 0;
    }
    case 'moved':
    case 'version':
      return 'again';
    case 'held':
      return Math.min(longestPauseMs, answer.seconds * 1000);
  }
}

/** A write whose answer was lost is found done: it is looked at as any other. */
function verifyDoubted(memory: KeeperMemory): void {
  if (memory.inDoubt.length === 0) return;
  memory.noteWritten(memory.inDoubt);
  memory.inDoubt = [];
  memory.verifySoon();
}

function tellWritten(memory: KeeperMemory, number: number, conflicts: readonly Conflict[]): void {
  const isVerified = memory.schedule.verifyAtMs === undefined;
  memory.tell({
    kind: memory.wants === number ? 'settled' : 'waiting',
    written: number,
    ...(isVerified ? { verified: number } : {}),
    conflicts,
  });
}
