// A change of the router's configuration as data: of one entry of ours, or of the network boot fields of one DHCP section.
import { type ConfigMap, type ConfigValue, canonicalValue } from '../config/config-value.ts';
import type { Mark } from '../config/mark.ts';
import { type Place, type Subsystem, formatPlace, markOf } from '../config/place.ts';

export type Change = EntryChange | FieldsChange;

/** Without `before` the entry is new, without `after` it goes. */
export interface EntryChange {
  readonly kind: 'entry';
  readonly place: Place;
  readonly mark: Mark;
  /** The whole entry as it was read; the change is made only while it is still so. */
  readonly before?: ConfigMap;
  readonly after?: ConfigMap;
  /** Only with these words may `before` (adopt) or `after` (release) be without the mark: a person asked for it. */
  readonly consent?: 'adopt' | 'release';
}

/** null stands for a field that is not there; an empty text for one that is there and empty, which switches a flag on. */
export type Fields = Readonly<Record<string, string | null>>;

export interface FieldsChange {
  readonly kind: 'fields';
  readonly path: readonly string[];
  readonly before: Fields;
  readonly after: Fields;
  readonly subsystem: Subsystem;
}

/** What takes back changes that were made, in the order in which to make them. */
export function invertChanges(changes: readonly Change[]): readonly Change[] {
  return changes.map(invertChange).toReversed();
}

function invertChange(change: Change): Change {
  if (change.kind === 'fields') return { ...change, before: change.after, after: change.before };
  const { before, after, consent, ...rest } = change;
  return {
    ...rest,
    ...(after === undefined ? {} : { before: after }),
    ...(before === undefined ? {} : { after: before }),
    ...(consent === undefined ? {} : { consent: consent === 'adopt' ? 'release' : 'adopt' }),
  };
}

/** What has to take the changes up, each once. */
export function subsystemsOf(changes: readonly Change[]): readonly Subsystem[] {
  const all = changes.flatMap((change) =>
    change.kind === 'fields' ? change.subsystem : (change.place.subsystem ?? []),
  );
  return [...new Set(all)];
}

/** "adds unbound/hosts web.svc", for plans and logs. */
export function formatChange(change: Change): string {
  if (change.kind === 'fields') return `sets ${Object.keys(change.after).join(', ')} in ${change.path.join('/')}`;
  const { before, after, consent, mark } = change;
  const verb = consent ?? (before === undefined ? 'add' : after === undefined ? 'remove' : 'change');
  return `${verb}s ${formatPlace(change.place)} ${mark.key}`;
}

export type Standing =
  | { readonly kind: 'ready'; readonly index: number | undefined }
  /** What the change wants is there already. */
  | { readonly kind: 'done' }
  /** Somebody changed the entry after it was read. */
  | { readonly kind: 'moved' };

/** Whether a change can still be made to the entries that are there. php/common.php has its twin. */
export function judgeEntryChange(change: EntryChange, entries: readonly ConfigValue[]): Standing {
  const same = (value: ConfigValue) => (entry: ConfigValue) => canonicalValue(entry) === canonicalValue(value);
  const { before, after, mark, place } = change;
  const marked = entries.filter((entry) => isMarkedAs(place, entry, mark));
  const holders = after === undefined ? [] : entries.filter(same(after));
  const isDone =
    after === undefined
      ? marked.length === 0
      : holders.length === 1 && marked.length === (isMarkedAs(place, after, mark) ? 1 : 0);
  if (isDone) return { kind: 'done' };
  if (before === undefined) return marked.length === 0 ? { kind: 'ready', index: undefined } : { kind: 'moved' };
  const found = entries.flatMap((entry, index) => (same(before)(entry) ? [index] : []));
  const expected = isMarkedAs(place, before, mark) ? 1 : 0;
  const [index] = found;
  return found.length === 1 && marked.length === expected ? { kind: 'ready', index } : { kind: 'moved' };
}

function isMarkedAs(place: Place, entry: ConfigValue, mark: Mark): boolean {
  const found = markOf(place, entry);
  return found !== undefined && found.lab === mark.lab && found.cluster === mark.cluster && found.key === mark.key;
}
