// The router as an end: takes the state of the network on to the keeper, and says what of it the router could not take.
import { asLabwrightError } from '@labwright/core/errors/error';
import type { Log } from '@labwright/core/ports/log';
import type { Conflict } from '@labwright/drivers/pfsense/edits/plan-edits';
import type { RouterStanding } from '@labwright/drivers/pfsense/keeper/router-standing';
import type { EndProblem, NetworkEnd, NetworkState } from '../controller/network-end.ts';
import type { RouterDesire } from './desired-router.ts';
import { exposedPrefix } from './entry-names.ts';
import type { ManagedRouter } from './managed-router.ts';
import { serverMoves, serverStates } from './server-moves.ts';

/**
 * `put` ends when names are live, or at once with the forwarder, which takes them from the configuration alone: the next state
 * need not wait for a write of this one, and servers that leave are told of at once. What becomes of the write is told to
 * `watchProblems`.
 */
export class RouterEnd implements NetworkEnd {
  readonly name: string;
  readonly #router: ManagedRouter;
  readonly #log: Log;
  #last: NetworkState | undefined;
  /** HAProxy has heard of the servers of the last state, as far as is known. */
  #isTold = false;

  constructor(router: ManagedRouter, log: Log) {
    this.name = `pfSense ${router.name}`;
    this.#router = router;
    this.#log = log;
  }

  async put(state: NetworkState, signal: AbortSignal): Promise<readonly EndProblem[]> {
    const before = this.#last;
    // The same once more is a look whether all is in step.
    if (state === before) this.#isTold = false;
    this.#last = state;
    this.#router.wantExposures(state);
    const isKnown = this.#router.setup !== undefined;
    await this.#tellServers(before, state, signal);
    await this.#router.settle('live', { signal });
    if (!isKnown) await this.#tellServers(before, state, signal);
    return endProblems(this.#router.desire, this.#router.standing, this.name);
  }

  watchProblems(tell: (problems: readonly EndProblem[]) => void, signal: AbortSignal): void {
    let told = '';
    this.#router.listen(() => {
      if (this.#last === undefined) return;
      const problems = endProblems(this.#router.desire, this.#router.standing, this.name);
      const text = JSON.stringify(problems);
      if (text === told) return;
      told = text;
      tell(problems);
    }, signal);
  }

  /** It only hurries what the configuration does as well. */
  async #tellServers(before: NetworkState | undefined, state: NetworkState, signal: AbortSignal): Promise<void> {
    const isOn = this.#router.setup?.balancer === 'on';
    const { owner } = this.#router.terms;
    const moves = before === undefined ? [] : serverMoves(owner, before, state);
    const commands = this.#isTold ? moves : [...serverStates(owner, state), ...moves];
    this.#isTold = false;
    if (!isOn) return;
    try {
      if (commands.length > 0) await this.#router.moveServers(commands, signal);
      this.#isTold = true;
    } catch (error) {
      signal.throwIfAborted();
      this.#log.warn('HAProxy hears of servers with the configuration only', { why: asLabwrightError(error).message });
    }
  }
}

/** What of the exposures is not on the router as it should be. */
function endProblems(
  desire: RouterDesire | undefined,
  { conflicts, takenBack }: Pick<RouterStanding, 'conflicts' | 'takenBack'>,
  router: string,
): readonly EndProblem[] {
  if (desire === undefined) return [];
  const { subjects, problems } = desire.exposed;
  const about = (key: string, why: string, fix: string): readonly EndProblem[] => {
    const found = key.startsWith(exposedPrefix) ? subjects.get(key.replace(/~\d+$/, '')) : undefined;
    return (found?.owners ?? []).map((owner) => ({ owner, subject: found?.subject ?? key, why, fix }));
  };
  const all = [
    ...problems,
    ...conflicts.flatMap(({ mark, ...conflict }) =>
      about(mark.key, `${router}: ${conflict.reason}`, conflictFix(conflict)),
    ),
    ...[...takenBack].flatMap(([key, error]) =>
      about(key, `${error.message}: ${error.why ?? ''}`, error.fix[0] ?? 'correct it'),
    ),
  ];
  // An address and a balancer on it may fail for one reason: it is told once.
  const once = new Map(all.map((problem) => [JSON.stringify(problem), problem]));
  return [...once.values()];
}

/** A person's entry may be handed over; anything else has to move. */
export function conflictFix({ holder }: Pick<Conflict, 'holder'>): string {
  return holder?.startsWith('an entry made by hand') === true
    ? 'choose another, or hand that entry over: labwright router adopt NAME'
    : 'choose another, or change that on the router';
}
