// What a keeper tells of itself.
import type { LabwrightError } from '@labwright/core/errors/error';
import type { Conflict } from '../edits/plan-edits.ts';

export interface RouterStanding {
  readonly kind:
    | 'starting'
    /** All that is wanted is written, except for the conflicts. */
    | 'settled'
    /** Changes wait for their write. */
    | 'waiting'
    /** As many writes as an hour may have; names are live only. */
    | 'capped'
    /** The version is read and not written to. */
    | 'read-only'
    /** Another process writes for the same owner. */
    | 'held'
    | 'failing';
  /** Of what was wanted: the number that `want` gave to the last one whose names the running resolver has. */
  readonly live: number;
  /** And to the last one whose names it refused: they wait for the configuration. */
  readonly deferred: number;
  /** And to the last one that the configuration has. */
  readonly written: number;
  /** And to the last one that was written and then looked at: what did not work of it is taken back. */
  readonly verified: number;
  readonly conflicts: readonly Conflict[];
  /** Entries that did not work and were taken back or left out, by key of their mark (LW8010). */
  readonly takenBack: ReadonlyMap<string, LabwrightError>;
  /** Why it is failing or read only. */
  readonly error?: LabwrightError;
}

export const firstStanding: RouterStanding = {
  kind: 'starting',
  live: 0,
  deferred: 0,
  written: 0,
  verified: 0,
  conflicts: [],
  takenBack: new Map(),
};
