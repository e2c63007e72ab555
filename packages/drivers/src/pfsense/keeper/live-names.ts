// Names are told to the running resolver at once; the configuration follows later.
import { namesAnswer } from '../snippet.ts';
import { formatOwner } from '../write-request.ts';
import { resolverHosts } from './desired.ts';
import type { KeeperMemory } from './keeper-memory.ts';
import { writerSeconds } from './keeper-options.ts';

/** From the plan over the configuration as it was read last: no name waits for a read. */
export async function putNamesLive(memory: KeeperMemory, signal: AbortSignal): Promise<void> {
  const { state, desired, wants: number } = memory;
  const { connection, log, holder } = memory.options;
  if (state === undefined || desired === undefined) return;
  if (state.profile.readOnly !== undefined || state.heldBy !== undefined) return;
  const { document, conflicts } = memory.plan(state);
  const wanted = resolverHosts(document);
  const records = memory.planRecords(wanted);
  if (records.add.length + records.remove.length === 0) {
    if (memory.standing.live < number) memory.tell({ live: number, conflicts });
    return;
  }
  const request = {
    owner: formatOwner(desired.owner),
    writer: { holder, seconds: writerSeconds },
    isRestarted: memory.isRestarted,
    ...records,
  };
  const answer = await connection.execute('names', request, namesAnswer, signal);
  if (answer.kind === 'done') {
    memory.isRestarted = false;
    memory.refusal = undefined;
    memory.live = wanted;
    memory.tell({ live: number, conflicts });
  } else {
    const reason = answer.kind === 'held' ? answer.holder : answer.message;
    // It is tried again in every round, and said once.
    if (memory.refusal !== reason) log.warn('names wait for the configuration', { reason });
    memory.refusal = reason;
    if (answer.kind !== 'held' && memory.standing.deferred < number) memory.tell({ deferred: number, conflicts });
  }
}
