// Network boot for a whole DHCP network. Its fields have no room for a mark, so a note of ours says which we set, and to what.
import { z } from 'zod';
import { type ConfigMap, type ConfigValue, isMap, textAt } from '../config/config-value.ts';
import { type Mark, type Owner, formatMark, isOwnedBy } from '../config/mark.ts';
import { type InterfaceName, markOf, places } from '../config/place.ts';
import { type XmlDocument, findElement } from '../config/xml-tree.ts';
import { parseValue } from '../config/config-value.ts';
import type { Fields, FieldsChange } from '../edits/change.ts';
import { type EditPlan, type OwnedEntry, entriesOf, planEdits } from '../edits/plan-edits.ts';
import { type NetworkBoot, bootFields } from './lease-entry.ts';

const fieldNames = [
  ...['netboot', 'nextserver', 'filename', 'filename32', 'filename64', 'filename32arm', 'filename64arm'],
  'uefihttpboot',
] as const;

/** What a note holds: the fields as we set them, and as they were before. */
const noteContent = z.strictObject({
  set: z.record(z.string(), z.string()),
  was: z.record(z.string(), z.string().nullable()),
});
type NoteContent = z.infer<typeof noteContent>;

/**
 * Changes that give a network these boot files, or take ours away when there are none. Fields that a person filled in are
 * a conflict; a field of ours that a person changed stays theirs when ours go.
 */
export function planBootSection(
  document: XmlDocument,
  owner: Owner,
  interfaceName: InterfaceName,
  boot: NetworkBoot | undefined,
): EditPlan {
  const key = `boot.${interfaceName}`;
  const mark: Mark = { ...owner, key };
  const path = ['dhcpd', interfaceName];
  const section = findElement(document.root, path);
  const value = section === undefined ? undefined : parseValue(section);
  // pfSense reads an empty section as a text, and serves nothing there.
  const current = isMap(value) ? fieldsOf(value) : undefined;
  const refuse = (reason: string): EditPlan => ({
    changes: [],
    conflicts: boot === undefined ? [] : [{ place: places.notes, mark, reason }],
  });
  if (isMap(value) && fieldNames.some((name) => Object.hasOwn(value, name) && typeof value[name] !== 'string'))
    return refuse(`network boot of ${interfaceName} holds on the router what is no text`);
  const note = entriesOf(document, places.notes).find((entry) => textAt(entry, 'descr') === formatMark(mark));
  const known = note === undefined ? undefined : parseNote(note);
  if (current === undefined) return refuse(`the router serves no DHCP on ${interfaceName}`);
  const wanted = boot === undefined ? undefined : bootFields(boot);
  if (wanted !== undefined && known === undefined && fieldNames.some((name) => isFilledIn(name, current[name])))
    return refuse(`network boot of ${interfaceName} is set on the router, not by Labwright`);

  const was = known?.was ?? pick(current, wanted ?? {});
  const target: Record<string, string | null> = {};
  for (const name of fieldNames) {
    const isOurs = known !== undefined && known.set[name] !== undefined && current[name] === known.set[name];
    const value = wanted?.[name];
    if (value !== undefined) target[name] = value;
    else if (isOurs) target[name] = was[name] ?? null;
  }
  const notes =
    wanted === undefined ? [] : [noteEntry(mark, { set: wanted, was: { ...pick(current, wanted), ...was } })];
  const change: FieldsChange = {
    kind: 'fields',
    path,
    before: pick(current, target),
    after: target,
    subsystem: 'dhcp',
  };
  const isEqual = Object.entries(target).every(([name, value]) => (current[name] ?? null) === value);
  const noting = planEdits(document, owner, [...notes, ...otherNotes(document, owner, key)], [places.notes]);
  // Without its note what we set could never be told from what a person set.
  if (noting.conflicts.length > 0) return { changes: [], conflicts: noting.conflicts };
  return { changes: [...noting.changes, ...(isEqual ? [] : [change])], conflicts: [] };
}

function fieldsOf(section: ConfigMap): Fields {
  return Object.fromEntries(
    fieldNames.map((name) => [name, Object.hasOwn(section, name) ? textAt(section, name) : null]),
  );
}

/** pfSense's page writes empty fields for what nobody filled in; the switch counts by being there at all. */
function isFilledIn(name: string, value: string | null | undefined): boolean {
  return value !== undefined && value !== null && (value !== '' || name === 'netboot');
}

function pick(fields: Fields, names: Readonly<Record<string, unknown>>): Record<string, string | null> {
  return Object.fromEntries(Object.keys(names).map((name) => [name, fields[name] ?? null]));
}

function noteEntry(mark: Mark, content: NoteContent): OwnedEntry {
  const text = Buffer.from(JSON.stringify(content), 'utf8').toString('base64');
  return { place: places.notes, mark, value: { descr: formatMark(mark), note: text } };
}

/** A note that cannot be read is as good as none. */
function parseNote(note: ConfigValue): NoteContent | undefined {
  const text = Buffer.from(textAt(note, 'note'), 'base64').toString('utf8');
  try {
    return noteContent.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Our notes of other networks, as they are: this plan is about one. */
function otherNotes(document: XmlDocument, owner: Owner, key: string): readonly OwnedEntry[] {
  return entriesOf(document, places.notes).flatMap((entry) => {
    const mark = markOf(places.notes, entry);
    const isOther = mark !== undefined && isOwnedBy(mark, owner) && mark.key !== key;
    return isOther && isMap(entry) ? [{ place: places.notes, mark, value: entry }] : [];
  });
}
