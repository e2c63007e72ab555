// What a keeper of a router is given, and the times it keeps to.
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { PfsenseConnection } from '../connection.ts';
import type { Change } from '../edits/change.ts';
import type { RouterState } from '../router-state.ts';
import type { RouterStanding } from './router-standing.ts';
import type { ScheduleLimits, WriteMemory } from './write-schedule.ts';

export interface RouterKeeperOptions {
  readonly connection: PfsenseConnection;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process among those that may write for the same owner. */
  readonly holder: string;
  /**
   * Looks whether what was written works (names resolve, front ends accept), and gives the keys of the marks that do not,
   * each with what was seen.
   */
  readonly probe: (changes: readonly Change[], signal: AbortSignal) => Promise<ReadonlyMap<string, string>>;
  readonly limits?: ScheduleLimits;
  /** Of the last hour's writes, from before this process as well. */
  readonly writes?: WriteMemory;
  /** How often the router is asked whether somebody changed it. */
  readonly lookEveryMs?: number;
  readonly onStanding?: (standing: RouterStanding) => void;
  /** Told of every state of the router that was read anew. */
  readonly onState?: (state: RouterState) => void;
}

/** How long the right to write lasts without being renewed; every look renews it, so the next process need not wait longer. */
export const writerSeconds = 60;
export const longestPauseMs = 60_000;
