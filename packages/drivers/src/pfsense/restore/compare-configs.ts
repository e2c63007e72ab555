// In what two configurations differ, section by section: names of entries and of settings, never a value of theirs. Pure.
import { isListTag, parseText } from '../config/config-value.ts';
import { type XmlElement, childElements } from '../config/xml-tree.ts';

export interface SectionDifference {
  /** "unbound"; "installedpackages/haproxy" for what a package has. */
  readonly section: string;
  /** In the second one only: "hosts web.svc", "lan/staticmap printer". */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** In the first one only. */
  readonly removed: readonly string[];
}

type Found = Record<'added' | 'changed' | 'removed', string[]>;

/** Sections in the order of the first one; what only the second has comes last. `without`: names of sections not to compare. */
export function compareConfigs(
  before: XmlElement,
  after: XmlElement,
  without: readonly string[] = [],
): readonly SectionDifference[] {
  const [left, right] = [sectionsOf(before), sectionsOf(after)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((name) => !without.includes(name))
    .flatMap((section) => {
      const found: Found = { added: [], changed: [], removed: [] };
      compareAt('', section.split('/').at(-1) ?? '', [left.get(section) ?? [], right.get(section) ?? []], found);
      const isSame = Object.values(found).every((names) => names.length === 0);
      return isSame ? [] : [{ section, ...found }];
    });
}

/** Each package's settings are a section of their own. */
function sectionsOf(root: XmlElement): ReadonlyMap<string, readonly XmlElement[]> {
  const sections = new Map<string, readonly XmlElement[]>();
  const put = (name: string, element: XmlElement): void => {
    sections.set(name, [...(sections.get(name) ?? []), element]);
  };
  for (const element of childElements(root)) {
    if (element.name !== 'installedpackages') put(element.name, element);
    else for (const inner of childElements(element)) put(`installedpackages/${inner.name}`, inner);
  }
  return sections;
}

type Sides = readonly [before: readonly XmlElement[], after: readonly XmlElement[]];

/** Deeper than this, a difference is told by what it is in. */
const deepest = 4;

/** `path` is from the section on, without it; elements of one tag with one parent. */
function compareAt(path: string, tag: string, [before, after]: Sides, found: Found): void {
  if (canonicalOf(before) === canonicalOf(after)) return;
  if (isListTag(tag) || before.length > 1 || after.length > 1) {
    compareLists(path === '' ? tag : path, [before, after], found);
    return;
  }
  const [[one], [other]] = [before, after];
  if (one === undefined || other === undefined) {
    found[one === undefined ? 'added' : 'removed'].push(path === '' ? 'all of it' : path);
    return;
  }
  const names = new Set([...childElements(one), ...childElements(other)].map(({ name }) => name));
  if (names.size === 0 || path.split('/').length >= deepest) {
    found.changed.push(path === '' ? 'its value' : path);
    return;
  }
  for (const name of names) {
    const inner = path === '' ? name : `${path}/${name}`;
    compareAt(inner, name, [childElements(one, name), childElements(other, name)], found);
  }
}

function compareLists(path: string, [before, after]: Sides, found: Found): void {
  const gone = leftOver(before, after);
  const come = leftOver(after, before);
  if (gone.length === 0 && come.length === 0) {
    found.changed.push(`${path}: the order`);
    return;
  }
  const coming = come.map((element) => labelOf(element));
  for (const element of gone) {
    const label = labelOf(element);
    const at = coming.indexOf(label);
    if (at >= 0) coming.splice(at, 1);
    found[at >= 0 ? 'changed' : 'removed'].push(joinLabel(path, label));
  }
  found.added.push(...coming.map((label) => joinLabel(path, label)));
}

/** Elements of a list without an equal in the other one, each equal counted once. */
function leftOver(list: readonly XmlElement[], other: readonly XmlElement[]): readonly XmlElement[] {
  const counts = new Map<string, number>();
  for (const element of other) {
    const text = canonicalOf([element]);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return list.filter((element) => {
    const text = canonicalOf([element]);
    const count = counts.get(text) ?? 0;
    counts.set(text, count - 1);
    return count <= 0;
  });
}

/** What a person calls an entry by, in this order. None of these ever holds a secret. */
const nameTags = [
  'hostname',
  'name',
  'subnet',
  'domain',
  'descr',
  'description',
  'mac',
  'ipaddr',
  'interface',
] as const;

function labelOf(element: XmlElement): string {
  const textAt = (tag: string): string => {
    const [inner] = childElements(element, tag);
    return inner === undefined || childElements(inner).length > 0 ? '' : parseText(inner).trim();
  };
  const host = textAt('host');
  if (host !== '') return shorten(`${host}.${textAt('domain')}`);
  const tag = nameTags.find((name) => textAt(name) !== '');
  return tag === undefined ? '' : shorten(textAt(tag));
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text).replaceAll(/\s+/g, ' ');

const joinLabel = (path: string, label: string): string =>
  label === '' ? `${path}: one without a name` : `${path} ${label}`;

/** The same for what means the same to pfSense: the order counts among elements of one tag only. */
function canonicalOf(elements: readonly XmlElement[]): string {
  return JSON.stringify(elements.map(canonicalValueOf));
}

/** As canonicalValue, for sections whose lists are not known by name. */
function canonicalValueOf(element: XmlElement): unknown {
  const children = childElements(element);
  if (children.length === 0) return parseText(element);
  const groups = new Map<string, unknown[]>();
  for (const child of children) {
    const group = groups.get(child.name);
    const value = canonicalValueOf(child);
    if (group === undefined) groups.set(child.name, [value]);
    else group.push(value);
  }
  return [...groups].toSorted(([one], [other]) => (one < other ? -1 : 1));
}
