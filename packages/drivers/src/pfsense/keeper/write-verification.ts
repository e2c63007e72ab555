// What was written is looked at once it had time to work.
import type { Change } from '../edits/change.ts';
import { fetchRouterState } from '../router-state.ts';
import type { KeeperMemory } from './keeper-memory.ts';
import { afterVerification } from './write-schedule.ts';

/** A page that was open while we wrote may have saved without ours since; and what was written may not work. */
export async function verifyWrite(memory: KeeperMemory, signal: AbortSignal): Promise<void> {
  const { connection, log, probe } = memory.options;
  memory.schedule = afterVerification(memory.schedule);
  const state = await fetchRouterState(connection, memory.state, signal);
  memory.see(state);
  if (memory.isLost(state)) {
    log.info('what was written is gone again and is put back', {});
    memory.putBack();
    return;
  }
  // What is wanted otherwise by now is not judged: names of it are out of the running resolver before the next write.
  const due = keysOf(memory.plan(state).changes);
  const changes = memory.written.filter((change) => !keysOf([change]).some((key) => due.includes(key)));
  memory.written = [];
  const seen = changes.length === 0 ? new Map<string, string>() : await probe(changes, signal);
  const again = new Map([...seen].filter(([key]) => memory.doubted.has(key)));
  const doubted = new Set([...seen.keys()].filter((key) => !again.has(key)));
  memory.doubted = doubted;
  if (seen.size === 0) memory.tell({ verified: memory.standing.written });
  if (doubted.size > 0) {
    // A resolver that somebody started anew meanwhile has forgotten what was live only: it is told all of ours once more.
    memory.written = changes.filter((change) => change.kind === 'entry' && doubted.has(change.mark.key));
    memory.isRestarted = true;
    memory.verifySoon();
  }
  if (again.size === 0) return;
  log.warn('what was written does not work and is taken back', {
    entries: [...again].map(([key, why]) => `${key}: ${why}`).join('; '),
  });
  memory.giveUp(changes, again);
  memory.putBack();
}

const keysOf = (changes: readonly Change[]): readonly string[] =>
  changes.flatMap((change) => (change.kind === 'entry' ? [change.mark.key] : []));
