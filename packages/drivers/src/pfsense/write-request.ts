// What the write snippet is told: changes and names as plain data.
import type { Owner } from './config/mark.ts';
import { formatMark } from './config/mark.ts';
import { type Change, formatChange, subsystemsOf } from './edits/change.ts';
import type { NameRecords } from './names/name-records.ts';

/** One of several Labwrights that may write for an owner, and for how long it asks. */
export interface Writer {
  readonly holder: string;
  readonly seconds: number;
}

export interface WriteRequest {
  readonly owner: Owner;
  /** The version that the changes were planned for; another one is not written to. */
  readonly version: string;
  readonly changes: readonly Change[];
  /** What goes live in the running resolver with this write. */
  readonly names: NameRecords;
  readonly writer?: Writer;
}

/** The arguments of write.php. */
export function formatWriteRequest({ owner, version, changes, names, writer }: WriteRequest): unknown {
  return {
    owner: formatOwner(owner),
    version,
    description: describeWrite(owner, changes),
    subsystems: subsystemsOf(changes),
    remove: names.remove,
    add: names.add,
    changes: changes.map(formatArgument),
    ...(writer === undefined ? {} : { writer }),
  };
}

/** What every mark of an owner begins with. */
export function formatOwner(owner: Owner): string {
  return formatMark({ ...owner, key: '' });
}

/** For the router's own list of backups; at most three changes are told by name. */
function describeWrite({ lab, cluster }: Owner, changes: readonly Change[]): string {
  const told = changes.slice(0, 3).map(formatChange);
  const more = changes.length > told.length ? ` and ${changes.length - told.length} more` : '';
  return `Labwright ${lab}/${cluster}: ${told.join('; ')}${more}`;
}

function formatArgument(change: Change): unknown {
  if (change.kind === 'fields') {
    const { kind, path, before, after } = change;
    return { kind, path, before, after };
  }
  const { kind, place, mark, before, after, consent } = change;
  return {
    kind,
    path: place.path,
    tag: place.tag,
    markIn: place.markIn,
    mayMake: place.mayMake,
    mark: formatMark(mark),
    before: before ?? null,
    after: after ?? null,
    consent: consent ?? '',
  };
}
