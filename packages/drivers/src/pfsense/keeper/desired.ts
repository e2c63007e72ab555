// What should be on the router, and the plan that leads there from a state of it. Pure.
import { canonicalValue } from '../config/config-value.ts';
import { type Owner, formatMark } from '../config/mark.ts';
import { type InterfaceName, type Place, formatPlace, places } from '../config/place.ts';
import type { XmlDocument } from '../config/xml-tree.ts';
import { applyChanges } from '../edits/apply.ts';
import type { Change } from '../edits/change.ts';
import { type Conflict, type OwnedEntry, entriesOf, planEdits } from '../edits/plan-edits.ts';
import { planBootSection } from '../entries/boot-section.ts';
import type { NetworkBoot } from '../entries/lease-entry.ts';

export interface DesiredRouter {
  readonly owner: Owner;
  readonly entries: readonly OwnedEntry[];
  /** Where entries of ours that are not desired go. Places that are in neither list are left as they are. */
  readonly managed: readonly Place[];
  /** Places of what is not managed any more: whatever is ours there goes, whatever `keeps` says. */
  readonly released?: readonly Place[];
  readonly boot?: ReadonlyMap<InterfaceName, NetworkBoot | undefined>;
  /**
   * What keys of marks begin with whose entries stay as they are when they are not desired: nobody knows yet whether they
   * should be there.
   */
  readonly keeps?: readonly string[];
}

export interface RouterPlan {
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** The configuration with the changes made. */
  readonly document: XmlDocument;
}

export function planRouter(document: XmlDocument, desired: DesiredRouter): RouterPlan {
  const notesKey = formatPlace(places.notes);
  const managed = desired.managed.filter((place) => formatPlace(place) !== notesKey);
  const leaving = planEdits(document, desired.owner, [], desired.released ?? []);
  const entries = planEdits(document, desired.owner, desired.entries, managed, desired.keeps);
  const changes = [...leaving.changes, ...entries.changes];
  let plan: RouterPlan = {
    changes,
    conflicts: [...leaving.conflicts, ...entries.conflicts],
    document: applyChanges(document, changes),
  };
  for (const [interfaceName, boot] of desired.boot ?? []) {
    const more = planBootSection(plan.document, desired.owner, interfaceName, boot);
    plan = {
      changes: [...plan.changes, ...more.changes],
      conflicts: [...plan.conflicts, ...more.conflicts],
      document: applyChanges(plan.document, more.changes),
    };
  }
  return plan;
}

/** Entries that were taken back after they were written, by place and mark, with what stands there instead. */
export type GivenUp = ReadonlyMap<string, GivenUpEntry>;

export interface GivenUpEntry {
  /** Of the mark. */
  readonly key: string;
  /** Its canonical value. */
  readonly wanted: string;
  readonly instead: OwnedEntry | undefined;
}

function entryKey({ place, mark }: Pick<OwnedEntry, 'place' | 'mark'>): string {
  return `${formatPlace(place)} ${formatMark(mark)}`;
}

/** What was given up stays so while the very same is wanted again. */
export function withoutGivenUp(desired: DesiredRouter, givenUp: GivenUp): DesiredRouter {
  const entries = desired.entries.flatMap((entry) => {
    const known = givenUp.get(entryKey(entry));
    if (known === undefined || known.wanted !== canonicalValue(entry.value)) return [entry];
    return known.instead === undefined ? [] : [known.instead];
  });
  return { ...desired, entries };
}

/** What is to be remembered of the entries with these keys, so that the next plan takes their changes back. Oldest change first. */
export function giveUp(changes: readonly Change[], keys: ReadonlySet<string>): GivenUp {
  const givenUp = new Map<string, GivenUpEntry>();
  for (const change of changes) {
    if (change.kind !== 'entry' || change.after === undefined || !keys.has(change.mark.key)) continue;
    const { place, mark, before, after } = change;
    const known = givenUp.get(entryKey(change));
    // Of several changes, what was there before the first comes back.
    const instead = known === undefined ? before && { place, mark, value: before } : known.instead;
    givenUp.set(entryKey(change), { key: mark.key, wanted: canonicalValue(after), instead });
  }
  return givenUp;
}

/** Whether a change only takes back what was given up. */
export function isTakeBack(change: Change, givenUp: GivenUp): boolean {
  if (change.kind !== 'entry') return false;
  const known = givenUp.get(entryKey(change));
  if (known === undefined) return false;
  const [before, after] = [known.instead?.value, change.after];
  return before === undefined || after === undefined
    ? before === after
    : canonicalValue(before) === canonicalValue(after);
}

/** Those of the given up that are still wanted as they were; what is wanted otherwise by now gets its chance. */
export function stillGivenUp(givenUp: GivenUp, desired: DesiredRouter): GivenUp {
  const wanted = new Set(desired.entries.map((entry) => `${entryKey(entry)} ${canonicalValue(entry.value)}`));
  return new Map([...givenUp].filter(([key, entry]) => wanted.has(`${key} ${entry.wanted}`)));
}

/** The hosts of the resolver, a person's and ours. */
export function resolverHosts(document: XmlDocument): ReturnType<typeof entriesOf> {
  return entriesOf(document, places.resolverHosts);
}
