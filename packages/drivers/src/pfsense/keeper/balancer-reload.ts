// HAProxy's test of a configuration opens no port. What it cannot start with shows when it takes the configuration up, and would
// keep it from starting at all after a power cut, so the entries at fault are taken back as others are that do not work.
import { textAt } from '../config/config-value.ts';
import { formatPlace, places } from '../config/place.ts';
import type { Change, EntryChange } from '../edits/change.ts';
import type { OwnedEntry } from '../edits/plan-edits.ts';
import type { KeeperMemory } from './keeper-memory.ts';

/** A port that somebody is about to let go is in the way of the first one only. */
const triesOfReload = 3;

/** What HAProxy said on being reloaded after these changes; an empty text when it took them up. */
export function hearBalancer(memory: KeeperMemory, message: string, changes: readonly Change[]): void {
  if (message === '') {
    memory.untaken = { changes: [], tries: 0 };
    return;
  }
  const news = memory.withoutTakeBacks(changes).filter(isOfBalancer);
  const untaken = [...memory.untaken.changes, ...news];
  const tries = news.length > 0 ? 1 : memory.untaken.tries + 1;
  memory.untaken = { changes: untaken, tries };
  if (tries < triesOfReload) return;
  const blamed = findBlamed(message, untaken, memory.desired?.entries ?? []);
  if (blamed.length === 0) return;
  const keys = new Set(blamed.map(({ mark }) => mark.key));
  memory.untaken = { changes: untaken.filter(({ mark }) => !keys.has(mark.key)), tries: 0 };
  memory.options.log.warn('what HAProxy does not start with is taken back', {
    entries: [...keys].join(', '),
    why: message,
  });
  memory.written = memory.written.filter((change) => change.kind !== 'entry' || !keys.has(change.mark.key));
  memory.giveUp(blamed, new Map([...keys].map((key) => [key, message])));
  memory.putBack();
}

/**
 * The changes to be taken back. HAProxy names the front ends that it cannot open: then it is those, also ones that it could open
 * before, and none while it names only others. Where it names none it may be any of the changes that it has not taken up.
 */
export function findBlamed(
  message: string,
  untaken: readonly EntryChange[],
  desired: readonly OwnedEntry[],
): readonly EntryChange[] {
  const named = new Set(
    // The package writes front ends that share a port as one, which has the name of the first.
    [...message.matchAll(/\b(?:frontend|proxy) ([\w.-]+):/g)].map(([, name = '']) => name.replace(/-merged$/, '')),
  );
  if (named.size === 0) return untaken.filter(({ after }) => after !== undefined);
  const isNamed = ({ place }: Pick<OwnedEntry, 'place'>, value: OwnedEntry['value']): boolean =>
    formatPlace(place) === formatPlace(places.frontEnds) && named.has(textAt(value, 'name'));
  const fresh = untaken.filter((change) => change.after !== undefined && isNamed(change, change.after));
  const freshKeys = new Set(fresh.map(({ mark }) => mark.key));
  const older = desired.filter((entry) => isNamed(entry, entry.value) && !freshKeys.has(entry.mark.key));
  return [
    ...untaken.filter(({ mark }) => freshKeys.has(mark.key)),
    ...older.map(({ place, mark, value }) => ({ kind: 'entry' as const, place, mark, after: value })),
  ];
}

function isOfBalancer(change: Change): change is EntryChange {
  return change.kind === 'entry' && change.place.subsystem === 'haproxy';
}
